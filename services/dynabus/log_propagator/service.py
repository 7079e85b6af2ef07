"""The loop of a log propagator.

A turn, in this order, which is a contract (`core.propagation.propagator`):

1. news: metadata, places of replicas
2. the group: logs that are taken away are committed and let go, new ones are looked at
3. read what came; fold; produce what comes out; wait until Kafka has all of it; send index writes, which are not
   waited for
4. only then: confirm, as far as index writes are acknowledged; commit what is confirmed, every `commit_every_ms`,
   and where table topics have to have something with it, in a transaction
5. find out what logs wait for
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.logs import logger
from dynabus.adapters.schema_registry import SchemaRegistry
from dynabus.core.ids import PartitionId, Writer
from dynabus.core.messages import Reply
from dynabus.core.propagation.clearing import Clearing
from dynabus.core.propagation.deliveries import Deliveries
from dynabus.core.propagation.outputs import Stage
from dynabus.core.propagation.owned_log import Found
from dynabus.core.propagation.paging import Paging
from dynabus.core.propagation.propagator import Parcel, Propagator, Wish, parent_of
from dynabus.core.replication.place import Origin
from dynabus.core.topics import Topics
from dynabus.log_propagator.config import PropagatorSettings
from dynabus.log_propagator.group import Group
from dynabus.log_propagator.news import News
from dynabus.log_propagator.reader import Reader
from dynabus.log_propagator.sender import Sender
from dynabus.log_propagator.topic_scans import TopicScans
from dynabus.log_propagator.topic_writer import TopicWriter

POLL_S = 0.05
"""A record ends it; otherwise news and the group wait so long."""

BUSY_POLL_S = 0.002
"""The same while index writes are under way."""

GATHERED_MOST = 200
"""Records for streams in one turn, from which on no more are waited for."""

WISH_MS = 200.0
"""Between two questions of one log."""

RETRY_MS = 500.0
"""After a look at a log that Kafka did not answer: it was just made, or Kafka is away."""

HELD_OFF_MS = 5000.0
"""Between two attempts at a stream whose topic is not there, or refuses its records."""

TOPICS_AGAIN_MS = 1000.0
"""After a transaction that failed: where Kafka's coordinator is away each attempt takes seconds from other logs."""

LOST_MS = 10_000.0
"""A log that does not reach to a checkpoint for so long has lost records (I9); metadata may be old for a moment."""


@dataclass(slots=True)
class _Doubt:
    since_ms: float
    again_ms: float


