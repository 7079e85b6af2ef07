"""Stands in for confluent_kafka.Producer: a queue of bounded length, and deliveries that fail on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError

Report = Callable[[KafkaError | None, object], None]


class FakeProducer:
    made: list[FakeProducer]
    room = 1000
    """Of each producer made from now on."""

    def __init__(self, properties: dict[str, Any]) -> None:
        self.properties = properties
        self.undelivered: Report = properties["on_delivery"]
        self.erred: Callable[[KafkaError], None] = properties["error_cb"]
        self.queued: list[tuple[str, bytes | None, str | None]] = []
        self.reports: list[Report | None] = []
        self.refusals: dict[int, int] = {}
        """Error codes for messages of the next batch, by their position."""
        self.due: list[KafkaError | None] = []
        """What the reports of the queued messages will say, in order, at the next poll."""
        self.purged = self.polls = 0
        self.made.append(self)

    def __len__(self) -> int:
        return len(self.queued)

    def produce_batch(self, topic: str, messages: list[dict[str, Any]], partition: int) -> int:
        count = 0
        for position, message in enumerate(messages):
            code = self.refusals.get(position)
            if code is None and len(self.queued) >= self.room:
                code = KafkaError._QUEUE_FULL
            if code is None:
                self._queue(topic, message["value"], None, None)
                count += 1
            else:
                message["_error"] = KafkaError(code)
        self.refusals = {}
        return count

    def produce(self, topic: str, value: bytes | None, key: str | None, partition: int, on_delivery: Report) -> None:
        if len(self.queued) >= self.room:
            raise BufferError("Local: Queue full")
        self._queue(topic, value, key, on_delivery)

    def _queue(self, topic: str, value: bytes | None, key: str | None, report: Report | None) -> None:
        self.queued.append((topic, value, key))
        self.reports.append(report)

    def poll(self, _timeout: float) -> None:
        self.polls += 1
        reports = self.reports[: len(self.due)]
        for report, error in zip(reports, self.due, strict=True):
            if error is not None or not self.properties["delivery.report.only.error"]:
                (report or self.undelivered)(error, None)
        del self.queued[: len(reports)], self.reports[: len(reports)]
        self.due = []

    def purge(self, blocking: bool = True) -> None:
        assert not blocking, "the caller's loop does not wait for a producer's threads"
        self.purged += 1
        self.due = [KafkaError(KafkaError._PURGE_QUEUE)] * len(self.queued)

    def flush(self, _timeout: float) -> None: ...
