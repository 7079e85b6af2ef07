"""Appends keep their order, whatever the queue does (I4)."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError
from tests.unit.adapters.kafka.fake_producer import FakeProducer

from dynabus.adapters.kafka import log_producer
from dynabus.adapters.kafka.log_producer import LogProducer


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> LogProducer:
    monkeypatch.setattr(FakeProducer, "made", [], raising=False)
    monkeypatch.setattr(log_producer, "Producer", FakeProducer)
    return LogProducer({})


def queued() -> list[bytes | None]:
    return [value for _, value, _ in FakeProducer.made[-1].queued]


def test_records_are_appended_in_order(producer: LogProducer) -> None:
    producer.append("log", 3, [b"1", b"2"])
    producer.append("log", 3, [b"3"])
    assert queued() == [b"1", b"2", b"3"]
    assert producer.failed is None


def test_a_full_queue_is_waited_for(producer: LogProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeProducer.made[0]
    fake.room = 2
    sent: list[bytes | None] = []

    def deliver(_timeout: float) -> None:
        sent.append(fake.queued.pop(0)[1])

    monkeypatch.setattr(fake, "poll", deliver)
    producer.append("log", 0, [b"1", b"2", b"3", b"4", b"5"])
    assert sent + queued() == [b"1", b"2", b"3", b"4", b"5"]
    assert producer.failed is None


def test_a_queue_that_does_not_move_is_a_failure(producer: LogProducer) -> None:
    FakeProducer.made[0].room = 0
    producer.append("log", 0, [b"1"])
    assert producer.failed == "its queue is full and does not move"


def test_a_refused_record_is_a_failure(producer: LogProducer) -> None:
    FakeProducer.made[0].refusals = {1: KafkaError.MSG_SIZE_TOO_LARGE}
    producer.append("log", 0, [b"1", b"2"])
    assert producer.failed is not None
    producer.append("log", 0, [b"3"])
    assert queued() == [b"1"], "nothing is appended until the producer is replaced"


def test_a_record_that_overtook_another_is_a_failure(producer: LogProducer) -> None:
    FakeProducer.made[0].refusals = {0: KafkaError._QUEUE_FULL}
    producer.append("log", 0, [b"1", b"2"])
    why = producer.failed
    assert why == "a later record overtook a refused one"
    producer.replace()
    assert producer.failed is None
    producer.append("log", 0, [b"1", b"2"])
    assert queued() == [b"1", b"2"]


def test_a_replaced_producer_does_not_condemn_its_successor(producer: LogProducer) -> None:
    producer.append("log", 0, [b"1"])
    first = FakeProducer.made[0]
    first.due = [KafkaError(KafkaError._MSG_TIMED_OUT)]
    producer.serve()
    assert producer.failed is not None
    producer.replace()
    first.undelivered(KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert producer.failed is None
