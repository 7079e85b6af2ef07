"""What leaders of tables' logs are told: never more than is acknowledged, and which partitions are over their cap."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.simulation.indexes import DESCRIPTION, LOG
from tests.unit.core.propagation.test_deliveries import partition
from tests.unit.core.propagation.test_follower import ROOT
from tests.unit.core.propagation.test_index_logs import logs, reader

from dynabus.core.cluster_view import ClusterView
from dynabus.core.ids import LogId
from dynabus.core.propagation.propagator import Propagator
from dynabus.core.propagation.telling import (
    AGAIN_MS,
    PAUSE_MS,
    SUSTAINED_MS,
    TELL_MS,
    OverCaps,
    Telling,
    progress_of,
)

INDEX = LogId(LOG)


class Desk:
    """A propagator that has read a log, which node-1 and node-2 have replicas of; node-3 lives too."""

    def __init__(self) -> None:
        self.view, self.version = ClusterView(), 0
        self.lay_out("node-1", "node-2")
        for node in ("node-1", "node-2", "node-3"):
            self.beat(node)
        self.brain = reader()
        self.brain.read({ROOT: logs().logs[0]})
        self.telling, self.over = Telling("propagator-1", self.view), OverCaps()

    def lay_out(self, *members: str) -> None:
        self.version += 1
        message = {"id": ROOT.log, "name": "music", "status": "ACTIVE", "description": orjson.dumps(DESCRIPTION)}
        whole = {**message, "version": self.version, "partitions": [partition(0, 1, b"", None, members=[*members])]}
        self.view.take("table_metadata", whole, 0.0)

    def beat(self, node: str, now_ms: float = 0.0) -> None:
        heartbeat: dict[str, Any] = {"service": "storage-node", "node": node, "incarnation": 1, "zone": "a"}
        rest = {"stopping": False, "replicas": [], "number": 1, "whole": True}
        self.view.take("heartbeat", heartbeat | rest, now_ms)

    def due(self, now_ms: float) -> dict[str, Any]:
        return dict(self.telling.due(self.brain.logs, self.over, now_ms))

    def places(self, now_ms: float) -> list[int]:
        (log,) = self.due(now_ms)["node-1"]["logs"]
        return [each["next_offset"] for each in log["indexes"]]


def read_all(brain: Propagator) -> int:
    place = brain.logs[ROOT].follower.place
    assert place is not None
    return place.next_offset


def test_an_index_is_as_far_as_its_first_write_that_is_not_acknowledged() -> None:
    desk = Desk()
    desk.brain.outputs()
    writes = desk.brain.writes()
    assert desk.places(0.0) == [writes[0].of.write.source.offset]
    later = [each.number for each in writes[1:]]
    desk.brain.acknowledged(ROOT, later)
    progress = progress_of(ROOT, desk.brain.logs[ROOT])
    assert progress is not None
    assert progress["indexes"] == [{"index": LOG, "next_offset": writes[0].of.write.source.offset}]
    desk.brain.acknowledged(ROOT, [writes[0].number])
    assert desk.places(TELL_MS) == [read_all(desk.brain)]


def test_after_a_failure_nothing_is_told_before_it_is_read_again() -> None:
    desk = Desk()
    desk.brain.outputs()
    desk.brain.fail()
    assert progress_of(ROOT, desk.brain.logs[ROOT]) is None, "it begins anew, and has read nothing"


@pytest.mark.parametrize("state", ["stopped", "of nobody"])
def test_of_a_log_that_is_not_read_nothing_is_told(state: str) -> None:
    desk = Desk()
    if state == "stopped":
        desk.brain.logs[ROOT].follower.stop("a reason")
    else:
        desk.brain.lost([ROOT])
    assert desk.due(0.0) == {}


def test_what_is_no_news_is_told_now_and_then_and_to_a_new_member_at_once() -> None:
    """Whoever is a member may lead next, and must not begin with marks of long ago."""
    desk = Desk()
    assert [*desk.due(0.0)] == ["node-1", "node-2"]
    assert desk.due(TELL_MS) == {}
    desk.lay_out("node-2", "node-3")
    assert [*desk.due(2 * TELL_MS)] == ["node-2", "node-3"]
    assert desk.due(3 * TELL_MS) == {}
    assert [*desk.due(2 * TELL_MS + AGAIN_MS)] == ["node-2", "node-3"]


def test_it_does_not_tell_more_often() -> None:
    desk = Desk()
    desk.due(0.0)
    desk.lay_out("node-3")
    assert desk.due(TELL_MS - 1) == {}
    assert [*desk.due(TELL_MS)] == ["node-3"]


def test_a_burst_of_refusals_is_not_told_and_lasting_ones_are() -> None:
    over = OverCaps()
    for now_ms in (0.0, 100.0, SUSTAINED_MS - 1):
        over.refused((INDEX, 3), now_ms)
        assert over.partitions(now_ms) == {}
    over.refused((INDEX, 3), SUSTAINED_MS)
    over.refused((INDEX, 4), SUSTAINED_MS)
    assert over.partitions(SUSTAINED_MS) == {INDEX: [3]}
    assert over.partitions(SUSTAINED_MS + PAUSE_MS) == {INDEX: [3]}
    assert over.partitions(SUSTAINED_MS + PAUSE_MS + 1) == {}


def test_refusals_with_pauses_are_bursts() -> None:
    over = OverCaps()
    for number in range(20):
        over.refused((INDEX, 3), number * (PAUSE_MS + 1))
        assert over.partitions(number * (PAUSE_MS + 1)) == {}


def test_all_nodes_hear_of_partitions_over_their_cap_and_once_that_they_are_well() -> None:
    desk = Desk()
    desk.due(0.0)
    for now_ms in (0.0, 200.0, 400.0):
        desk.over.refused((INDEX, 3), now_ms)
    told = desk.due(400.0)
    over = [{"index": LOG, "partitions": [3]}]
    assert {node: each["over"] for node, each in told.items()} == dict.fromkeys(("node-1", "node-2", "node-3"), over)
    told = desk.due(400.0 + PAUSE_MS + 1)
    assert {node: each["over"] for node, each in told.items()} == {"node-1": [], "node-2": [], "node-3": []}
    assert desk.due(950.0) == {}
