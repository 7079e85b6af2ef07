"""Whom to clone from, when to replay, and which snapshots are of no use."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.cloning.choice import Extent, choose, refusal, replay_is_possible, replay_is_short
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.replication.place import Group, Origin, Place, start_of_log
from dynabus.core.replication.records import Form

ORIGIN = Origin("cluster", "topic", PartitionId(LogId("a" * 32), 0))
PLACE = start_of_log(ORIGIN, 50)._replace(group=Group(1, b"", None, (NodeName("node-1"),), Form.NEW))


def said(state: str = "active", next_offset: int = 10, leading: bool = False, alarm: str = "") -> Any:
    return {"state": state, "next_offset": next_offset, "leading": leading, "alarm": alarm}


@pytest.mark.parametrize(
    ("nodes", "refused", "chosen"),
    [
        ({"a": said(leading=True), "b": said(next_offset=5)}, (), "b"),
        ({"a": said(next_offset=5), "b": said(next_offset=9)}, (), "b"),
        ({"a": said(leading=True)}, (), "a"),
        ({"a": said(next_offset=9), "b": said(next_offset=5)}, ("a",), "b"),
        ({"a": said(leading=True), "b": said()}, ("b",), "a"),
        ({"a": said()}, ("a",), "a"),
        ({"a": said("sealed")}, (), "a"),
        ({"a": said("frozen"), "b": said("failed"), "c": said("opening"), "d": said("joining")}, (), None),
        ({"a": said("heir"), "b": said("preparing"), "c": said(alarm="damaged")}, (), None),
        ({}, (), None),
    ],
)
def test_the_source(nodes: dict[str, Any], refused: tuple[str, ...], chosen: str | None) -> None:
    assert choose(nodes.items(), refused) == chosen


@pytest.mark.parametrize(
    ("place", "low", "at_least", "why"),
    [
        (PLACE, 0, 0, None),
        (PLACE, 50, 50, None),
        (PLACE, 51, 0, "the log begins at 51"),
        (PLACE, 0, 51, "the replica that it would replace up to 51"),
        (PLACE._replace(group=None), 0, 0, "has not begun"),
        (PLACE._replace(fold_version=99), 0, 0, "rules 99"),
        (PLACE._replace(origin=ORIGIN._replace(topic="other")), 0, 0, "the log is"),
        (PLACE._replace(origin=ORIGIN._replace(partition=PartitionId(LogId("a" * 32), 1))), 0, 0, "the log is"),
    ],
)
def test_a_snapshot_of_no_use(place: Place, low: int, at_least: int, why: str | None) -> None:
    told = refusal(place, ORIGIN, Extent(low, 100), at_least)
    assert told is None if why is None else why in (told or "")


def test_replay() -> None:
    assert replay_is_short([Extent(0, 60), Extent(0, 40)], 100)
    assert not replay_is_short([Extent(0, 60), Extent(0, 41)], 100)
    assert not replay_is_short([Extent(1, 2), Extent(0, 1)], 100)
    assert replay_is_possible([Extent(0, 10**9)])
    assert not replay_is_possible([Extent(0, 10), Extent(3, 10)])
