"""Messages that have arrived are taken together, and nobody waits for more of them."""

from __future__ import annotations

import time
from typing import Any, cast

from confluent_kafka import Consumer, Producer, TopicPartition

from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.mock import MockCluster


class Fake:
    def __init__(self, messages: list[Any]) -> None:
        self.messages, self.calls = messages, list[tuple[str, Any, float]]()

    def poll(self, timeout: float) -> Any:
        self.calls.append(("poll", 1, timeout))
        return self.messages.pop(0) if self.messages else None

    def consume(self, most: int, timeout: float) -> list[Any]:
        self.calls.append(("consume", most, timeout))
        taken, self.messages = self.messages[:most], self.messages[most:]
        return taken


def taken(fake: Fake, most: int) -> list[Any]:
    found: list[Any] = arrived(cast("Consumer", fake), most, 0.5)
    return found


def test_only_the_first_message_is_waited_for() -> None:
    fake = Fake(["a", "b", "c"])
    assert taken(fake, 3) == ["a", "b", "c"]
    assert fake.calls == [("poll", 1, 0.5), ("consume", 2, 0)]
    assert taken(fake, 3) == []
    assert fake.calls[2:] == [("poll", 1, 0.5)]


def test_no_more_than_asked_for_is_taken() -> None:
    fake = Fake(["a", "b", "c"])
    assert [taken(fake, most) for most in (1, 2)] == [["a"], ["b", "c"]]
    assert ("consume", 0, 0) not in fake.calls


def test_it_is_back_long_before_its_time_out() -> None:
    """`consume` with one, of librdkafka, waits for it to be over unless all messages have come."""
    cluster = MockCluster()
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    producer.produce("topic", b"one", partition=0)
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "arrivals"})
    consumer.assign([TopicPartition("topic", 0, 0)])
    try:
        began = time.monotonic()
        assert [message.value() for message in arrived(consumer, 500, 60.0)] == [b"one"]
        assert time.monotonic() - began < 60.0
    finally:
        consumer.close()
