"""Letters on their way to Kafka: outcomes, dead letters, batches for other regions and their acknowledgements. What
does not arrive is sent again, until it does or nobody can want it: its table is gone, and the topic with it.

In no order, and now and then twice, as after a process's death: each says by itself what it is about. All of it in
one thread; `serve` calls who waits for a delivery.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from dynabus.adapters.kafka.release import hear_out
from dynabus.adapters.kafka.settings import KafkaSettings, Properties
from dynabus.adapters.logs import kafka_logger, logger

AGAIN_MS = 500.0
"""After a failure."""

UNMADE_MS = 5_000.0
"""After a producer that could not be made: it reads files, and others wait meanwhile."""

ANYWHERE = -1
"""Kafka's own choice of a topic partition, by the key."""

HANDED_MOST = 5000
"""Again in one turn: the queue that was full may be so again."""


@dataclass(slots=True)
class Letter:
    """One record. `wanted`: whether it is still worth sending; `done`: Kafka has it, or nobody wants it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    wanted: Callable[[], bool]
    done: Callable[[], None]
    partition: int = ANYWHERE


class Outbox:
    """Counts `failed` deliveries; `reason`: why the last one did, unless one succeeded since."""

    def __init__(
        self, kafka: KafkaSettings, now_ms: Callable[[], float], properties: Properties | None = None
    ) -> None:
        self._properties, self._now_ms = properties or kafka.outcome_producer(), now_ms
        self._producer: Producer | None = None
        """Made for the first letter: most clusters have no commands."""
        self._replaced: list[Producer] = []
        self._is_stuck = False
        self._not_before_ms = float("-inf")
        """No producer could be made: none is tried before."""
        self._again: deque[tuple[float, Letter]] = deque()
        self._under_way = 0
        self.failed = 0
        self.reason = ""

    def send(self, letter: Letter) -> None:
        """Once, and again until it is there."""
        self._under_way += 1
        self._hand_over(letter)

    def _hand_over(self, letter: Letter) -> None:
        def report(error: KafkaError | None, _message: object) -> None:
            if error is None:
                self.reason = ""
                self._end(letter)
                return
            self._is_stuck = self._is_stuck or error.code() == KafkaError._MSG_TIMED_OUT
            self._postpone(letter, error.str())

        headers: Any = letter.headers
        if self._producer is None and self._now_ms() < self._not_before_ms:
            self._again.append((self._not_before_ms, letter))
            return
        try:
            # An idle producer is false: its length is that of its queue.
            producer = self._producer if self._producer is not None else self._made()
            producer.produce(
                letter.topic, letter.value, letter.key, letter.partition, headers=headers, on_delivery=report
            )
        except (BufferError, KafkaException) as refusal:
            self._postpone(letter, str(refusal))

    def serve(self) -> None:
        """Hear about deliveries, and send again what is due."""
        if self._producer is not None:
            self._producer.poll(0)
            if self._is_stuck:
                self._replace(self._producer)
        if self._replaced:
            hear_out(self._replaced)
        now_ms = self._now_ms()
        for _ in range(min(len(self._again), HANDED_MOST)):
            if self._again[0][0] > now_ms:
                break
            letter = self._again.popleft()[1]
            if letter.wanted():
                self._hand_over(letter)
            else:
                self._end(letter)

    def close(self, timeout_s: float) -> None:
        """Send what is queued; what is not sent by then comes again, since it is not committed."""
        if self._producer is not None:
            self._producer.flush(timeout_s)

    @property
    def problem(self) -> str | None:
        """Why letters do not arrive, from the first failure on until one arrives or none is under way."""
        return self.reason if self._under_way and self.reason else None

    def _end(self, letter: Letter) -> None:
        self._under_way -= 1
        letter.done()

    def _made(self) -> Producer:
        """Another region's settings may be none that work here."""
        try:
            self._producer = Producer(self._properties, logger=kafka_logger())
        except KafkaException:
            self._not_before_ms = self._now_ms() + UNMADE_MS
            raise
        return self._producer

    def _postpone(self, letter: Letter, why: str) -> None:
        self.failed += 1
        self.reason = why
        if self.failed & (self.failed - 1) == 0:
            logger().warning("not delivered, sent again", topic=letter.topic, reason=why, failed=self.failed)
        self._again.append((self._now_ms() + AGAIN_MS, letter))

    def _replace(self, stuck: Producer) -> None:
        """It may believe that there are no brokers, for good (librdkafka's issue 5301)."""
        self._producer, self._is_stuck = None, False
        stuck.purge(blocking=False)
        self._replaced.append(stuck)
