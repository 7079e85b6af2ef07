"""The router's Kafka side: one producer, and one thread that consumes and hands over whole batches.

The thread polls once and drains what is there; the event loop is woken once per batch, not once per message.

A consumer that hears nothing, not even a heartbeat, for `SILENT_S` is replaced: librdkafka believes a broker on its
way out that there are no brokers, and never looks for one again (its issue 5301). While Kafka itself is away that
happens now and then, and does no harm: a new consumer reads metadata from the start and the rest from the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
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
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.positions import read_on
from dynabus.adapters.kafka.release import let_go
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.topics import Topics

DRAIN_MOST = 1000
"""Messages per batch: more would let HTTP wait."""

POLL_S = 0.15
"""Below 200 ms the client does not wake up in between by itself."""

SILENT_S = 10.0
"""Every storage node and auto-admin is heard every 1.5 s."""

Batch = list[tuple[str, Any]]


class Bus:
    """`deliver` is called in the consuming thread with decoded messages, `failed` when that thread ends by a defect;
    `loaded` is set at the end of metadata."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        name: str,
        deliver: Callable[[Batch], None],
        failed: Callable[[], None],
    ) -> None:
        self._kafka = kafka
        self._metadata = topics.metadata().name
        self._heartbeats, self._replies = topics.heartbeats().name, topics.replies(name).name
        self._deliver, self._failed = deliver, failed
        self._stop = threading.Event()
        self.loaded = threading.Event()
        self.undecodable = 0
        self._replaced = 0
        self.producer = MessageProducer(kafka.request_producer())
        self._consumer = self._make_consumer()
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)
        self._outgoing: dict[str, list[bytes]] = {}
        self._collected = 0

    def start(self) -> None:
        self._thread.start()

    @property
    def replaced(self) -> int:
        """Clients that did nothing."""
        return self._replaced + self.producer.replaced

    def _make_consumer(self) -> Consumer:
        consumer = Consumer(self._kafka.loop_consumer(partition_eof=True), logger=kafka_logger())
        consumer.assign(
            [
                TopicPartition(self._metadata, 0, OFFSET_BEGINNING),
                TopicPartition(self._heartbeats, 0, OFFSET_END),
                TopicPartition(self._replies, 0, OFFSET_END),
            ]
        )
        return consumer

    def add(self, topic: str, kind: str, message: Mapping[str, Any]) -> int:
        """Collect a message for `send`; how many are collected now."""
        value = encode(kind, message)
        self._outgoing.setdefault(topic, []).append(value)
        self._collected += 1
        return self._collected

    def send(self) -> None:
        """Hand over what was collected. A full queue drops it, and the re-send repeats it."""
        outgoing, self._outgoing, self._collected = self._outgoing, {}, 0
        for topic, values in outgoing.items():
            self.producer.send(topic, values)

    def want_heartbeats(self, asker: str) -> None:
        """Let every storage node name all its replicas."""
        self.producer.send(self._heartbeats, [encode("heartbeats_wanted", {"asker": asker})])

    def close(self) -> None:
        """Stop consuming and send what is queued."""
        self._stop.set()
        self._thread.join(2)
        self.producer.flush(1)
        self._consumer.close()

    def _run(self) -> None:
        try:
            self._consume()
        except Exception:
            # A router that no longer hears replies is of no use to anybody: it ends, and is seen to have ended.
            logger().exception("the bus thread failed")
            self._failed()

    def _consume(self) -> None:
        heard_s = time.monotonic()
        while not self._stop.is_set():
            messages = arrived(self._consumer, DRAIN_MOST, POLL_S)
            if not messages:
                if time.monotonic() - heard_s > SILENT_S:
                    self._replace_consumer()
                    heard_s = time.monotonic()
                continue
            heard_s = time.monotonic()
            batch: Batch = []
            for message in messages:
                self._take(message, batch)
            if batch:
                self._deliver(batch)

    def _replace_consumer(self) -> None:
        logger().warning("consumer replaced: it heard nothing", seconds=SILENT_S)
        stuck, self._consumer = self._consumer, self._make_consumer()
        self._replaced += 1
        let_go([stuck])
        del stuck

    def _take(self, message: Message, batch: Batch) -> None:
        error = message.error()
        if error is not None:
            self._note(message, error)
            return
        value = message.value()
        if value is None:
            return
        try:
            batch.append(decode(value))
        except UndecodableMessage as fault:
            self.undecodable += 1
            if self.undecodable & (self.undecodable - 1) == 0:
                logger().warning(
                    "undecodable message", topic=message.topic(), offset=message.offset(), reason=str(fault)
                )

    def _note(self, message: Message, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            if message.topic() == self._metadata:
                self.loaded.set()
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            # Old requests and heartbeats expired under a long pause: what counts is what comes now.
            read_on(self._consumer, message, OFFSET_BEGINNING if message.topic() == self._metadata else OFFSET_END)
        elif error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            logger().warning("kafka", topic=message.topic(), reason=error.str())
