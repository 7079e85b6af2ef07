"""The Kafkas of several regions, as far as the shells of RepOut, RepIn and ReplAdmin use confluent_kafka's clients.

`Consumer` and `Producer` stand in place of the real ones (`in_place`), so that the shells are those of the product.
What goes wrong is Kafka's: what is produced is lost, lands late, lands though it was said not to, lands when its
producer is long dead; a link is cut; a commit fails, or is made though it is said to have failed; topic partitions of
a group change hands, in order or by a session's end. A process may die in any call (`Host.step`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from unittest.mock import patch

import structlog

from dynabus.adapters.kafka import group_member, hearing, outbox
from dynabus.adapters.kafka.topics import TopicError
from dynabus.core import cluster_view
from dynabus.core.global_tables import pages, window
from dynabus.core.topics import Topic
from dynabus.rep_in import service as rep_in_service
from dynabus.rep_in import telling
from dynabus.rep_out import destination, line, shards
from dynabus.repl_admin import copying, retention
from dynabus.request_router.ingest import reader
from tests.simulation.brains import patched
from tests.simulation.global_tables import WALL_MS, AnyKey
from tests.simulation.region_clients import Consumer, Group, Producer, Stored, Where
from tests.simulation.world import World

REPLICATION_PARTITIONS = 2
BEFORE_MS = 6000
"""In place of ten minutes, as clocks are seconds apart here and not minutes."""

LATE_MS, LOOK_MS = 1000, 1000.0
"""In place of a minute and of ten seconds: histories are short."""

RESEND_MS, RESEND_MOST_MS = 1500.0, 6000.0
"""Of batches, likewise, in place of five seconds and a minute."""

RETENTION_MS = 1e9

PAGE_ROWS = 3
"""Of a page of an initial copy: tables are small."""


class Killed(Exception):
    """The process dies in a call to Kafka."""


class Host(Protocol):
    """A process that has clients."""

    region: str
    skew_ms: int
    """Of its wall clock."""
    is_up: bool

    def step(self) -> None:
        """A call to Kafka; raises Killed."""


@dataclass
class Troubles:
    """Chances, for a while."""

    lost: float = 0.0
    late: float = 0.0
    unreported: float = 0.0
    refused: float = 0.0
    """Of commits."""


class Wires:
    """All regions' Kafkas, the links between them, and who runs just now."""

    def __init__(self, world: World) -> None:
        self.world, self.dice = world, world.random
        self.kafkas: dict[str, Kafka] = {}
        self.cut: set[tuple[str, str]] = set()
        self.gone: set[str] = set()
        self.troubles = Troubles()
        self._running: list[Host] = []
        self._incarnations = 0

    @contextmanager
    def run(self, host: Host) -> Iterator[None]:
        """Clients that are made, and clocks that are read, are this one's."""
        self._running.append(host)
        try:
            yield
        finally:
            self._running.pop()

    def reaches(self, source: str, destination: str) -> bool:
        is_cut = (source, destination) in self.cut or {source, destination} & self.gone
        return not is_cut and not self.kafkas[destination].is_away()

    def consumer(self, properties: dict[str, Any], **_: Any) -> Consumer:
        kafka = self.kafkas[properties["bootstrap.servers"]]
        return Consumer(self, kafka, self._running[-1], properties.get("group.id"))

    def producer(self, properties: dict[str, Any], **_: Any) -> Producer:
        return Producer(self, self.kafkas[properties["bootstrap.servers"]], self._running[-1])

    def reach(self, kafka: Any) -> Admin:
        """In place of `reach_kafka`."""
        self._running[-1].step()
        if not self.reaches(self._running[-1].region, kafka.bootstrap):
            raise TopicError("nobody answers", retriable=True)
        return Admin(self.kafkas[kafka.bootstrap])

    def exact_ms(self) -> float:
        return self.world.now_ms

    def unix_ms(self) -> int:
        return WALL_MS + int(self.world.now_ms) + self._running[-1].skew_ms

    def new_incarnation(self) -> int:
        self._incarnations += 1
        return self._incarnations

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Shells that are run have these clients and clocks."""
        modules = (destination, shards, copying, retention, rep_in_service, reader)
        clocks = [
            patch.object(module, name, getattr(self, name))
            for module in modules
            for name in ("exact_ms", "unix_ms", "new_incarnation")
            if hasattr(module, name)
        ]
        consumers = [
            patch.object(module, "Consumer", self.consumer) for module in (shards, group_member, line, hearing)
        ]
        reached = [patch.object(module, "reach_kafka", self.reach) for module in (line, telling, reader)]
        with patched(
            [
                *clocks,
                *consumers,
                *reached,
                patch.object(outbox, "Producer", self.producer),
                patch.object(reader, "time", _Time(self.world)),
                patch.object(line, "REPLICATION_PARTITIONS", REPLICATION_PARTITIONS),
                patch.object(shards, "BEFORE_MS", BEFORE_MS),
                patch.object(pages, "ROWS_MOST", PAGE_ROWS),
                patch.object(window, "RESEND_MS", RESEND_MS),
                patch.object(window, "RESEND_MOST_MS", RESEND_MOST_MS),
                patch.object(window.Sent.__init__, "__defaults__", (RESEND_MS, False)),
                patch.object(retention, "LOOK_MS", LOOK_MS),
                patch.object(retention, "Worker", _Inline),
                patch.object(shards, "LATE_MS", LATE_MS),
                patch.object(destination.Destination, "start", lambda _: None),
                patch.object(copying.Job, "start", lambda _: None),
                patch.object(cluster_view, "key_schema", lambda _: AnyKey()),
                patch.object(structlog, "get_logger", _Quiet),
            ]
        ):
            yield


class _Time:
    """The module, as much of it as is used."""

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic(self) -> float:
        return self._world.now_ms / 1000


class _Inline:
    """A worker that does at once what it is asked."""

    def __init__(self, _name: str) -> None:
        """It has no thread."""

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(job())
        return done


class _Quiet:
    """A logger: histories tell by their trace."""

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Kafka:
    """One region's. `is_away`: it answers nobody."""

    def __init__(self, wires: Wires, region: str, is_away: Callable[[], bool]) -> None:
        self.wires, self.region, self.is_away = wires, region, is_away
        self.records: dict[Where, list[Stored]] = {}
        self.low: dict[Where, int] = {}
        self.counts: dict[str, int] = {}
        """Topic partitions by topic."""
        self.groups: dict[str, Group] = {}
        self.landed: Callable[[str, bytes], None] = lambda _topic, _value: None
        """Called before a record is there."""
        self.committed: Callable[[str, Where, int, int, str], None] = lambda *_: None
        """Called before an offset is there."""
        wires.kafkas[region] = self

    def ensure(self, topic: str, count: int) -> None:
        """It has so many topic partitions at least."""
        for number in range(self.counts.get(topic, 0), count):
            self.records[topic, number], self.low[topic, number] = [], 0
        self.counts[topic] = max(count, self.counts.get(topic, 0))

    def extent(self, where: Where) -> tuple[int, int]:
        return self.low[where], len(self.records[where])

    def drop(self, where: Where, low: int) -> None:
        """Retention takes all before an offset."""
        self.low[where] = max(self.low[where], low)

    def land(self, where: Where, stored: Stored) -> None:
        self.wires.world.events += 1
        self.landed(where[0], stored.value or b"")
        self.records[where].append(stored)

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group(self, name))


class Admin:
    """What `reach_kafka` gives."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def ensure(self, topics: list[Topic]) -> None:
        for topic in topics:
            count = REPLICATION_PARTITIONS if ".replication." in topic.name else topic.partitions
            self._kafka.ensure(topic.name, count)

    def extent(self, topic: str, number: int) -> tuple[int, int]:
        return self._kafka.extent((topic, number))

    def extents(self, topic: str) -> dict[int, tuple[int, int]]:
        return {number: self._kafka.extent((topic, number)) for number in range(self._kafka.counts[topic])}

    def group_commits(self, group: str, places: list[Where]) -> dict[Where, tuple[int, str]]:
        offsets = self._kafka.group(group).offsets
        return {where: offsets[where] for where in places if where in offsets}

    def retention_ms(self, _topic: str) -> float:
        return RETENTION_MS

    def identity(self, topic: str) -> Any:
        return _Identity(f"id of {topic}")


class _Identity(NamedTuple):
    topic_id: str
