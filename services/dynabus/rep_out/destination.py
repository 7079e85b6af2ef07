"""One other region, in a thread of its own: one that is away, slow or refuses us holds back nobody else.

A turn, in this order, which is a contract (`core.global_tables.rep_out`):

1. acknowledgements     2. the group; shards that may begin     3. read; what arrived from other regions is passed by
4. every `floors_every_s` what the destination is told of the time before; batches, each table's by a brain of its
   own, so that one that is throttled there does not hold back the others
5. commit what is acknowledged, every `commit_every_ms`
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaException, Message

from dynabus.adapters.allowance import Allowance
from dynabus.adapters.clock import exact_ms, new_incarnation, unix_ms
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.group_member import Where
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicError
from dynabus.adapters.logs import logger
from dynabus.adapters.replication_codec import export_of, version_in, word_in
from dynabus.adapters.stream_codec import headers_of, read_entry
from dynabus.core.global_tables.committed import Told
from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.regions import Peer
from dynabus.core.global_tables.rep_out import Export, RepOut
from dynabus.core.streams.reading import CHANGE, CLOSED, FLOORS, VERSION, Entry
from dynabus.core.streams.sequence import Sequence
from dynabus.core.topics import Topics
from dynabus.rep_out.config import RepOutSettings
from dynabus.rep_out.feeds import Feed, has_all
from dynabus.rep_out.latency import Latencies
from dynabus.rep_out.line import Line
from dynabus.rep_out.shards import Shards

IDLE_S = 0.05
"""How long a turn waits for a record, or for an acknowledgement if nothing can be done before one."""

PACE_S = 0.02
"""Between two turns while batches are under way: what comes meanwhile travels together, at a fraction of the work. A
change that comes alone goes at once."""

AGAIN_S, AGAIN_MOST_S = 0.5, 10.0
"""Between two attempts to reach a region, doubled each time."""

Feeds = Mapping[str, Feed]


class Destination:
    """`start` begins its thread; `failed` is called there if it ends by a defect. `bytes_most`: of changes of one
    table that wait."""

    def __init__(
        self,
        settings: RepOutSettings,
        own: str,
        peer: Peer,
        failed: Callable[[], None],
        bytes_most: Callable[[], int],
    ) -> None:
        self.peer, self._own, self._settings, self._failed = peer, own, settings, failed
        self._bytes_most = bytes_most
        self.feeds: Feeds = {}
        """Set by another thread, as a whole."""
        self.latencies = Latencies()
        self.brains: dict[str, RepOut] = {}
        """By stream topic."""
        self._senders: dict[str, str] = {}
        """Of each brain one of its own, since each numbers its batches from 1: those of an earlier one, which may be
        acknowledged late, are not this one's."""
        self._resent = self._passed = 0
        """Of brains that are gone."""
        self.problem: str | None = "not reached yet"
        self.turns = 0
        self.undecodable = 0
        self._followed: Feeds = {}
        self._last: dict[Where, Sequence] = {}
        self._allowance = Allowance(settings.catch_up_per_s, exact_ms() - 1000)  # a second's worth from the start
        self._commit_ms = 0.0
        self._word_ms = 0.0
        self._line: Line | None = None
        self._shards: Shards | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"to {peer.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            pause_s = AGAIN_S
            while not self._stop.is_set() and not self._reach():
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, AGAIN_MOST_S)
            while not self._stop.is_set():
                self._turn_or_wait()
                if self._is_under_way() and not self._is_full():
                    self._stop.wait(PACE_S)
            self._close()
        except Exception:
            logger().exception("replication failed", region=self.peer.name)
            self._failed()

    def _reach(self) -> bool:
        kafka: KafkaSettings = self._settings.kafka_settings()
        try:
            line = Line(kafka, self.peer, self._own, exact_ms)
        except (TopicError, UnsafeKafka, KafkaException) as error:
            self.problem = f"not reached: {error}"
            logger().warning("region not reached yet", region=self.peer.name, reason=str(error))
            return False
        group = Topics(kafka.namespace).rep_outs(self.peer.name)
        session_ms = self._settings.session_timeout_ms
        self.begin(line, Shards(kafka, self._own, group, session_ms, self._begun, self._gone))
        return True

    def begin(self, line: Line, shards: Shards) -> None:
        """With what leads there."""
        self._line, self._shards, self.problem = line, shards, None
        shards.on_revoke = self._commit

    def _turn_or_wait(self) -> None:
        try:
            self.turn()
        except KafkaException as error:
            logger().warning("Kafka does not answer", reason=str(error))
            self._stop.wait(0.2)

    def _close(self) -> None:
        if self._line is not None and self._shards is not None:
            self._commit()
            self._shards.close()
            self._line.close()

    # -- a turn ---------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """The docstring above. Raises KafkaException."""
        line, shards = self._line, self._shards
        assert line is not None
        assert shards is not None
        self.turns += 1
        self._hear(line, IDLE_S if self._is_full() else 0)
        if (feeds := self.feeds) is not self._followed:
            shards.follow(feeds)  # it may raise: then once more
            for topic in self.brains.keys() - feeds.keys():
                gone = self.brains.pop(topic)
                self._resent, self._passed = self._resent + gone.window.resent, self._passed + gone.passed
                del self._senders[topic]
            self._followed = feeds
        shards.poll(exact_ms())
        bytes_most = self._bytes_most()
        for topic, brain in self.brains.items():
            brain.bytes_most = bytes_most
            brain.forwards = self._followed[topic].link.forwards
            if not has_all(self._followed[topic]):
                brain.word = None  # at once: what it was told before may not be so any more
        for message in shards.read(0 if self._is_under_way() else IDLE_S):
            self._take(shards, message)
        if exact_ms() >= self._word_ms:
            self._word_ms = exact_ms() + 1000 * self._settings.floors_every_s
            words = shards.words()
            for topic, brain in self.brains.items():
                brain.word = words.get(topic)
        self._send(line, exact_ms())
        shards.pause(topic for topic, brain in self.brains.items() if brain.is_full)
        self.problem = line.problem
        if exact_ms() >= self._commit_ms:
            self._commit_ms = exact_ms() + self._settings.commit_every_ms
            self._commit()

    def _is_under_way(self) -> bool:
        return any(brain.window.sent for brain in self.brains.values())

    def _is_full(self) -> bool:
        """Nothing can be done before an acknowledgement."""
        return bool(self.brains) and all(brain.is_full and brain.window.is_full for brain in self.brains.values())

    def _hear(self, line: Line, timeout_s: float) -> None:
        mine = {self._senders[topic]: brain for topic, brain in self.brains.items()}
        for sender, number in line.acknowledged(timeout_s):
            brain = mine.get(sender)
            batch = brain.acknowledged(number) if brain is not None else None
            wall_ms = unix_ms()
            for export in batch.exports if batch is not None else ():
                self.latencies.note(export.table, export.version.stamp.ms, wall_ms)

    def _take(self, shards: Shards, message: Message) -> None:
        where = (message.topic() or "", message.partition() or 0)
        brain, feed = self.brains.get(where[0]), self._followed.get(where[0])
        if brain is None or feed is None or not shards.is_read(where):
            return
        offset, headers = message.offset() or 0, headers_of(message)
        try:
            entry = read_entry(offset, headers, message.value())
            export = self._export(feed, brain, where, entry, headers)
        except UndecodableMessage as fault:
            # None that a propagator wrote; to stop would hold back the table for ever.
            self.undecodable += 1
            logger().error("a record is left out", topic=where[0], offset=offset, reason=str(fault))
            export = None
        if isinstance(export, Word):
            brain.promised(where, offset, export)
        else:
            brain.read(where, offset, export)
        if headers.get("type") == CLOSED.encode():
            shards.ended(where, offset)

    def _export(
        self, feed: Feed, brain: RepOut, where: Where, entry: Entry, headers: Mapping[str, bytes]
    ) -> Export | Word | None:
        if entry.type == FLOORS:
            return word_in(headers, self.peer.name)
        last = self._last.get(where)
        if entry.type not in (CHANGE, VERSION) or (last is not None and not entry.sequence.is_behind(last)):
            return None
        self._last[where] = entry.sequence
        version = version_in(headers)
        if version is None:
            return None  # of before its leader knew that the table is global: the initial copy has what came of it
        if not brain.sends(where, entry.offset, version.stamp):
            return Export(feed.link.name, b"", None, version)  # which the brain passes by, and nobody looks into
        return export_of(feed.link.name, feed.schema, version, headers, entry.value)

    def _send(self, line: Line, now_ms: float) -> None:
        allowed = self._allowance.take(now_ms)
        brains = [each for each in self.brains.items() if each[0] in self._followed]
        first = self.turns % len(brains) if brains else 0
        ready = sum(brain.is_ready for _, brain in brains)
        # Each has its share, and another one is the first each time: a busy table does not starve the others.
        for topic, brain in (*brains[first:], *brains[:first]):
            share = max(min(1.0, allowed), allowed / max(1, ready))
            ready -= brain.is_ready
            for batch in brain.batches(now_ms, share):
                line.send(self._senders[topic], self._followed[topic].link, batch)
                allowed -= len(batch.exports)
        self._allowance.give_back(allowed)

    def _commit(self) -> None:
        assert self._shards is not None
        due = {where: offset for brain in self.brains.values() for where, offset in brain.due().items()}
        words = {where: word for brain in self.brains.values() for where, word in brain.words(due).items()}
        told = Told(self.latencies.acked_ms, self.latencies.median_ms(unix_ms()), words)
        if due and self._shards.commit(due, told):
            for brain in self.brains.values():
                brain.committed(due)

    # -- shards ---------------------------------------------------------------------------------------------------

    def _begun(self, where: Where, offset: int, own_behind: int) -> None:
        topic = where[0]
        if topic not in self.brains:
            self._senders[topic] = f"{self._settings.name}/{new_incarnation():x}/{topic}"
            self.brains[topic] = RepOut(self._own)
        self.brains[topic].assigned(where, offset, own_behind)

    def _gone(self, places: list[Where]) -> None:
        for where in places:
            self._last.pop(where, None)
            brain = self.brains.get(where[0])
            if brain is not None:
                brain.revoked([where])

    # -- seen from outside ----------------------------------------------------------------------------------------

    @property
    def oldest_ms(self) -> float | None:
        """Milliseconds since 1970 of the oldest change that is read and not acknowledged."""
        return min((ms for brain in [*self.brains.values()] if (ms := brain.oldest_ms) is not None), default=None)

    def alarm(self) -> str | None:
        """What somebody should look at."""
        if self._shards is not None and self._shards.lacks():
            return "changes were lost to the streams' retention: items are copied again"
        oldest_ms = self.oldest_ms
        if oldest_ms is not None and unix_ms() - oldest_ms > 1000 * self._settings.backlog_alarm_s:
            return "it has not acknowledged changes for long: streams' retention may take them away"
        return self.problem

    def status(self) -> dict[str, Any]:
        """Another thread may ask."""
        alarm, brains = self.alarm(), [*self.brains.values()]
        return {
            "region": self.peer.name,
            "tables": sorted(feed.link.name for feed in self.feeds.values()),
            "backlog": self._shards.backlog() if self._shards is not None else None,
            "oldest_ms": self.oldest_ms,
            "acked_ms": self.latencies.acked_ms,
            "latency_ms": self.latencies.median_ms(unix_ms()),
            "resent": self._resent + sum(brain.window.resent for brain in brains),
            "passed": self._passed + sum(brain.passed for brain in brains),
            **({"alarm": alarm} if alarm else {}),
        }
