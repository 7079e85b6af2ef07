"""A group's positions at the end of a copy: who may set them, and a Kafka that is away for a moment is waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from dynabus.adapters.kafka.mock import MockCluster
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.client import BusyGroupError, NoKafkaError
from dynabus.client.copying import Copies, Wish
from dynabus.client.group_positions import GroupPositions
from dynabus.core.topics import Topics


class Admin:
    def __init__(self, members: int | TopicError) -> None:
        self.members = members

    def group_members(self, _: str) -> int:
        if isinstance(self.members, TopicError):
            raise self.members
        return self.members


@pytest.mark.parametrize(("members", "error"), [(1, BusyGroupError), (TopicError("away", True), NoKafkaError)])
def test_a_group_with_members_or_unknown_ones_is_left_alone(members: Any, error: type[Exception]) -> None:
    kafka = KafkaSettings(MockCluster().bootstrap)
    positions = GroupPositions(kafka, "group", cast("TopicAdmin", Admin(members)))
    with pytest.raises(error):
        positions.set([TopicPartition("topic", 0, 1)])
    positions.close()


AWAY = KafkaException(KafkaError(KafkaError._TIMED_OUT))
REFUSED = KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))


def copies(patience_s: float, *errors: Exception) -> tuple[Copies, list[Exception]]:
    """Whose group fails so, and then takes its positions."""
    left = [*errors]

    def take(_: list[TopicPartition]) -> None:
        if left:
            raise left.pop(0)

    made: Any = Copies.__new__(Copies)
    made._wish, made._topics, made._name, made._positions = Wish("t", "g", None, patience_s), Topics(), ("t", "l"), {}
    made._group = SimpleNamespace(set=take)
    made._skipped = made._hear_for = lambda _: {}
    return made, left


def test_kafka_is_asked_again_since_hours_of_copying_may_lie_behind_it() -> None:
    made, left = copies(60.0, NoKafkaError("away"), AWAY)
    made.commit()
    assert left == []


@pytest.mark.parametrize(
    ("patience_s", "error"),
    [(60.0, BusyGroupError("busy")), (60.0, REFUSED), (0.0, NoKafkaError("away")), (0.0, AWAY)],
)
def test_what_does_not_pass_is_told(patience_s: float, error: Exception) -> None:
    made, left = copies(patience_s, error, error)
    with pytest.raises(type(error)):
        made.commit()
    assert left == [error]
