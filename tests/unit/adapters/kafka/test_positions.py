"""Extents of topic partitions, asked of a client that heard of a topic too early."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from dynabus.adapters.kafka.positions import extent_of


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
