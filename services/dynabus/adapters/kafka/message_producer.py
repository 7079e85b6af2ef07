"""Everything that is sent besides replication logs: requests, replies, questions, heartbeats, metadata.

Each of these is sent again by somebody who waits for it, or comes again by itself, so a message that cannot be sent
is dropped and counted. A producer that cannot send is replaced: one that ran into a fatal error refuses everything
from then on, and one that believed a broker on its way out that there are no brokers never looks for one again
(librdkafka's issue 5301). While Kafka itself is away that happens every few seconds, and does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from dynabus.adapters.kafka.release import hear_out
from dynabus.adapters.kafka.settings import Properties
from dynabus.adapters.logs import kafka_logger, logger

UNSENT_S = 5.0
"""After a message could not be sent, this side counts as not sending for so long: others are asked meanwhile."""

Told = Callable[[bool], None]
"""Whether a message was delivered; called once, by `serve` or at once."""


class MessageProducer:
    """Not for replication logs (`LogProducer`). All topics have one topic partition. Used from one thread."""

    def __init__(self, properties: Properties, *, reports: bool = False) -> None:
        """`reports`: whether `send_one` may be given somebody who is told of success; it costs an event a message."""
        self._properties = properties
        self._reports_success = reports
        self.sent = self.dropped = self.replaced = 0
        self._stuck: str | None = None
        self._failed_s = -UNSENT_S
        self._producer = self._make()
        self._replaced: list[Producer] = []
        """Until they have said of each message that it was not delivered."""

    @property
    def sends(self) -> bool:
        """No message failed to be sent lately."""
        return time.monotonic() - self._failed_s > UNSENT_S

    def send(self, topic: str, values: list[bytes]) -> None:
        """Send messages that leave together.

        In one call: librdkafka sends what it finds when it wakes up, and it wakes up at the first message. Handed
        over one by one, that one left alone, and half of all produce requests were for a single message.
        """
        messages: list[dict[str, Any]] = [{"value": value} for value in values]
        try:
            queued = self._producer.produce_batch(topic, messages, 0)
        except (BufferError, KafkaException) as refusal:
            self._refused(topic, len(values), refusal)
            return
        self.sent += queued
        if queued < len(values):
            reason = next(message["_error"] for message in messages if "_error" in message)
            self._refused(topic, len(values) - queued, reason)

    def send_one(self, topic: str, value: bytes | None, key: str | None = None, told: Told | None = None) -> None:
        """Send one message. A value of None is a tombstone: compaction forgets the key."""
        assert told is None or self._reports_success
        report = self._failures if told is None else self._reports(told)
        try:
            self._producer.produce(topic, value, key, 0, on_delivery=report)
        except (BufferError, KafkaException) as refusal:
            self._refused(topic, 1, refusal)
            if told is not None:
                told(False)
        else:
            self.sent += 1

    def serve(self) -> None:
        """Hear about deliveries, and replace a producer that cannot send; call it now and then."""
        self._producer.poll(0)
        if self._replaced:
            hear_out(self._replaced)
        if self._stuck is not None:
            self._replace(self._stuck)

    def flush(self, timeout_s: float) -> None:
        """Send what is queued, before the process ends."""
        self._producer.flush(timeout_s)

    def _make(self) -> Producer:
        # What a replaced producer still reports must not condemn the one that followed it.
        token = self._token = object()

        def undelivered(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                self.dropped += 1
                if self._token is token:
                    self._cannot_send(error.str())

        def erred(error: KafkaError) -> None:
            if error.fatal() and self._token is token:
                self._cannot_send(error.str())

        self._failures = undelivered
        own: dict[str, Any] = {
            "delivery.report.only.error": not self._reports_success,
            "on_delivery": undelivered,
            "error_cb": erred,
            "logger": kafka_logger(),
        }
        return Producer({**self._properties, **own})

    def _reports(self, told: Told) -> Callable[[KafkaError | None, object], None]:
        failures = self._failures

        def report(error: KafkaError | None, message: object) -> None:
            failures(error, message)
            told(error is None)

        return report

    def _refused(self, topic: str, count: int, reason: Exception | KafkaError) -> None:
        self.dropped += count
        # Once for each power of two: while Kafka is away, each re-send comes here.
        if self.dropped & (self.dropped - 1) == 0 or self.dropped == count:
            logger().warning("not sent", topic=topic, reason=str(reason), dropped=self.dropped)

    def _cannot_send(self, why: str) -> None:
        self._stuck = why
        self._failed_s = time.monotonic()

    def _replace(self, why: str) -> None:
        stuck, self._producer = self._producer, self._make()
        self._stuck = None
        self.replaced += 1
        logger().warning("producer replaced: it could not send", reason=why, unsent=len(stuck))
        # Not waited for: its threads may hang, say in a look-up of the broker's name.
        stuck.purge(blocking=False)
        self._replaced.append(stuck)
