"""What ReplAdmin makes of how far links are: lost ones are told, and drained ones."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest

from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.core.global_tables.links import ACTIVE, COPYING, DRAINING, Link, Links
from dynabus.core.topics import Topics
from dynabus.repl_admin.retention import DRAIN_MS, LOOK_MS, Retention

HOUR_MS = 3_600_000.0


class Stage:
    """A stream of one shard: low <= offset < high, and what the group has committed."""

    def __init__(self, status: str) -> None:
        self.extent, self.committed = (0, 50), 50
        self.away = False
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.looked: list[str] = []
        self.links = links = Links()
        links.all["t", "us"] = Link("t", "music", "us", 1, status, 7, True, "1", ["eu"], {}, "there")
        self.duty = Retention(self.ask, cast("TopicAdmin", self), Topics("dynabus"), links)
        self.now_ms = 0.0

    def ask(self, region: str, operation: str, body: dict[str, Any]) -> Future[dict[str, Any]]:
        assert region == ""
        self.told.append((operation, body))
        return Future()

    def look(self, after_ms: float) -> list[str]:
        """What was told by one look."""
        self.told.clear()
        self.now_ms += after_ms
        self.duty.turn(self.now_ms)
        if self.duty._job is not None:
            self.duty._job.exception(10)
        self.duty.turn(self.now_ms)
        return [operation for operation, _ in self.told]

    # -- Kafka ------------------------------------------------------------------------------------------------

    def extents(self, name: str) -> dict[int, tuple[int, int]]:
        self.looked.append(name.split(".")[2])
        if self.away:
            raise TopicError("no Kafka", retriable=True)
        return {0: self.extent}

    def group_commits(self, _group: str, places: list[tuple[str, int]]) -> dict[tuple[str, int], tuple[int, str]]:
        return dict.fromkeys(places, (self.committed, "{}"))

    def retention_ms(self, _name: str) -> float:
        return 24 * HOUR_MS


ABOUT = {"TableId": "t", "Destination": "us", "CreatedMs": 7}


def test_a_link_is_drained_once_all_of_its_stream_is_acknowledged() -> None:
    stage = Stage(DRAINING)
    stage.committed = 49
    assert stage.look(LOOK_MS) == []
    stage.away = True
    assert stage.look(DRAIN_MS) == []
    stage.away, stage.committed = False, 50
    assert stage.look(DRAIN_MS) == ["LinkDrained"]
    assert stage.told == [("LinkDrained", ABOUT)]
    assert stage.look(DRAIN_MS) == ["LinkDrained"], "again, if nobody heard it"


@pytest.mark.parametrize("status", [ACTIVE, COPYING])
def test_of_other_links_it_is_not_asked_and_looked_at_seldom(status: str) -> None:
    stage = Stage(status)
    assert stage.look(LOOK_MS) == []
    assert stage.duty.lines[0]["backlog"] == 0
    stage.committed = 3
    stage.look(DRAIN_MS)
    assert stage.duty.lines[0]["backlog"] == 0
    stage.look(LOOK_MS)
    assert stage.duty.lines[0]["backlog"] == 47


def test_while_one_is_drained_the_others_are_looked_at_as_seldom() -> None:
    stage = Stage(DRAINING)
    other = stage.links.all["t", "us"]._replace(table="o", name="art", status=ACTIVE)
    stage.links.all["o", "us"] = other
    stage.committed = 40
    stage.look(LOOK_MS)
    for after_ms in (DRAIN_MS, DRAIN_MS / 2, DRAIN_MS / 2):
        stage.look(after_ms)
    assert stage.looked == ["music", "art", "music", "music"]
    assert [each["table"] for each in stage.duty.lines] == ["music", "art"]
    del stage.links.all["o", "us"]
    stage.look(LOOK_MS)
    assert [each["table"] for each in stage.duty.lines] == ["music"]


@pytest.mark.parametrize(("status", "told"), [(ACTIVE, ["LinkLost"]), (COPYING, []), (DRAINING, [])])
def test_a_link_whose_stream_dropped_what_was_not_acknowledged_is_told_if_it_is_active(
    status: str, told: list[str]
) -> None:
    stage = Stage(status)
    stage.extent, stage.committed = (20, 50), 10
    assert stage.look(LOOK_MS) == told
    assert stage.duty.lines[0]["alarm"] == "lost"
