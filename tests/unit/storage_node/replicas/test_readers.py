"""Positions are given to Kafka with what it needs to compare histories (I6, I9)."""

from __future__ import annotations

import pytest
from tests.unit.storage_node.stand_ins import ORIGIN

from dynabus.core.replication.place import start_of_log
from dynabus.core.replication.records import decode_record
from dynabus.storage_node.replicas.readers import Log, one_before, other_history, position

LOG = Log("dynabus.log.t", 3)


@pytest.mark.parametrize(
    ("next_offset", "leader_epoch", "told"),
    [(7, 2, 2), (7, 0, 0), (7, -1, None), (0, 2, None)],
    ids=["of the record before", "the first epoch", "unknown", "nothing was read"],
)
def test_a_position_says_of_which_leader_epoch_the_record_before_it_is(
    next_offset: int, leader_epoch: int, told: int | None
) -> None:
    place = start_of_log(ORIGIN)._replace(next_offset=next_offset, leader_epoch=leader_epoch)
    made = position(LOG, place)
    assert (made.topic, made.partition, made.offset, made.leader_epoch) == ("dynabus.log.t", 3, next_offset, told)


@pytest.mark.parametrize(
    ("leader_epoch", "now", "other"), [(2, 2, False), (2, 3, True), (2, 1, True), (-1, 3, False), (2, -1, False)]
)
def test_the_record_before_a_place_tells_whether_the_log_was_cut(leader_epoch: int, now: int, other: bool) -> None:
    place = start_of_log(ORIGIN)._replace(next_offset=7, leader_epoch=leader_epoch)
    assert position(LOG, one_before(place)).offset == 6
    assert other_history(place, decode_record(6, now, b"whatever it is")) == other
