"""The router's Kafka clients: what is sent, and what happens to one that does nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError
from tests.integration.cluster import wait_until

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.topics import Topics
from dynabus.request_router import bus
from dynabus.request_router.bus import Bus


class FakeProducer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, list[bytes]]] = []
        self.replaced = 0

    def send(self, topic: str, values: list[bytes]) -> None:
        self.sent.append((topic, values))

    def flush(self, _timeout: float) -> None: ...


class FakeConsumer:
    made: list[FakeConsumer]

    def __init__(self, _properties: dict[str, Any], logger: object = None) -> None:
        self.assigned: list[tuple[str, int]] = []
        self.closed = False
        self.waiting: list[Any] = []
        self.read_on: list[tuple[str, int]] = []
        self.made.append(self)

    def assign(self, places: list[Any]) -> None:
        self.assigned = [(place.topic, place.offset) for place in places]

    def incremental_unassign(self, places: list[Any]) -> None:
        assert places[0].topic in dict(self.assigned)

    def incremental_assign(self, places: list[Any]) -> None:
        self.read_on += [(place.topic, place.offset) for place in places]

    def poll(self, timeout: float) -> Any:
        threading.Event().wait(min(timeout, 0.001))
        return self.waiting.pop(0) if self.waiting else None

    def consume(self, _count: int, timeout: float) -> list[Any]:
        return []

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    monkeypatch.setattr(FakeConsumer, "made", [], raising=False)
    monkeypatch.setattr(bus, "MessageProducer", lambda _properties: FakeProducer())
    monkeypatch.setattr(bus, "Consumer", FakeConsumer)
    found = Bus(KafkaSettings("127.0.0.1:1"), Topics("ns"), "router-1", lambda _: None, lambda: None)
    yield found
    if found._thread.is_alive():
        found.close()


REQUEST = {"asker": "router-1", "incarnation": 1, "counter": 1, "budget_ms": 100, "parts": []}


def test_messages_to_one_topic_leave_together(running: Bus) -> None:
    assert running.add("a", "request", REQUEST) == 1
    assert running.add("b", "request", REQUEST) == 2
    assert running.add("a", "request", REQUEST) == 3
    producer: Any = running.producer
    assert producer.sent == []
    running.send()
    assert [(topic, len(values)) for topic, values in producer.sent] == [("a", 2), ("b", 1)]
    assert running.add("a", "request", REQUEST) == 1


def test_a_consumer_that_hears_nothing_is_replaced(running: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "SILENT_S", 0.05)
    running.start()
    wait_until("two replacements", lambda: running.replaced >= 2)
    assert len({tuple(consumer.assigned) for consumer in FakeConsumer.made}) == 1
    running.close()
    assert FakeConsumer.made[-1].closed


class Reset:
    """What librdkafka delivers for a topic partition whose offset is not there."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def error(self) -> KafkaError:
        return KafkaError(KafkaError._AUTO_OFFSET_RESET)

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0


def test_what_expired_is_passed_over_and_metadata_is_read_anew(running: Bus) -> None:
    (consumer,) = FakeConsumer.made
    consumer.waiting += [Reset("ns.heartbeats"), Reset("ns.metadata")]
    running.start()
    wait_until("two topics are read on", lambda: len(consumer.read_on) == 2)
    assert consumer.read_on == [("ns.heartbeats", OFFSET_END), ("ns.metadata", OFFSET_BEGINNING)]
