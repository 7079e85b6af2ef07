"""What auto-admin does to Kafka besides sending: topics and genesis records. In a thread of its own, because it
takes tens of milliseconds, or hangs while Kafka is away, and the loop's heartbeats may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from dynabus.adapters.checkpoint_codec import decode_checkpoint
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.logs import kafka_logger
from dynabus.adapters.worker import Worker
from dynabus.auto_admin.outside import Checkpoints, Pruned, PruneWish, Stated, StepFailed
from dynabus.auto_admin.pruning.log_pruner import LogPruner
from dynabus.auto_admin.recovery.decisions import recovered_of, recovering
from dynabus.auto_admin.splitting.splits import highest
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.auto_admin.tables.ingest import ON
from dynabus.core.ids import LogId, NodeName, Writer
from dynabus.core.messages import PartitionMetadata
from dynabus.core.replication.records import CHAIN_START, Envelope, Form, Genesis, Kind, encode_record
from dynabus.core.replication.standstill import encode_fence
from dynabus.core.streams.view import DISABLED
from dynabus.core.tables.table_topics import is_written
from dynabus.core.topic_settings import STREAM_RETENTION_MS
from dynabus.core.topics import Topic, Topics

CALL_S = 5.0
"""For one question or one flush; Kafka answers in milliseconds, and a step that failed is tried again."""


class Executor:
    """One thread, one step at a time. Every step may be done twice, by this process and by its successor."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        me: Writer,
        admin: TopicAdmin,
        pruner: LogPruner,
        stream_retention_ms: int = STREAM_RETENTION_MS,
    ) -> None:
        self._stream_retention_ms = stream_retention_ms
        self._kafka, self._topics, self._me, self._admin, self._pruner = kafka, topics, me, admin, pruner
        self._worker = Worker("executor")
        # Of its own: a new table does not wait until hundreds of logs were looked at.
        self._pruning = Worker("pruning")

    def build(self, state: TableState) -> Future[None]:
        """Create the table's topic, wait for its leaders, write a genesis record into each empty log."""
        return self._worker.submit(partial(self._build, state))

    def grow(self, state: TableState) -> Future[None]:
        """Topic partitions for the children of a split; their logs begin with what the sealed parent leaves."""
        return self._worker.submit(partial(self._grow, state))

    def renew(self, state: TableState) -> Future[None]:
        """Fence the logs of partitions that are recovered, then begin those of their successors."""
        return self._worker.submit(partial(self._renew, state))

    def destroy(self, state: TableState) -> Future[None]:
        """Delete the topics of the table, its logs and its commands; those of its streams stay for some time."""
        return self._worker.submit(partial(self._destroy, state))

    def stream(self, state: TableState) -> Future[None]:
        """Make the topics of the table, its commands and its streams, with a topic partition for each number of its
        logs."""
        return self._worker.submit(partial(self._stream, state))

    def drop_streams(self, name: str, labels: Sequence[str]) -> Future[None]:
        """Delete the topics of streams of the table of this name."""
        return self._worker.submit(partial(self._drop_streams, name, labels))

    def drop_table_topic(self, name: str) -> Future[None]:
        """Delete the compacted topic of the table of this name."""
        return self._worker.submit(partial(self._delete, [self._topics.table_name(name)]))

    def checkpoints(self, logs: Sequence[tuple[str, int]]) -> Future[Checkpoints]:
        """What the propagators' group has committed of these logs, by table id and number."""
        return self._worker.submit(partial(self._checkpoints, logs))

    def propagators(self) -> Future[int]:
        """How many log propagators run, as far as their group tells."""
        return self._worker.submit(self._propagators)

    def prune(self, wishes: list[PruneWish]) -> Future[list[Pruned]]:
        """Delete what nobody needs of these logs."""
        return self._pruning.submit(partial(self._pruner.prune, wishes))

    def _build(self, state: TableState) -> None:
        topic = self._topics.log(LogId(state.id), len(state.partitions))
        # Tables are seldom made: clients that live as long as one step cost nothing in between, and none is broken.
        reader = Consumer(self._kafka.log_reader(), logger=kafka_logger())
        try:
            self._admin.ensure([topic, *self._stream_topics(state)])
            self._begin_logs(topic.name, state, reader)
        except (KafkaException, TopicError, UnsafeKafka, BufferError) as error:
            raise StepFailed(str(error)) from error
        finally:
            reader.close()

    def _begin_logs(self, topic: str, state: TableState, reader: Consumer) -> None:
        empty = [each for each in state.metadata_partitions() if _is_empty(reader, topic, each["number"])]
        if not empty:
            return
        # Not idempotent: that costs a new producer half a second, and of two genesis records the first counts.
        properties = {**self._kafka.log_producer(), "enable.idempotence": False}
        producer = Producer(properties, logger=kafka_logger())
        for partition in empty:
            producer.produce(topic, genesis_of(self._me, partition), None, partition["number"])
        # Records that time out leave the queue too, so that only the logs can tell.
        if producer.flush(CALL_S) or any(_is_empty(reader, topic, each["number"]) for each in empty):
            raise StepFailed(f"genesis records of {topic} are not delivered")

    def _grow(self, state: TableState) -> None:
        try:
            # Shards first: whoever reads the child's log has somewhere to write then.
            for topic in self._stream_topics(state):
                self._admin.create_partitions(topic.name, topic.partitions)
            self._admin.create_partitions(self._topics.log_name(LogId(state.id)), highest(state) + 1)
        except (KafkaException, TopicError) as error:
            raise StepFailed(str(error)) from error

    def _renew(self, state: TableState) -> None:
        topic = self._topics.log_name(LogId(state.id))
        reader = Consumer(self._kafka.log_reader(), logger=kafka_logger())
        try:
            for successor in recovering(state):
                recovered, _ = recovered_of(successor)
                # First of all: a leader of before that hears nobody reads its log all the same.
                fence = encode_fence(recovered.generation, self._me, AvroBodies())
                self._append(topic, recovered.partition, fence, reader)
                if _is_empty(reader, topic, successor["number"]):
                    self._append(topic, successor["number"], recovery_genesis(self._me, successor), reader)
        except (KafkaException, BufferError) as error:
            raise StepFailed(str(error)) from error
        finally:
            reader.close()

    def _append(self, topic: str, number: int, value: bytes, reader: Consumer) -> None:
        """One record, and only the log itself can tell that it is there."""
        before = _end(reader, topic, number)
        producer = Producer({**self._kafka.log_producer(), "enable.idempotence": False}, logger=kafka_logger())
        producer.produce(topic, value, None, number)
        if producer.flush(CALL_S) or _end(reader, topic, number) <= before:
            raise StepFailed(f"a record for {topic}/{number} is not delivered")

    def _destroy(self, state: TableState) -> None:
        own = [self._topics.ingest(state.name), self._topics.outcomes(state.name)] if state.ingest else []
        table = [self._topics.table_name(state.name)] if state.table_topic else []
        self._delete([self._topics.log_name(LogId(state.id)), *(each.name for each in own), *table])

    def _stream(self, state: TableState) -> None:
        try:
            topics = self._stream_topics(state)
            self._admin.ensure([*topics, *self._ingest_topics(state), *self._table_topics(state)])
            for topic in topics:
                self._admin.create_partitions(topic.name, topic.partitions)
        except (KafkaException, TopicError, UnsafeKafka) as error:
            raise StepFailed(str(error)) from error

    def _stream_topics(self, state: TableState) -> list[Topic]:
        return [
            self._topics.stream(state.name, each["label"], highest(state) + 1, self._stream_retention_ms)
            for each in state.streams
            if each["status"] != DISABLED
        ]

    def _table_topics(self, state: TableState) -> list[Topic]:
        topic = state.table_topic
        return [self._topics.table(state.name, topic["partitions"])] if is_written(topic) else []

    def _ingest_topics(self, state: TableState) -> list[Topic]:
        """With those that all tables share, which nobody needs before one takes commands."""
        if state.ingest != ON:
            return []
        own = [self._topics.ingest(state.name), self._topics.outcomes(state.name)]
        return [*own, self._topics.common_ingest(), self._topics.dead_letters()]

    def _drop_streams(self, name: str, labels: Sequence[str]) -> None:
        self._delete([self._topics.stream_name(name, label) for label in labels])

    def _delete(self, names: Sequence[str]) -> None:
        try:
            self._admin.delete(names)
        except (KafkaException, TopicError) as error:
            raise StepFailed(str(error)) from error

    def _checkpoints(self, logs: Sequence[tuple[str, int]]) -> Checkpoints:
        asked = {(self._topics.log_name(LogId(log)), number): (log, number) for log, number in logs}
        try:
            committed = self._admin.group_metadata(self._topics.propagators, asked)
            read = {asked[where]: decode_checkpoint(metadata) for where, metadata in committed.items()}
        except (KafkaException, TopicError, UndecodableMessage) as error:
            raise StepFailed(str(error)) from error
        return {
            where: Stated(each.version, frozenset(each.open), frozenset(label for label, _ in each.fills))
            for where, each in read.items()
        }

    def _propagators(self) -> int:
        try:
            return self._admin.group_members(self._topics.propagators)
        except (KafkaException, TopicError) as error:
            raise StepFailed(str(error)) from error