class LogPropagator:
    """One process. `stop` from a signal; `run` returns after the last commit."""

    def __init__(self, settings: PropagatorSettings, me: Writer, admin: TopicAdmin) -> None:
        kafka, self._topics = settings.kafka_settings(), Topics(settings.namespace)
        self.me, self.stopping = me, False
        self.turns = self.commits = 0
        self._admin, self._commit_every_ms = admin, settings.commit_every_ms
        self._gather_s = settings.gather_ms / 1000
        self.news = News(
            kafka,
            self._topics,
            me,
            lambda partition, place: self.brain.told_place(partition, place),
            self._replied,
        )
        self.brain = Propagator(self.news.derived, AvroBodies())
        self.deliveries = Deliveries(self.news.cluster, random.choice)
        self.paging = Paging(self.news.cluster, random.choice)
        self.clearing = Clearing(self.brain, self.news.cluster, random.choice)
        registry = SchemaRegistry(settings.schema_registry) if settings.schema_registry else None
        self.reader, self.sender = Reader(kafka, self._topics), Sender(kafka, self._topics, registry, admin.ensure)
        self.topic_writer = TopicWriter(kafka, self._topics, settings.name, registry)
        self.topic_scans = TopicScans(kafka, self._topics, self.news.cluster, self.news.derived)
        self._group = Group(kafka, self._topics, settings.session_timeout_ms, self._given, self._taken, self._lost)
        self._new: dict[PartitionId, float] = {}
        """Assigned, not looked at yet; not before that time."""
        self._doubts: dict[PartitionId, _Doubt] = {}
        self._held_off: dict[PartitionId, float] = {}
        """Logs whose streams could not be written: not read before that time, so that others go on."""
        self.refused: dict[PartitionId, str] = {}
        """Of those, why."""
        self._asked_ms: dict[PartitionId, float] = {}
        self._origins: dict[str, tuple[str, str]] = {}
        self._alarmed: set[PartitionId] = set()
        self._changes = -1
        self._commit_ms = self._topics_due_ms = 0.0

    def run(self) -> None:
        """Until `stopping`."""
        while not self.stopping:
            sent = self.sender.sent
            self.turn()
            self._gather(self.sender.sent - sent)
        self._commit(exact_ms())
        self._group.close()
        self.reader.close()
        self.sender.close()
        self.topic_writer.close()
        self.topic_scans.close()
        self.news.close()

    @property
    def messages(self) -> int:
        """Heard so far."""
        return self.news.messages + self.reader.records

    def _gather(self, sent: int) -> None:
        """What comes meanwhile travels together, at a fraction of the work. A change that comes alone went at once,
        and what comes in hundreds is together already. Answers of indexes are not kept waiting."""
        if 0 < sent < GATHERED_MOST and not (self.deliveries or self.paging):
            time.sleep(self._gather_s)

    def turn(self) -> None:
        """The docstring above."""
        self.turns += 1
        self.news.take(0 if self.brain.positions() else BUSY_POLL_S if self.deliveries or self.paging else POLL_S)
        if not self.news.is_loaded:
            return
        self._learn()
        self._group.poll()
        now_ms = exact_ms()
        self._look_at_new(now_ms)
        self._read(now_ms)
        self._write_indexes()
        if now_ms >= self._commit_ms:
            self._commit_ms = now_ms + self._commit_every_ms
            self._commit(now_ms)
        self._find_out(now_ms)
        self._tell_alarms()

    def _learn(self) -> None:
        if self._changes != self.news.derived.changes:
            self._changes = self.news.derived.changes
            self.brain.learned()
            self.deliveries.keep_only(self.news.derived.index_logs())
            self._group.subscribe(self.news.derived.live_tables())

    # -- the group ------------------------------------------------------------------------------------------------

    def _given(self, partitions: list[PartitionId]) -> None:
        logger().info("logs assigned", logs=[str(each) for each in partitions])
        self._new.update(dict.fromkeys(partitions, 0.0))

    def _taken(self, partitions: list[PartitionId]) -> None:
        logger().info("logs revoked", logs=[str(each) for each in partitions])
        self._write_topics({each: parcel for each, parcel in self.brain.parcels().items() if each in partitions})
        self._drop(partitions)
        self._group.commit(self.brain.revoked(partitions))

    def _lost(self, partitions: list[PartitionId]) -> None:
        logger().warning("logs lost", logs=[str(each) for each in partitions])
        self._drop(partitions)
        self.brain.lost(partitions)

    def _drop(self, partitions: list[PartitionId]) -> None:
        self.reader.let_go(*partitions)
        self.topic_writer.forget(partitions)
        for each in partitions:
            self._new.pop(each, None)
            self._doubts.pop(each, None)
            self._held_off.pop(each, None)
            self.refused.pop(each, None)
            self._alarmed.discard(each)

    def _look_at_new(self, now_ms: float) -> None:
        for partition in [each for each, due_ms in self._new.items() if now_ms >= due_ms]:
            try:
                found = self._look(partition)
            except (KafkaException, TopicError, UndecodableMessage) as error:
                logger().warning("log not taken over yet", log=str(partition), reason=str(error))
                self._new[partition] = exact_ms() + RETRY_MS
                # The others in the next turn: each such question may take seconds, in which nothing else is done.
                return
            del self._new[partition]
            self.brain.assigned(partition, found)

    def _look(self, partition: PartitionId) -> Found:
        topic = self._topics.log_name(partition.log)
        if topic not in self._origins:
            identity = self._admin.identity(topic)
            self._origins[topic] = (identity.cluster_id, identity.topic_id)
        low, _ = self.reader.extent(partition)
        checkpoint = self._group.committed([partition])[partition]
        return Found(Origin(*self._origins[topic], partition), low, checkpoint)

    # -- the work -------------------------------------------------------------------------------------------------

    def _read(self, now_ms: float) -> None:
        doubted = {each for each, doubt in self._doubts.items() if now_ms < doubt.again_ms}
        doubted |= {each for each, until_ms in self._held_off.items() if now_ms < until_ms}
        positions = self.brain.positions()
        self.reader.assign({each: place for each, place in positions.items() if each not in doubted})
        # Answers of indexes come by another consumer, and are not kept waiting.
        batch = self.reader.read(BUSY_POLL_S if self.deliveries or self.paging else POLL_S) if positions else {}
        for partition in batch:
            self._doubts.pop(partition, None)
        self._doubt(now_ms)
        self.brain.read(batch)
        if held := batch.keys() - self.brain.positions().keys():
            # The rest of what came of these was dropped: they are read on from their places, once they are not held.
            self.reader.let_go(*held)
        if self.sender.deliver(self.brain.outputs()):
            self.brain.confirm()
            self.refused = {each: why for each, why in self.refused.items() if now_ms < self._held_off.get(each, 0)}
        else:
            self.brain.fail()
            self.reader.let_go(*self.brain.logs)
            if self.sender.culprit is not None:
                self._refuse(self.sender.culprit, self.sender.reason, now_ms)

    def _refuse(self, culprit: PartitionId, why: str, now_ms: float, what: str = "stream") -> None:
        logger().error(f"a {what} cannot be written, tried again", log=str(culprit), reason=why)
        self._held_off[culprit] = now_ms + HELD_OFF_MS
        self.refused[culprit] = f"its {what} cannot be written: {why}"

    def _replied(self, reply: Reply, now_ms: float) -> None:
        self.deliveries.take(reply, now_ms)
        self.paging.take(reply, now_ms)
        self.clearing.take(reply)

    def _write_indexes(self) -> None:
        """Ask for rows, send what is due, and tell the brain what came and what was acknowledged."""
        now_ms = exact_ms()
        for wish, page in (*self.paging.take_pages(), *self.topic_scans.take()):
            self.brain.told_page(wish, page)
        self.news.send(self.paging.due(self.topic_scans.wish(self.brain.pages()), now_ms), now_ms)
        self.deliveries.add(self.brain.writes())
        for log, changes in self.brain.changes.items():
            self.deliveries.tallies.of(log).changes += changes
        self.brain.changes.clear()
        self.news.send((*self.deliveries.due(now_ms), *self.clearing.due(now_ms)), now_ms)
        for partition, numbers in self.deliveries.take_done().items():
            self.brain.acknowledged(partition, numbers)
        self.news.tell_progress(self.brain.logs, self.deliveries.over, now_ms)

    def _doubt(self, now_ms: float) -> None:
        """Logs that do not have the place where they are to be read on, and those of which Kafka does not tell."""
        for partition in self.reader.unanswered:
            self._held_off[partition] = now_ms + RETRY_MS
        self.reader.unanswered.clear()
        for partition in self.reader.out_of_range:
            self.reader.let_go(partition)
            doubt = self._doubts.get(partition)
            if doubt is None or now_ms - doubt.again_ms > LOST_MS:
                doubt = self._doubts[partition] = _Doubt(now_ms, now_ms)  # a log that was in order then, and rested
            doubt.again_ms = now_ms + RETRY_MS
            log = self.brain.logs.get(partition)
            if log is not None and now_ms - doubt.since_ms > LOST_MS:
                log.follower.lose(
                    f"the log does not have the place {log.follower.place.next_offset if log.follower.place else 0}, "
                    "or another history before it: records are lost, or pruned"
                )
        self.reader.out_of_range.clear()

    def _commit(self, now_ms: float) -> None:
        due = self.brain.due()
        if due and self._group.commit(due):
            self.brain.commit_done(due)
            self.commits += 1
        held_off = {each for each, until_ms in self._held_off.items() if now_ms < until_ms}
        parcels = {each: parcel for each, parcel in self.brain.parcels().items() if each not in held_off}
        if now_ms < self._topics_due_ms or self._write_topics(parcels):
            return
        self._topics_due_ms = now_ms + TOPICS_AGAIN_MS
        if self.topic_writer.culprit is not None:
            self._refuse(self.topic_writer.culprit, self.topic_writer.reason, now_ms, "table topic")

    def _write_topics(self, parcels: Mapping[PartitionId, Parcel]) -> bool:
        done = self.topic_writer.write(parcels, self._group)
        if done:
            self.brain.parcels_done(done)
            self.commits += 1
        return done is not None

    # -- what logs wait for ---------------------------------------------------------------------------------------

    def _find_out(self, now_ms: float) -> None:
        for partition, wish in self.brain.wishes():
            if now_ms - self._asked_ms.get(partition, float("-inf")) < WISH_MS:
                continue
            self._asked_ms[partition] = now_ms
            try:
                self._grant(partition, wish)
            except (KafkaException, UndecodableMessage) as error:
                logger().warning("not found out yet", log=str(partition), what=wish.value, reason=str(error))
                self._asked_ms[partition] = exact_ms() + RETRY_MS
                return

    def _grant(self, partition: PartitionId, wish: Wish) -> None:
        if wish is Wish.PLACE:
            self.news.ask_place(partition)
        elif wish is Wish.END:
            self.brain.told_end(partition, self.reader.extent(partition)[1])
        else:
            parent = parent_of(self.brain.logs[partition], partition)
            self.brain.told_parent(partition, self._group.committed([parent])[parent])

    # -- seen from outside ----------------------------------------------------------------------------------------

    def _tell_alarms(self) -> None:
        for partition, log in self.brain.logs.items():
            if log.follower.alarm is not None and partition not in self._alarmed:
                self._alarmed.add(partition)
                logger().error("log stopped", log=str(partition), reason=log.follower.alarm)
            if log.follower.note is not None:
                logger().error("recovered, with a gap", log=str(partition), reason=log.follower.note)
                log.follower.note = None

    def readiness(self) -> str | None:
        """Why it does not do its work, or None."""
        if not self.news.is_loaded:
            return "reading metadata"
        stopped = [log.follower.alarm for log in [*self.brain.logs.values()] if log.follower.stage is Stage.STOPPED]
        return stopped[0] if stopped else None
