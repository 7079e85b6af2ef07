"""Outcomes are sent until they are there, or nobody can want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from dynabus.adapters.kafka import outbox as module
from dynabus.adapters.kafka.outbox import AGAIN_MS, UNMADE_MS, Letter, Outbox
from dynabus.adapters.kafka.settings import KafkaSettings

Report = Callable[[KafkaError | None, object], None]


class Kafka:
    """All producers that were made, and what is under way in them."""

    def __init__(self) -> None:
        self.made: list[FakeProducer] = []
        self.full = False
        self.refuses = False

    def make(self, *_: Any, **__: Any) -> FakeProducer:
        if self.refuses:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG))
        self.made.append(FakeProducer(self))
        return self.made[-1]


class FakeProducer:
    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.under_way: list[tuple[str, Report]] = []

    def __len__(self) -> int:
        return len(self.under_way)

    def produce(
        self, topic: str, value: bytes, key: bytes, partition: int, headers: Any, on_delivery: Report
    ) -> None:
        if self._kafka.full:
            raise BufferError("queue full")
        self.under_way.append((topic, on_delivery))

    def report(self, error: int | None = None) -> None:
        under_way, self.under_way = self.under_way, []
        for _, report in under_way:
            report(KafkaError(error) if error is not None else None, None)

    def poll(self, _timeout_s: float) -> None:
        """Reports come when the test says so."""

    def flush(self, _timeout_s: float) -> None:
        """Nothing is under way."""

    def purge(self, blocking: bool) -> None:
        self.report(KafkaError._PURGE_QUEUE)


class Desk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kafka = Kafka()
        monkeypatch.setattr(module, "Producer", self.kafka.make)
        self.now_ms = 0.0
        self.outbox = Outbox(KafkaSettings("x"), lambda: self.now_ms)
        self.done: list[str] = []
        self.wanted = True

    def send(self, name: str = "a") -> None:
        self.outbox.send(Letter("topic", None, b"", [], lambda: self.wanted, lambda: self.done.append(name)))

    def later(self) -> None:
        self.now_ms += AGAIN_MS
        self.outbox.serve()


def test_a_letter_is_done_when_kafka_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.outbox.serve()
    assert desk.kafka.made == [], "no producer before the first letter"
    desk.send()
    assert desk.done == []
    desk.kafka.made[0].report()
    assert desk.done == ["a"]


def test_settings_with_which_there_is_no_producer_are_a_failed_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.kafka.refuses = True
    desk.send()
    assert (desk.outbox.failed, desk.done) == (1, [])
    assert desk.outbox.problem
    desk.kafka.refuses = False
    desk.later()
    desk.send("b")
    assert (desk.kafka.made, desk.outbox.failed) == ([], 1), "one try for all that wait, now and then"
    desk.now_ms = UNMADE_MS
    desk.outbox.serve()
    desk.kafka.made[0].report()
    desk.kafka.made[0].report()
    assert desk.outbox.problem is None
    desk.done.remove("b")
    assert (desk.outbox.reason, desk.done) == ("", ["a"])
    desk.outbox.close(0)


def test_what_fails_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.send()
    desk.kafka.made[0].report(KafkaError.UNKNOWN_TOPIC_OR_PART)
    desk.outbox.serve()
    assert len(desk.kafka.made[0]) == 0, "not at once"
    desk.later()
    desk.kafka.made[0].report()
    assert (desk.done, desk.outbox.failed) == (["a"], 1)


def test_a_full_queue_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.kafka.full = True
    desk.send()
    desk.kafka.full = False
    desk.later()
    desk.kafka.made[0].report()
    assert desk.done == ["a"]


def test_nobody_wants_outcomes_of_a_table_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.send()
    desk.kafka.made[0].report(KafkaError.UNKNOWN_TOPIC_OR_PART)
    desk.wanted = False
    desk.later()
    assert desk.done == ["a"]
    assert len(desk.kafka.made[0]) == 0


def test_a_producer_that_cannot_send_is_replaced_with_all_that_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.send("a")
    desk.kafka.made[0].report(KafkaError._MSG_TIMED_OUT)
    desk.send("b")
    desk.outbox.serve()
    desk.later()
    old, new = desk.kafka.made
    assert (len(old), len(new)) == (0, 2)
    new.report()
    assert sorted(desk.done) == ["a", "b"]


def test_a_kafka_that_takes_nothing_is_a_problem_until_it_takes_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while what failed is under way once more."""
    desk = Desk(monkeypatch)
    desk.send()
    assert desk.outbox.problem is None, "nothing has failed yet"
    desk.kafka.made[0].report(KafkaError._TRANSPORT)
    for _ in range(3):
        assert desk.outbox.problem
        desk.later()
        assert desk.outbox.problem
        desk.kafka.made[0].report(KafkaError._TRANSPORT)
    desk.later()
    desk.kafka.made[0].report()
    assert desk.outbox.problem is None


def test_nor_is_it_one_when_nobody_waits_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.send()
    desk.kafka.made[0].report(KafkaError._TRANSPORT)
    desk.wanted = False
    desk.later()
    assert desk.outbox.problem is None
