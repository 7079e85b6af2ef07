"""The router's Kafka clients: what is sent, and what happens to one that does nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError
from tests.integration.cluster import wait_until

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.topics import Topics
from dynabus.request_router import bus
from dynabus.request_router.bus import Bus


class FakeProducer:
    made: list[FakeProducer]

    def __init__(self, properties: dict[str, Any]) -> None:
        self.undelivered: Callable[[KafkaError | None, object], None] = properties["on_delivery"]
        self.sent: list[tuple[str, bytes]] = []
        self.fails = False
        self.purged = False
        self.made.append(self)

    def __len__(self) -> int:
        return len(self.sent)

    def produce(self, topic: str, value: bytes, partition: int) -> None:
        assert partition == 0
        self.sent.append((topic, value))

    def poll(self, _timeout: float) -> None:
        if self.fails:
            self.undelivered(KafkaError(KafkaError._MSG_TIMED_OUT), None)

    def purge(self, blocking: bool = True) -> None:
        assert not blocking
        self.purged = True

    def flush(self, _timeout: float) -> None: ...


class FakeConsumer:
    made: list[FakeConsumer]

    def __init__(self, _properties: dict[str, Any], logger: object = None) -> None:
        self.assigned: list[tuple[str, int]] = []
        self.closed = False
        self.made.append(self)

    def assign(self, places: list[Any]) -> None:
        self.assigned = [(place.topic, place.offset) for place in places]

    def poll(self, timeout: float) -> None:
        threading.Event().wait(min(timeout, 0.001))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    monkeypatch.setattr(FakeProducer, "made", [], raising=False)
    monkeypatch.setattr(FakeConsumer, "made", [], raising=False)
    monkeypatch.setattr(bus, "Producer", FakeProducer)
    monkeypatch.setattr(bus, "Consumer", FakeConsumer)
    found = Bus(KafkaSettings("127.0.0.1:1"), Topics("ns"), "router-1", lambda _: None, lambda: None)
    yield found
    if found._thread.is_alive():
        found.close()


REQUEST = {"asker": "router-1", "incarnation": 1, "counter": 1, "budget_ms": 100, "parts": []}


def test_messages_leave_together(running: Bus) -> None:
    assert running.add("a", "request", REQUEST) == 1
    assert running.add("b", "request", REQUEST) == 2
    assert FakeProducer.made[0].sent == []
    running.send()
    assert [topic for topic, _ in FakeProducer.made[0].sent] == ["a", "b"]
    assert running.add("a", "request", REQUEST) == 1


def test_a_producer_that_cannot_send_is_replaced(running: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    running.poll()
    assert running.sends
    assert len(FakeProducer.made) == 1
    FakeProducer.made[0].fails = True
    running.poll()
    assert not running.sends
    assert running.replaced == 1
    assert FakeProducer.made[0].purged
    running.add("a", "request", REQUEST)
    running.send()
    running.poll()
    assert len(FakeProducer.made) == 2
    assert len(FakeProducer.made[1].sent) == 1
    monkeypatch.setattr(bus, "UNSENT_S", 0.0)
    assert running.sends


def test_a_consumer_that_hears_nothing_is_replaced(running: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "SILENT_S", 0.05)
    running.start()
    wait_until("two replacements", lambda: running.replaced >= 2)
    assert len({tuple(consumer.assigned) for consumer in FakeConsumer.made}) == 1
    running.close()
    assert FakeConsumer.made[-1].closed
