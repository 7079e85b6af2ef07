"""Membership in ReplAdmin's group, and metadata: who is given the metadata topic is active, and reads it whole."""

from __future__ import annotations

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import read_on
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.global_tables.links import Links
from dynabus.core.global_tables.regions import Regions
from dynabus.core.topics import Topics

ONLY_PARTITION = 0
"""Of the metadata topic; librdkafka's mock gives it more, in which nothing is."""

DRAIN_MOST = 1000


class News:
    """`is_active`: this process is the one, and knows all metadata of before. `changes` counts what was read."""

    def __init__(self, kafka: KafkaSettings, topics: Topics, session_timeout_ms: int) -> None:
        self.regions, self.links = Regions(), Links()
        self.is_active = False
        self.messages = 0
        self._metadata = topics.metadata().name
        group = kafka.group_member(topics.repl_admins, session_timeout_ms)
        self._consumer = Consumer({**group, "enable.partition.eof": True}, logger=kafka_logger())
        self._consumer.subscribe(
            [self._metadata], on_assign=self._given, on_revoke=self._taken_away, on_lost=self._taken_away
        )

    def take(self, timeout_s: float) -> None:
        """All that is there; waits for something so long at most."""
        for message in arrived(self._consumer, DRAIN_MOST, timeout_s):
            if (error := message.error()) is None:
                self._take(message)
            elif error.code() == KafkaError._PARTITION_EOF and message.partition() == ONLY_PARTITION:
                self._become_active()
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                read_on(self._consumer, message, OFFSET_BEGINNING)

    def close(self) -> None:
        """Leave the group, so that a standby need not wait for the session's end."""
        self._consumer.close()

    def _become_active(self) -> None:
        if not self.is_active:
            self.is_active = True
            logger().info("active", region=self.regions.own)

    def _take(self, message: Message) -> None:
        self.messages += 1
        key, value = (message.key() or b"").decode(errors="replace"), message.value()
        try:
            kind, body = ("", None) if value is None else decode(value)
        except UndecodableMessage as fault:
            logger().warning("message skipped", topic=message.topic(), offset=message.offset(), reason=str(fault))
            return
        self.regions.take(kind, key, body)
        self.links.take(kind, key, body)

    def _given(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        # What went while this was a standby has no record any more.
        self.links.all.clear()
        consumer.incremental_assign([TopicPartition(each.topic, each.partition, OFFSET_BEGINNING) for each in given])

    def _taken_away(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        if any(each.partition == ONLY_PARTITION for each in taken):
            self.is_active = False
            logger().info("standby")
