"""What auto-admin does to Kafka besides appending decisions: topics and genesis records. In a thread of its own,
because it takes tens of milliseconds, or hangs while Kafka is away, and the loop's heartbeats may not."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.logs import kafka_logger
from dynabus.auto_admin.decisions import TableState
from dynabus.core.ids import LogId, NodeName, Writer
from dynabus.core.replication.records import CHAIN_START, Envelope, Form, Genesis, Kind, encode_record
from dynabus.core.topics import Topics

CALL_S = 5.0


class StepFailed(Exception):
    """Kafka did not do it this time; the step is tried again."""


class Executor:
    """One thread, one step at a time."""

    def __init__(self, kafka: KafkaSettings, topics: Topics, me: Writer) -> None:
        self._topics, self._me = topics, me
        self._admin = TopicAdmin(kafka)
        self._producer = Producer(kafka.log_producer(), logger=kafka_logger())
        self._reader = Consumer(kafka.log_reader(), logger=kafka_logger())
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="executor")

    def build(self, state: TableState) -> Future[None]:
        """Create the table's topic, wait for its leaders, write a genesis record into each empty log."""
        return self._pool.submit(self._build, state)

    def destroy(self, state: TableState) -> Future[None]:
        """Delete the table's topic."""
        return self._pool.submit(self._destroy, state)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _build(self, state: TableState) -> None:
        topic = self._topics.log(LogId(state.id), len(state.partitions))
        try:
            self._admin.ensure([topic])
            for partition in state.partitions:
                found = self._reader.get_watermark_offsets(
                    TopicPartition(topic.name, partition["number"]), timeout=CALL_S
                )
                if found is None:
                    raise StepFailed(f"no answer about {topic.name}")
                if found[1] == 0:
                    self._producer.produce(topic.name, genesis(self._me, partition), None, partition["number"])
            if self._producer.flush(CALL_S):
                raise StepFailed(f"genesis records of {topic.name} are not delivered")
        except (KafkaException, TopicError, BufferError) as error:
            raise StepFailed(str(error)) from error

    def _destroy(self, state: TableState) -> None:
        try:
            self._admin.delete([self._topics.log_name(LogId(state.id))])
        except (KafkaException, TopicError) as error:
            raise StepFailed(str(error)) from error


def genesis(me: Writer, partition: dict[str, object] | None) -> bytes:
    """The first record of a log: a partition's, or (None) the admin log's, which has no members."""
    if partition is None:
        body, generation = Genesis(Form.NEW, b"", None, (), 0), 1
    else:
        upper, members = partition["upper"], partition["members"]
        assert isinstance(members, list)
        body = Genesis(
            Form.NEW,
            bytes.fromhex(str(partition["lower"])),
            None if upper is None else bytes.fromhex(str(upper)),
            tuple(NodeName(name) for name in members),
            0,
        )
        generation = int(str(partition["generation"]))
    number, encoded = AvroBodies().encode(Kind.GENESIS, body)
    return encode_record(Envelope(generation, 0, 0, CHAIN_START, 0, me, 0, Kind.GENESIS), number, encoded)
