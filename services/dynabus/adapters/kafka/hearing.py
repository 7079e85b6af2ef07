"""A cluster's metadata and heartbeats, and the replies to who asks leaders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, Message, TopicPartition

from dynabus.adapters.codec import UndecodableMessage, decode
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.positions import read_on
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.topics import Topics

DRAIN_MOST = 1000
ONLY_PARTITION = 0

Learn = Callable[[str, str, Any], None]
"""Is told of each message: its key, its kind, what it says. Of metadata that are gone: the key, no kind, None."""


class Hearing:
    """`slot`: whose replies are heard too. Used from one thread."""

    def __init__(self, kafka: KafkaSettings, topics: Topics, learn: Learn, slot: str | None = None) -> None:
        self._metadata, self._learn = topics.metadata().name, learn
        self.is_loaded = False
        """All metadata of before are known."""
        self.messages = 0
        self._consumer = Consumer(kafka.loop_consumer(partition_eof=True), logger=kafka_logger())
        names = [topics.heartbeats().name, *([topics.replies(slot).name] if slot is not None else [])]
        self._consumer.assign(
            [
                TopicPartition(self._metadata, ONLY_PARTITION, OFFSET_BEGINNING),
                *(TopicPartition(name, ONLY_PARTITION, OFFSET_END) for name in names),
            ]
        )

    def take(self, timeout_s: float) -> None:
        """All that is there; waits for something so long at most."""
        for message in arrived(self._consumer, DRAIN_MOST, timeout_s):
            if (error := message.error()) is not None:
                self._note(message, error)
                continue
            self.messages += 1
            try:
                self._take(message)
            except UndecodableMessage as fault:
                logger().warning("message skipped", topic=message.topic(), offset=message.offset(), reason=str(fault))

    def _take(self, message: Message) -> None:
        key, value = message.key(), message.value()
        name = key.decode("utf-8", "replace") if isinstance(key, bytes) else ""
        if value is None:
            self._learn(name, "", None)
        else:
            self._learn(name, *decode(value))

    def _note(self, message: Message, error: KafkaError) -> None:
        is_metadata = message.topic() == self._metadata
        if error.code() == KafkaError._PARTITION_EOF:
            self.is_loaded = self.is_loaded or is_metadata
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            # Of heartbeats and replies that expired under a long pause only what comes now counts.
            read_on(self._consumer, message, OFFSET_BEGINNING if is_metadata else OFFSET_END)

    def close(self) -> None:
        self._consumer.close()
