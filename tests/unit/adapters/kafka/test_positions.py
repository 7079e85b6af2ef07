"""Extents of topic partitions, asked of a client that heard of a topic too early; and positions, given to Kafka with
what it needs to compare histories (I6, I9)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from tests.unit.storage_node.stand_ins import ORIGIN

from dynabus.adapters.kafka.positions import extent_of, position
from dynabus.core.replication.place import one_before, other_history, start_of_log
from dynabus.core.replication.records import decode_record

LOG = ("dynabus.log.t", 3)


class Early:
    """A consumer that learned of a topic when its leader was away, and learns more only when it is told to ask."""

    def __init__(self, code: int, found: tuple[int, int] | None = (3, 7)) -> None:
        self.code, self.found, self.asked = code, found, list[str]()

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int] | None:
        if not self.asked:
            raise KafkaException(KafkaError(self.code))
        return self.found

    def list_topics(self, topic: str, timeout: float) -> None:
        assert timeout > 0
        self.asked.append(topic)


def extent(consumer: Early) -> tuple[int, int]:
    return extent_of(cast(Consumer, consumer), "t", 0, 1.0)


@pytest.mark.parametrize("code", [KafkaError._UNKNOWN_PARTITION, KafkaError.LEADER_NOT_AVAILABLE])
def test_topic_whose_leader_was_away_is_asked_for_again(code: int) -> None:
    consumer = Early(code)
    assert extent(consumer) == (3, 7)
    assert consumer.asked == ["t"]


def test_other_errors_are_the_callers() -> None:
    consumer = Early(KafkaError._TRANSPORT)
    with pytest.raises(KafkaException):
        extent(consumer)
    assert consumer.asked == []


def test_silence_is_an_error() -> None:
    with pytest.raises(KafkaException) as caught:
        extent(Early(KafkaError._UNKNOWN_PARTITION, None))
    assert caught.value.args[0].code() == KafkaError._TIMED_OUT


@pytest.mark.parametrize(
    ("next_offset", "leader_epoch", "told"),
    [(7, 2, 2), (7, 0, 0), (7, -1, None), (0, 2, None)],
    ids=["of the record before", "the first epoch", "unknown", "nothing was read"],
)
def test_a_position_says_of_which_leader_epoch_the_record_before_it_is(
    next_offset: int, leader_epoch: int, told: int | None
) -> None:
    place = start_of_log(ORIGIN)._replace(next_offset=next_offset, leader_epoch=leader_epoch)
    made = position(*LOG, place)
    assert (made.topic, made.partition, made.offset, made.leader_epoch) == ("dynabus.log.t", 3, next_offset, told)


@pytest.mark.parametrize(
    ("leader_epoch", "now", "other"), [(2, 2, False), (2, 3, True), (2, 1, True), (-1, 3, False), (2, -1, False)]
)
def test_the_record_before_a_place_tells_whether_the_log_was_cut(leader_epoch: int, now: int, other: bool) -> None:
    place = start_of_log(ORIGIN)._replace(next_offset=7, leader_epoch=leader_epoch)
    assert position(*LOG, one_before(place)).offset == 6
    assert other_history(place, decode_record(6, now, b"whatever it is")) == other
