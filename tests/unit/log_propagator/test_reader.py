"""Logs are read from their places on, and one that has another history before its place is told (KIP-320)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from tests.unit.core.propagation.test_follower import ROOT, history

from dynabus.core.replication.place import Place
from dynabus.core.topics import Topics
from dynabus.log_propagator import reader as module
from dynabus.log_propagator.reader import Reader

TOPIC = Topics("ns").log_name(ROOT.log)
LOG = history(20).logs[0]
AT = 12
"""The place at which reading begins in these tests."""


class Message:
    def __init__(self, offset: int, epoch: int | None = 0, error: KafkaError | None = None) -> None:
        self._offset, self._epoch, self._error = offset, epoch, error

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def leader_epoch(self) -> int | None:
        return self._epoch

    def error(self) -> KafkaError | None:
        return self._error

    def value(self) -> bytes:
        return LOG[self._offset].value


class FakeConsumer:
    """Delivers `messages`; keeps where it was assigned."""

    def __init__(self) -> None:
        self.low, self.high = 0, len(LOG)
        self.away: KafkaError | None = None
        self.messages: list[Message] = []
        self.assigned: dict[tuple[str, int], TopicPartition] = {}

    def incremental_assign(self, given: Sequence[TopicPartition]) -> None:
        self.assigned.update({(each.topic, each.partition): each for each in given})

    def incremental_unassign(self, taken: Sequence[TopicPartition]) -> None:
        for each in taken:
            del self.assigned[each.topic, each.partition]

    def get_watermark_offsets(self, _where: TopicPartition, timeout: float) -> tuple[int, int]:
        if self.away is not None:
            raise KafkaException(self.away)
        return self.low, self.high

    def poll(self, timeout: float) -> Message | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, _most: int, timeout: float) -> list[Message]:
        found, self.messages = self.messages, []
        return found


@pytest.fixture
def kafka() -> Iterator[FakeConsumer]:
    made = FakeConsumer()
    with patch.object(module, "Consumer", lambda *_, **__: made):
        yield made


def reader() -> Reader:
    settings: Any = type("Settings", (), {"loop_consumer": lambda self: {}})()
    return Reader(settings, Topics("ns"))


def place(epoch: int = 3, at: int = AT) -> Place:
    logs = history(20)
    return logs.places[0]._replace(next_offset=at, leader_epoch=epoch)


def offsets(found: dict[Any, Any]) -> list[int]:
    return [record.offset for record in found.get(ROOT, [])]


def test_a_log_is_begun_one_record_early_and_goes_on(kafka: FakeConsumer) -> None:
    made = reader()
    made.assign({ROOT: place()})
    begun = kafka.assigned[TOPIC, 0]
    assert (begun.offset, begun.leader_epoch) == (AT - 1, 3)
    kafka.messages = [Message(AT - 1, 3), Message(AT, 4)]
    assert offsets(made.read(0)) == [AT - 1, AT]
    assert not made.out_of_range
    kafka.messages = [Message(AT + 1, 5)]
    assert offsets(made.read(0)) == [AT + 1]


@pytest.mark.parametrize("together", [True, False])
def test_a_log_that_was_cut_and_grew_again_is_told(kafka: FakeConsumer, together: bool) -> None:
    """Nothing that lies behind is taken either, whenever it comes."""
    made = reader()
    made.assign({ROOT: place()})
    kafka.messages = [Message(AT - 1, 4), Message(AT, 4)] if together else [Message(AT - 1, 4)]
    assert made.read(0) == {}
    assert made.out_of_range == {ROOT}
    kafka.messages = [Message(AT, 4)]
    assert made.read(0) == {}
    made.let_go(ROOT)
    made.out_of_range.clear()
    assert kafka.assigned == {}
    made.assign({ROOT: place()})
    kafka.messages = [Message(AT - 1, 4)]
    assert made.read(0) == {}
    assert made.out_of_range == {ROOT}


def test_a_place_whose_epoch_is_not_known_is_not_compared(kafka: FakeConsumer) -> None:
    made = reader()
    made.assign({ROOT: place(epoch=-1)})
    assert kafka.assigned[TOPIC, 0].offset == AT
    kafka.messages = [Message(AT, 9)]
    assert offsets(made.read(0)) == [AT]


def test_what_was_pruned_up_to_the_place_is_not_compared(kafka: FakeConsumer) -> None:
    made = reader()
    kafka.low = AT
    made.assign({ROOT: place()})
    assert kafka.assigned[TOPIC, 0].offset == AT
    assert not made.out_of_range


@pytest.mark.parametrize(("low", "high"), [(0, AT - 1), (AT + 1, AT + 5)])
def test_a_place_outside_of_its_log_is_left_to_kafka_to_judge(kafka: FakeConsumer, low: int, high: int) -> None:
    """Of a log that lost but one record, too: begun one early, it would be read as if nothing had been."""
    made = reader()
    kafka.low, kafka.high = low, high
    made.assign({ROOT: place()})
    assert kafka.assigned[TOPIC, 0].offset == AT
    kafka.messages = [Message(AT, None, KafkaError(KafkaError._AUTO_OFFSET_RESET))]
    assert made.read(0) == {}
    assert made.out_of_range == {ROOT}


def test_a_kafka_that_does_not_answer_is_asked_again(kafka: FakeConsumer) -> None:
    made = reader()
    kafka.away = KafkaError(KafkaError._TIMED_OUT)
    made.assign({ROOT: place()})
    assert made.unanswered == {ROOT}
    assert kafka.assigned == {}
    kafka.away = None
    made.assign({ROOT: place()})
    assert kafka.assigned[TOPIC, 0].offset == AT - 1


@pytest.mark.parametrize("code", [KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE])
def test_what_kafka_says_itself_is_heard(kafka: FakeConsumer, code: int) -> None:
    made = reader()
    made.assign({ROOT: place()})
    kafka.messages = [Message(AT, None, KafkaError(code))]
    assert made.read(0) == {}
    assert made.out_of_range == {ROOT}
