"""RepOut's main thread: reads metadata, and keeps a destination for each other region that any table goes to."""

from __future__ import annotations

import threading
from typing import Any

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.kafka.hearing import Hearing
from dynabus.adapters.logs import logger
from dynabus.adapters.memory_limit import LIMIT_FILES, memory_limit_bytes
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_tables.links import Links
from dynabus.core.global_tables.regions import Peer, Regions
from dynabus.core.global_tables.rep_out import BATCH_BYTES, WAITING_BYTES
from dynabus.core.ids import Writer
from dynabus.core.streams.view import StreamsView
from dynabus.core.topics import Topics
from dynabus.rep_out.config import RepOutSettings
from dynabus.rep_out.destination import Destination
from dynabus.rep_out.feeds import Feed

POLL_S = 0.2
JOIN_S = 3.0

MEMORY_SHARE = 4
"""Of a container's memory limit changes that wait get one part in so many: others are under way, and encoded."""


class RepOutService:
    """One process. `stopping` is set by a signal; `run` returns after the last commits."""

    def __init__(self, settings: RepOutSettings, me: Writer) -> None:
        self._settings, self.me = settings, me
        self.stopping, self.failed = False, threading.Event()
        self.regions, self.links, self.streams, self.cluster = Regions(), Links(), StreamsView(), ClusterView()
        self.has_news = False
        self.turns = 0
        self.destinations: dict[str, Destination] = {}
        self._memory = memory_limit_bytes(LIMIT_FILES)
        # Of heartbeats nothing is made; by them this process knows that it is not cut off.
        self._hearing = Hearing(settings.kafka_settings(), Topics(settings.namespace), self.take)

    def run(self) -> int:
        """Until `stopping`, or a destination fails; 1 then."""
        while not self.stopping and not self.failed.is_set():
            self.turn()
        for destination in self.destinations.values():
            destination.stop()
        for destination in self.destinations.values():
            destination.join(JOIN_S)
        self._hearing.close()
        return 1 if self.failed.is_set() else 0

    def turn(self) -> None:
        """Learn, and give destinations what they are to read."""
        self.turns += 1
        self._hearing.take(POLL_S)
        if self.has_news and self._hearing.is_loaded:
            self.has_news = False
            self.learn()

    def take(self, key: str, kind: str, message: Any | None) -> None:
        """A record of metadata; None: it is gone."""
        if kind == "heartbeat":
            return
        self.has_news = True
        self.regions.take(kind, key, message)
        self.links.take(kind, key, message)
        if message is None:
            return
        if kind == "stream_metadata":
            self.streams.take(message)
        else:
            self.cluster.take(kind, message, exact_ms())

    def learn(self) -> None:
        """Destinations that are new, gone, or reached otherwise; and what each of them is to read."""
        wanted = self.regions.others
        for name, destination in [*self.destinations.items()]:
            if wanted.get(name) != destination.peer:
                del self.destinations[name]
                destination.stop()
        for name, peer in wanted.items():
            feeds = self.feeds(name)
            if feeds and name not in self.destinations:
                self._begin(peer)
            if name in self.destinations and self.destinations[name].feeds != feeds:
                self.destinations[name].feeds = feeds

    def _begin(self, peer: Peer) -> None:
        logger().info("destination", region=peer.name, kafka=peer.kafka)
        own = self.regions.own
        destination = Destination(self._settings, own, peer, self.failed.set, self.bytes_most)
        self.destinations[peer.name] = destination
        destination.start()

    def bytes_most(self) -> int:
        """Of changes of one table, for one destination, that wait: one that is away must not cost the others this
        process. Another thread may ask."""
        tables = sum(len(each.brains) for each in [*self.destinations.values()])
        if self._memory is None or not tables:
            return WAITING_BYTES
        return max(BATCH_BYTES, min(WAITING_BYTES, self._memory // MEMORY_SHARE // tables))

    def feeds(self, destination: str) -> dict[str, Feed]:
        """The streams that go there, by topic."""
        topics = Topics(self._settings.namespace)
        found = {}
        for link in self.links.to(destination):
            table = self.cluster.table(link.table)
            streams = [stream for stream in self.streams.of(link.table) if stream.label == link.stream]
            if table is not None and streams:
                found[topics.stream_name(link.name, link.stream)] = Feed(link, streams[0], table.schema)
        return found

    # -- seen from outside ----------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """For `dynabus status`; another thread may ask."""
        destinations = sorted(self.destinations.items())
        return {"region": self.regions.own, "destinations": [each.status() for _, each in destinations]}

    def readiness(self) -> str | None:
        """Why it does not do its work, or None."""
        return None if self._hearing.is_loaded else "reading metadata"

    @property
    def messages(self) -> int:
        """Heard so far."""
        return self._hearing.messages
