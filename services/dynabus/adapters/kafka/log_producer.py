"""Appends to replication logs: one producer per node, and what happens when it fails (I4).

Reports of success are not asked for: a record is accepted when it is read back (I3). After any error or timeout of a
delivery the fate of what was sent is unknown; the producer is purged and destroyed, and everything unresolved goes
out again through a new one, identical and in order. The first copy wins, later ones are void.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from dynabus.adapters.kafka.release import let_go
from dynabus.adapters.kafka.settings import LOG_TIMEOUT_MS, Properties
from dynabus.adapters.logs import kafka_logger

FULL_MOST_S = LOG_TIMEOUT_MS / 1000 + 0.5
"""A full queue either moves or times out within this; longer means that the producer hangs."""

FULL_POLL_S = 0.01

ACQUAINT_S = 2.0


class LogProducer:
    """Keeps the order of appends. `failed` says why until `replace`; until then appends are dropped, because
    whoever appended sends everything unresolved again."""

    def __init__(self, properties: Properties) -> None:
        self._properties = properties
        self.failed: str | None = None
        self._producer = self._make()

    def append(self, topic: str, partition: int, values: list[bytes]) -> None:
        """Append in this order; waits while the bounded queue is full.

        All in one call: one by one, the first would be on its way to Kafka, alone, before the second is there.
        """
        left: list[dict[str, Any]] = [{"value": value} for value in values]
        waited_s = 0.0
        while left and self.failed is None:
            left = self._queue(topic, partition, left)
            if left and self.failed is None:
                self._producer.poll(FULL_POLL_S)
                waited_s += FULL_POLL_S
                if waited_s > FULL_MOST_S:
                    self._fail("its queue is full and does not move")

    def _queue(self, topic: str, partition: int, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that found the queue full; from the first of them on all must be such, or the order is lost."""
        try:
            if self._producer.produce_batch(topic, messages, partition) == len(messages):
                return []
        except BufferError:
            return messages
        except KafkaException as refusal:
            self._fail(refusal.args[0].str())
            return messages
        errors = [message.pop("_error", None) for message in messages]
        first = next(i for i, error in enumerate(errors) if error is not None)
        for error in errors[first:]:
            if error is None or error.code() != KafkaError._QUEUE_FULL:
                self._fail("a later record overtook a refused one" if error is None else error.str())
                break
        return messages[first:]

    def acquaint(self, topic: str) -> None:
        """Look at a topic that has grown; blocks, for another thread. A partition that the producer does not know is
        an error to it, after which it is replaced: a good third of a second for all partitions of the node."""
        with suppress(KafkaException):
            self._producer.list_topics(topic, timeout=ACQUAINT_S)

    def serve(self) -> None:
        """Hear about failed deliveries; call once per turn, after all appends."""
        self._producer.poll(0)

    def replace(self) -> None:
        """A new producer; what the old one still held is dropped, without waiting for its threads.

        A record of the old one that reaches the log all the same is a copy, and void (I4).
        """
        old = self._producer
        old.purge(blocking=False)
        self._producer = self._make()
        self.failed = None
        held = [old]
        del old
        let_go(held)

    def __len__(self) -> int:
        """Records sent whose fate is unknown to the producer."""
        return len(self._producer)

    def _make(self) -> Producer:
        # The callbacks of a replaced producer must not condemn the one that followed it.
        token = self._token = object()

        def delivered(error: KafkaError | None, _message: object) -> None:
            if error is not None and self._token is token:
                self._fail(error.str())

        def erred(error: KafkaError) -> None:
            if error.fatal() and self._token is token:
                self._fail(error.str())

        own: dict[str, Any] = {
            "delivery.report.only.error": True,
            "on_delivery": delivered,
            "error_cb": erred,
            "logger": kafka_logger(),
        }
        return Producer({**self._properties, **own})

    def _fail(self, why: str) -> None:
        if self.failed is None:
            self.failed = why