def _is_empty(reader: Consumer, topic: str, partition: int) -> bool:
    return _end(reader, topic, partition) == 0


def _end(reader: Consumer, topic: str, partition: int) -> int:
    return extent_of(reader, topic, partition, CALL_S)[1]


def genesis_of(me: Writer, partition: PartitionMetadata) -> bytes:
    """The first record of a new partition's log."""
    members = tuple(NodeName(name) for name in partition["members"])
    return _genesis(
        me, Genesis(Form.NEW, partition["lower"], partition["upper"], members, 0), partition["generation"]
    )


def recovery_genesis(me: Writer, successor: Mapping[str, Any]) -> bytes:
    """The first record of a successor's log: term, chain and log time of the replica that it goes on from."""
    recovered, log_time_ms = recovered_of(successor)
    upper = None if successor["upper"] is None else bytes.fromhex(successor["upper"])
    members, lower = tuple(NodeName(name) for name in successor["members"]), bytes.fromhex(successor["lower"])
    body = Genesis(Form.RECOVERY, lower, upper, members, recovered.term, recovered)
    number, encoded = AvroBodies().encode(Kind.GENESIS, body)
    generation = successor["generation"]
    envelope = Envelope(generation, recovered.term, 0, recovered.chain, log_time_ms, me, 0, Kind.GENESIS)
    return encode_record(envelope, number, encoded)


def admin_genesis(me: Writer) -> bytes:
    """The first record of the admin log, which has no members: any auto-admin may lead it."""
    return _genesis(me, Genesis(Form.NEW, b"", None, (), 0), 1)


def _genesis(me: Writer, body: Genesis, generation: int) -> bytes:
    number, encoded = AvroBodies().encode(Kind.GENESIS, body)
    return encode_record(Envelope(generation, 0, 0, CHAIN_START, 0, me, 0, Kind.GENESIS), number, encoded)
