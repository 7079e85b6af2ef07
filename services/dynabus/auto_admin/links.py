"""Auto-admin's Kafka clients: one consumer, one producer for the admin log, one for everything else."""

from __future__ import annotations

from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.topics import Topics

DRAIN_MOST = 1000


class Turn(NamedTuple):
    """What one poll brought: records of the admin log, other messages decoded, and where the log ends, if told."""

    records: list[Record]
    messages: list[tuple[str, Any]]
    end_offset: int | None
    out_of_range: bool


class Links:
    """Polls, sends. Undecodable messages are counted, logged with topic and offset, and skipped."""

    def __init__(self, kafka: KafkaSettings, topics: Topics) -> None:
        self.undecodable = 0
        self.log = LogProducer(kafka.log_producer(), list.clear)
        self._topics = topics
        self._admin_log = topics.admin_log().name
        self._consumer = Consumer(kafka.loop_consumer(partition_eof=True), logger=kafka_logger())
        self._bus = Producer(kafka.request_producer(), logger=kafka_logger())
        self._consumer.assign(
            [
                TopicPartition(self._admin_log, 0, OFFSET_BEGINNING),
                TopicPartition(topics.control().name, 0, OFFSET_END),
                TopicPartition(topics.heartbeats().name, 0, OFFSET_END),
            ]
        )

    def poll(self, timeout_s: float) -> Turn:
        """Wait for a message, then take all that are there."""
        first = self._consumer.poll(timeout_s)
        messages = [] if first is None else [first, *self._consumer.consume(DRAIN_MOST, timeout=0)]
        records: list[Record] = []
        others: list[tuple[str, Any]] = []
        end: int | None = None
        lost = False
        for message in messages:
            error, ours = message.error(), message.topic() == self._admin_log
            if error is None and ours:
                records.append(decode_record(message.offset() or 0, message.leader_epoch() or 0, message.value()))
            elif error is None:
                self._decode(message, others)
            elif error.code() == KafkaError._PARTITION_EOF and ours:
                end = message.offset()
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                lost = lost or ours
                if not ours:
                    self._consumer.seek(TopicPartition(message.topic() or "", 0, OFFSET_END))
        return Turn(records, others, end, lost)

    def _decode(self, message: Message, others: list[tuple[str, Any]]) -> None:
        try:
            others.append(decode(message.value()))
        except UndecodableMessage as error:
            self.undecodable += 1
            logger().warning("message skipped", topic=message.topic(), offset=message.offset(), reason=str(error))

    def append(self, value: bytes) -> None:
        """To the admin log."""
        self.log.append(self._admin_log, 0, value)

    def reply(self, asker: str, reply: dict[str, Any]) -> None:
        self._send(f"{self._topics.namespace}.replies.{asker}", encode("reply", reply))

    def metadata(self, key: str, kind: str, message: dict[str, Any] | None) -> None:
        """None: a tombstone, so that compaction forgets the key."""
        self._send(self._topics.metadata().name, None if message is None else encode(kind, message), key)

    def beat(self, heartbeat: dict[str, Any]) -> None:
        self._send(self._topics.heartbeats().name, encode("heartbeat", heartbeat), heartbeat["node"])

    def serve(self) -> None:
        """Once per turn: hear about failures."""
        self.log.serve()
        self._bus.poll(0)

    def close(self) -> None:
        self._bus.flush(1)
        self._consumer.close()

    def _send(self, topic: str, value: bytes | None, key: str | None = None) -> None:
        """What cannot be sent is dropped: routers ask again, heartbeats and metadata come again."""
        try:
            self._bus.produce(topic, value, key)
        except (BufferError, KafkaException) as error:
            logger().warning("not sent", topic=topic, reason=str(error))
