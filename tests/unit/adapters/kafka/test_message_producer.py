"""Sending together, what is told to whom, and a producer that cannot send."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError
from tests.unit.adapters.kafka.fake_producer import FakeProducer

from dynabus.adapters.kafka import message_producer, release
from dynabus.adapters.kafka.message_producer import MessageProducer

TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProducer, "made", [], raising=False)
    monkeypatch.setattr(message_producer, "Producer", FakeProducer)


def test_messages_are_queued_in_order() -> None:
    producer = MessageProducer({})
    producer.send("a", [b"1", b"2"])
    producer.send_one("b", None, "key")
    assert FakeProducer.made[0].queued == [("a", b"1", None), ("a", b"2", None), ("b", None, "key")]
    assert (producer.sent, producer.dropped) == (3, 0)


def test_what_a_full_queue_refuses_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProducer, "room", 2)
    producer = MessageProducer({}, reports=True)
    told: list[bool] = []
    producer.send("a", [b"1", b"2", b"3"])
    producer.send_one("a", b"4", told=told.append)
    assert (producer.sent, producer.dropped, told) == (2, 2, [False])
    assert producer.sends


def test_who_asked_is_told() -> None:
    producer = MessageProducer({}, reports=True)
    told: list[str] = []
    producer.send_one("a", b"1", told=lambda delivered: told.append(f"1 {delivered}"))
    producer.send_one("a", b"2", told=lambda delivered: told.append(f"2 {delivered}"))
    FakeProducer.made[0].due = [None, TIMED_OUT]
    producer.serve()
    assert told == ["1 True", "2 False"]


def test_nobody_can_be_told_of_success_that_is_not_reported() -> None:
    with pytest.raises(AssertionError):
        MessageProducer({}).send_one("a", b"1", told=lambda _: None)


def test_a_producer_that_cannot_send_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = MessageProducer({})
    producer.send("a", [b"1", b"2"])
    FakeProducer.made[0].due = [TIMED_OUT]
    producer.serve()
    assert FakeProducer.made[0].purged
    assert not producer.sends
    assert (producer.dropped, producer.replaced, len(FakeProducer.made)) == (1, 1, 2)
    producer.send("a", [b"3"])
    producer.serve()
    # The second message was purged. That report is the old producer's: the new one stays.
    assert (producer.dropped, len(FakeProducer.made[0])) == (2, 0)
    assert FakeProducer.made[1].queued == [("a", b"3", None)]
    assert producer.replaced == 1
    monkeypatch.setattr(message_producer, "UNSENT_S", 0.0)
    assert producer.sends


def test_a_producer_with_a_fatal_error_is_replaced_and_who_waits_is_told() -> None:
    producer = MessageProducer({}, reports=True)
    told: list[bool] = []
    producer.send_one("a", b"1", told=told.append)
    FakeProducer.made[0].erred(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    producer.serve()
    assert producer.replaced == 0
    FakeProducer.made[0].erred(KafkaError(KafkaError._FATAL, fatal=True))
    producer.serve()
    assert (told, producer.replaced) == ([], 1)
    producer.serve()
    assert told == [False]


def test_a_replaced_producer_is_kept_until_it_has_reported_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go: list[object] = []
    monkeypatch.setattr(release, "let_go", lambda held: let_go.extend(held))
    producer = MessageProducer({}, reports=True)
    told: list[bool] = []
    for _ in range(2):
        producer.send_one("a", b"1", told=told.append)
    first = FakeProducer.made[0]
    monkeypatch.setattr(first, "purge", lambda blocking: None)
    first.erred(KafkaError(KafkaError._FATAL, fatal=True))
    producer.serve()
    producer.serve()
    assert (told, let_go) == ([], [])
    first.due = [TIMED_OUT]
    producer.serve()
    assert (told, let_go) == ([False], [])
    first.due = [TIMED_OUT]
    producer.serve()
    assert (told, let_go) == ([False, False], [first])
    polls = first.polls
    producer.serve()
    assert first.polls == polls


def test_a_replaced_producer_does_not_condemn_its_successor() -> None:
    producer = MessageProducer({})
    FakeProducer.made[0].erred(KafkaError(KafkaError._FATAL, fatal=True))
    producer.serve()
    FakeProducer.made[0].undelivered(TIMED_OUT, None)
    FakeProducer.made[0].erred(KafkaError(KafkaError._FATAL, fatal=True))
    producer.serve()
    assert (producer.dropped, producer.replaced) == (1, 1)
