"""Auto-admin's Kafka clients: one consumer, one producer for the admin log, one for everything else."""

from __future__ import annotations

from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    Message,
    TopicPartition,
)

from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.positions import read_on
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.auto_admin.outside import Delivered, Turn
from dynabus.core.ids import NodeName
from dynabus.core.messages import Heartbeat, Order, Reply
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.topics import Topics

DRAIN_MOST = 1000


FETCH_WAIT_MS = 250
"""How long an idle fetch is parked at the broker. All is assigned at the start, so that nothing waits for it."""


LOG_BEGIN = 0
"""Of the admin log. A number and no OFFSET_BEGINNING: a broker that does not know the new topic yet answers the
question for that with an error, which looks the same as the loss of records, and that counts for good (I9)."""


ONLY_PARTITION = 0
"""Of every topic here; named, because librdkafka's mock gives each topic four, and keys would choose among them."""


class Links:
    """`outside.Bus` over Kafka. Undecodable messages are counted, logged with topic and offset, and skipped."""

    def __init__(self, kafka: KafkaSettings, topics: Topics) -> None:
        self.undecodable = 0
        self._log = LogProducer(kafka.log_producer())
        self._topics = topics
        self._admin_log, self._metadata = topics.admin_log().name, topics.metadata().name
        consumer = {**kafka.loop_consumer(partition_eof=True), "fetch.wait.max.ms": FETCH_WAIT_MS}
        self._consumer = Consumer(consumer, logger=kafka_logger())
        self._bus = MessageProducer(kafka.request_producer(), reports=True)
        self._consumer.assign(
            [
                TopicPartition(self._admin_log, ONLY_PARTITION, LOG_BEGIN),
                TopicPartition(self._metadata, ONLY_PARTITION, OFFSET_BEGINNING),
                TopicPartition(topics.control().name, ONLY_PARTITION, OFFSET_END),
                TopicPartition(topics.heartbeats().name, ONLY_PARTITION, OFFSET_END),
            ]
        )

    def poll(self, timeout_s: float) -> Turn:
        """Wait for a message, then take all that are there."""
        turn = Turn()
        for message in arrived(self._consumer, DRAIN_MOST, timeout_s):
            error = message.error()
            if error is not None:
                self._failed(error, message, turn)
            elif message.topic() != self._admin_log:
                self._decode(message, turn.messages)
            else:
                turn.records.append(_record(message))
        return turn

    def _failed(self, error: KafkaError, message: Message, turn: Turn) -> None:
        ours = message.topic() == self._admin_log
        if error.code() == KafkaError._PARTITION_EOF:
            turn.end_offset = message.offset() if ours else turn.end_offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET and ours:
            turn.out_of_range = True
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            # Requests and heartbeats that were cleaned up meanwhile are of no use.
            read_on(self._consumer, message, OFFSET_BEGINNING if message.topic() == self._metadata else OFFSET_END)

    def _decode(self, message: Message, others: list[tuple[str, Any]]) -> None:
        value = message.value()
        if value is None:
            return  # a tombstone in metadata
        try:
            others.append(decode(value))
        except UndecodableMessage as error:
            self.undecodable += 1
            logger().warning("message skipped", topic=message.topic(), offset=message.offset(), reason=str(error))

    def append(self, value: bytes) -> None:
        """To the admin log."""
        self._log.append(self._admin_log, ONLY_PARTITION, [value])

    def reply(self, asker: str, reply: Reply) -> None:
        self._bus.send_one(f"{self._topics.namespace}.replies.{asker}", encode("reply", reply))

    def metadata(self, key: str, kind: str, message: Any | None, delivered: Delivered) -> None:
        """None: a tombstone, so that compaction forgets the key. `serve` calls `delivered`."""
        value = None if message is None else encode(kind, message)
        self._bus.send_one(self._topics.metadata().name, value, key, delivered)

    def tell(self, node: str, order: Order) -> None:
        """To a storage node."""
        self._bus.send_one(self._topics.requests(NodeName(node)).name, encode("order", order))

    def beat(self, heartbeat: Heartbeat) -> None:
        self._bus.send_one(self._topics.heartbeats().name, encode("heartbeat", heartbeat), heartbeat["node"])

    def want_heartbeats(self, asker: str) -> None:
        """Let every node name all its replicas."""
        self._bus.send_one(self._topics.heartbeats().name, encode("heartbeats_wanted", {"asker": asker}))

    def serve(self) -> str | None:
        """Once per turn: hear about deliveries. Why appends to the admin log failed, if they did."""
        self._log.serve()
        self._bus.serve()
        failed = self._log.failed
        if failed is not None:
            self._log.replace()
        return failed

    def close(self) -> None:
        """Send what is left, for a second at most."""
        self._bus.flush(1)
        self._consumer.close()


def _record(message: Message) -> Record:
    return decode_record(message.offset() or 0, message.leader_epoch() or 0, message.value())
