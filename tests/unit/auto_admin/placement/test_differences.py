"""Replicas that differ: the alarm, and who is rebuilt from the log, one at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dynabus.auto_admin.placement.differences import LOOK_MS, ORDER_MS, SCRUBBED_MS, Differences
from dynabus.core.cluster_view import ClusterView

LOG = "a" * 32
NODES = ("node-1", "node-2", "node-3")


class Room:
    """Three nodes that are heard, and who was ordered to rebuild."""

    def __init__(self) -> None:
        self.view, self.ordered = ClusterView(), list[str]()
        self.differences = Differences(self.view, self._tell)
        self.now_ms = 0.0
        state = SimpleNamespace(name="t", partitions=[{"number": 0, "members": list(NODES)}])
        self.states = cast("Any", {LOG: state})

    def _tell(self, node: str, order: Any) -> None:
        assert (order["log"], order["partition"], order["generation"], order["kind"]) == (LOG, 0, 1, "rebuild")
        self.ordered.append(node)

    def hear(self, node: str, checksum: int | None, offset: int = 8, **more: Any) -> None:
        replica = {
            "log": LOG,
            "partition": 0,
            "generation": 1,
            "state": "active",
            "leading": node == "node-1",
            "appending": True,
            "term": 1,
            "sequence": 1,
            "next_offset": offset,
            "lag": 0,
            "alarm": "",
            "totals": [0, 0],
            "checked": [] if checksum is None else [offset, checksum],
            **more,
        }
        beat = {"node": node, "service": "storage-node", "zone": "a", "incarnation": 1, "stopping": False}
        self.view.take("heartbeat", {**beat, "number": 0, "whole": True, "replicas": [replica]}, self.now_ms)

    def run(self, for_ms: float, *silent: str) -> None:
        """Heartbeats without news, and looks."""
        until_ms = self.now_ms + for_ms
        while self.now_ms < until_ms:
            self.now_ms += LOOK_MS
            for node in NODES:
                if node not in silent:
                    self.hear(node, None)
            self.differences.step(self.states, self.now_ms)


@pytest.fixture
def room() -> Room:
    made = Room()
    for node, checksum in zip(NODES, (1, 1, 2), strict=True):
        made.hear(node, checksum)
    return made


def test_scrubs_come_first(room: Room) -> None:
    room.run(SCRUBBED_MS - LOOK_MS)
    assert room.ordered == []


def test_one_after_the_other_the_leader_last(room: Room) -> None:
    room.run(SCRUBBED_MS + 2 * LOOK_MS)
    assert room.ordered == ["node-3"]
    room.run(ORDER_MS + 2 * LOOK_MS)
    assert room.ordered == ["node-3", "node-2"]
    room.run(3 * ORDER_MS)
    assert room.ordered == ["node-3", "node-2", "node-1"]


def test_nobody_is_rebuilt_once_they_agree(room: Room) -> None:
    room.run(SCRUBBED_MS + 2 * LOOK_MS)
    room.hear("node-3", 1)
    room.run(3 * ORDER_MS)
    assert room.ordered == ["node-3"]


def test_nobody_is_rebuilt_while_a_member_is_missing(room: Room) -> None:
    room.run(3 * ORDER_MS, "node-2")
    assert room.ordered == []


def test_a_difference_that_two_agree_upon_is_named_in_status(room: Room) -> None:
    (difference,) = room.view.agreement.differences()
    assert str(difference) == "replicas differ at offset 8: node-1, node-2 against node-3"
