"""Pruning: what auto-admin asks for, from what nodes said, and what it tells of who holds it up."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.auto_admin.splitting.test_splits import table

from dynabus.auto_admin.outside import Pruned, PruneWish, StepFailed
from dynabus.auto_admin.pruning.holds import LOGS_MOST, Pruning
from dynabus.auto_admin.pruning.log_pruner import LogPruner
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import NODE_SILENT_MS, ClusterView
from dynabus.core.pruning import DurablePlace
from dynabus.core.topics import Topics

MEMBERS = ["node-1", "node-2", "node-3"]
EVERY_MS = 100.0


class Steps:
    """Remembers what was asked, and answers at once."""

    def __init__(self) -> None:
        self.asked: list[list[PruneWish]] = []
        self.answer: list[Pruned] = []
        self.fails = False

    def prune(self, wishes: list[PruneWish]) -> Future[list[Pruned]]:
        self.asked.append(wishes)
        future: Future[list[Pruned]] = Future()
        if self.fails:
            future.set_exception(StepFailed("away"))
        else:
            future.set_result(self.answer)
        return future


class Ward:
    def __init__(self, state: TableState | None = None, retention_ms: float = 0.0) -> None:
        self.state = state or table()
        self.steps, self.view, self.now_ms = Steps(), ClusterView(), 1000.0
        self.pruning = Pruning(
            self.view, cast("Any", self.steps), EVERY_MS, lag_records=100, retention_ms=retention_ms
        )

    def told(self, node: str, offset: int, number: int = 0, incarnation: int = 1, plan: int = 0) -> None:
        place = DurablePlace(log=self.state.id, partition=number, offset=offset, plan=plan)
        self.pruning.told({"node": node, "incarnation": incarnation, "places": [place]})

    def beat(self, node: str, state: str) -> None:
        said: dict[str, Any] = {"log": self.state.id, "partition": 0, "generation": 1, "state": state}
        said |= {"leading": False, "checked": [], "totals": []}
        beat = {"node": node, "service": "storage-node", "zone": "a", "incarnation": 1, "stopping": False}
        self.view.take("heartbeat", {**beat, "number": 0, "whole": True, "replicas": [said]}, self.now_ms)

    def look(self) -> dict[int, PruneWish]:
        """What is asked for now, by partition."""
        self.now_ms += EVERY_MS
        before = len(self.steps.asked)
        self.pruning.step({self.state.id: self.state}, self.now_ms)
        return {wish.number: wish for wishes in self.steps.asked[before:] for wish in wishes}


def with_members(row: TableState, **more: Any) -> TableState:
    first, *others = row.partitions
    return replace(row, partitions=[{**first, "members": MEMBERS, **more}, *others])


@pytest.fixture
def ward() -> Ward:
    return Ward(with_members(table()))


def test_a_log_is_pruned_behind_the_member_that_has_least_on_disk(ward: Ward) -> None:
    for node, offset in zip(MEMBERS, (50, 70, 60), strict=True):
        ward.told(node, offset)
    assert ward.look()[0] == PruneWish(ward.state.id, 0, 50, "node-1", whole=False, known=70)


def test_a_member_that_said_nothing_holds_all(ward: Ward) -> None:
    ward.told("node-1", 50)
    ward.told("node-3", 50)
    assert ward.look()[0] == PruneWish(ward.state.id, 0, 0, "node-2", whole=False, known=50)


def test_what_was_said_in_an_earlier_run_says_nothing(ward: Ward) -> None:
    for node in MEMBERS:
        ward.told(node, 50)
    ward.told("node-2", 9, incarnation=2)
    assert ward.look()[0].until == 9, "its disk may be another one"
    ward.told("node-2", 99, incarnation=1)
    assert ward.look()[0].until == 9, "late, of the earlier run"


def test_a_new_run_that_is_only_heard_holds_all(ward: Ward) -> None:
    for node in MEMBERS:
        ward.told(node, 50)
    beat = {"node": "node-3", "service": "storage-node", "zone": "c", "incarnation": 2}
    ward.view.take("heartbeat", {**beat, "stopping": False, "number": 0, "whole": True, "replicas": []}, ward.now_ms)
    assert ward.look()[0] == PruneWish(ward.state.id, 0, 0, "node-3", whole=False, known=50)


def test_a_member_that_is_dead_holds_what_it_has_not_on_disk(ward: Ward) -> None:
    """It may come back and read on."""
    for node, offset in zip(MEMBERS, (10, 70, 60), strict=True):
        ward.told(node, offset)
    assert "node-1" not in ward.view.nodes
    assert ward.look()[0].until == 10


def test_a_node_that_joins_holds_all_until_it_is_a_member_and_has_something_on_disk() -> None:
    move = {"get": "node-4", "lose": "node-1", "preferred": "node-2", "why": "", "since_ms": 0}
    ward = Ward(with_members(table(), plan=1, move=move))
    for node in MEMBERS:
        ward.told(node, 50)
    assert ward.look()[0] == PruneWish(ward.state.id, 0, 0, "node-4", whole=False, known=50)
    ward.told("node-4", 45)
    assert ward.look()[0].until == 0, "it may be a word of when it was a member before"
    ward.told("node-4", 46, plan=1)
    assert ward.look()[0].until == 46


def test_what_a_node_said_before_it_left_says_nothing_once_it_is_a_member_again() -> None:
    ward = Ward(with_members(table(), plan=5, joined={"node-3": 5}))
    for node in MEMBERS:
        ward.told(node, 50, plan=4)
    assert ward.look()[0].until == 0
    ward.told("node-3", 30, plan=5)
    assert ward.look()[0].until == 30
    # A word that was on its way for long.
    ward.told("node-3", 50, plan=4)
    assert ward.look()[0].until == 30


def test_a_partition_that_is_being_split_is_left_alone() -> None:
    ward = Ward(with_members(table(), state="splitting"))
    for node in MEMBERS:
        ward.told(node, 50)
    assert 0 not in ward.look()


def test_the_parents_log_goes_when_every_child_is_on_all_its_disks() -> None:
    first, *_ = table().partitions
    children = [
        {**first, "number": number, "members": MEMBERS, "lineage": [0], "state": "active"} for number in (1, 2)
    ]
    ancestor = {"number": 0, "children": [1, 2]}
    ward = Ward(replace(table(), partitions=children, ancestors=[ancestor]))
    for number in (1, 2):
        for node in MEMBERS:
            assert 0 not in ward.look()
            ward.told(node, 1, number)
    assert ward.look()[0] == PruneWish(ward.state.id, 0, 0, "", whole=True)


def test_a_log_that_lost_records_is_left_alone(ward: Ward) -> None:
    for node in MEMBERS:
        ward.told(node, 50)
    assert 0 in ward.look()
    ward.state = with_members(ward.state, frozen={"node": "node-1", "why": "lost", "since_ms": 0})
    assert 0 not in ward.look()
    ward.state = with_members(ward.state, recovery=1)
    assert 0 not in ward.look(), "it is being recovered"


@pytest.mark.parametrize("state", ["doubtful", "held", "frozen"])
def test_a_log_that_may_have_lost_records_is_left_alone(ward: Ward, state: str) -> None:
    for node in MEMBERS:
        ward.told(node, 50)
    ward.beat("node-2", "active")
    assert 0 in ward.look()
    ward.beat("node-2", state)
    assert 0 not in ward.look()
    ward.now_ms += 10 * NODE_SILENT_MS
    assert 0 not in ward.look(), "it died, and has not taken it back"
    ward.beat("node-2", "active")
    assert 0 in ward.look()


def test_a_recoverys_log_is_pruned_once_it_holds_all_and_the_old_one_never(ward: Ward) -> None:
    first, *others = ward.state.partitions
    successor = {**first, "number": 7, "state": "restoring", "members": ["node-1"]}
    ward.state = replace(ward.state, partitions=[successor, *others])
    ward.told("node-1", 50, 7)
    assert 7 not in ward.look()
    gone = {"number": 0, "children": [7], "recovered": {}}
    ward.state = replace(ward.state, partitions=[{**successor, "state": "active"}, *others], ancestors=[gone])
    assert ward.look().keys() & {0, 7} == {7}


def test_a_table_that_is_being_made_or_deleted_is_left_alone(ward: Ward) -> None:
    for status in ("CREATING", "DELETING"):
        ward.state = replace(ward.state, status=status)
        assert ward.look() == {}


def test_a_failed_call_is_made_again(ward: Ward) -> None:
    ward.steps.fails = True
    assert ward.look()
    assert ward.look()


def test_thousands_of_logs_take_turns(ward: Ward) -> None:
    first, *_ = ward.state.partitions
    ward.state = replace(ward.state, partitions=[{**first, "number": n} for n in range(LOGS_MOST + 50)])
    first_look, second = ward.look(), ward.look()
    assert len(first_look) == len(second) == LOGS_MOST
    assert {*first_look, *second} == set(range(LOGS_MOST + 50)), "those first that were not looked at yet"


def test_a_log_that_rests_is_looked_at_seldom() -> None:
    ward = Ward(with_members(table()), retention_ms=10 * EVERY_MS)
    numbers = [partition["number"] for partition in ward.state.partitions]
    ward.steps.answer = [Pruned(ward.state.id, number, 5, 500, 0, "retention", 0) for number in numbers]
    assert ward.look()
    assert not ward.look()
    ward.told("node-1", 50)
    assert [*ward.look()] == [0], "it was read on"
    looked = [wish for _ in range(12) for wish in ward.look()]
    assert sorted(looked) == numbers, "records have grown old"


def test_a_log_that_a_late_reader_holds_does_not_rest() -> None:
    ward = Ward(with_members(table()), retention_ms=10 * EVERY_MS)
    ward.steps.answer = [Pruned(ward.state.id, 0, 5, 500, 0, "archive", 400)]
    assert all(ward.look() for _ in range(4))


def test_a_reader_that_lags_is_named_while_it_does(ward: Ward) -> None:
    late = Pruned(ward.state.id, 0, 5, 500, 0, "archive", 400)
    ward.steps.answer = [late]
    ward.look()
    ward.look()
    (line,) = ward.pruning.lines()
    assert (line["by"], line["records"]) == ("archive", 400)
    ward.steps.answer = [late._replace(held=90)]
    ward.look()
    ward.look()
    assert ward.pruning.lines() == []


class Kafka:
    """A log, a clock of its records, and groups: for `LogPruner`."""

    def __init__(self, low: int, high: int, retained: int, groups: dict[str, int | None]) -> None:
        self.low, self.high, self.retained, self.groups = low, high, retained, groups
        self.deleted: list[int] = []

    def cluster(self) -> Any:
        return type("Cluster", (), {"is_mock": False})

    def group_offsets(self, group: str) -> dict[tuple[str, int], int]:
        offset = self.groups[group]
        return {} if offset is None else {("t.log.x", 0): offset}

    def delete_records(self, _name: str, _partition: int, before: int) -> None:
        assert self.low < before <= self.high
        self.deleted.append(before)

    # As a consumer.

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self.low, self.high

    def offsets_for_times(self, *_: Any, **__: Any) -> list[Any]:
        return [type("Found", (), {"offset": self.retained})]

    def close(self) -> None: ...


def pruned(
    monkeypatch: pytest.MonkeyPatch,
    kafka: Kafka,
    until: int,
    whole: bool = False,
    retention_s: float = 60.0,
    known: int = 0,
) -> Pruned:
    monkeypatch.setattr("dynabus.auto_admin.pruning.log_pruner.Consumer", lambda *_, **__: kafka)
    settings = type("Settings", (), {"log_reader": lambda _: {}})()
    pruner = LogPruner(cast("Any", settings), Topics("t"), cast("Any", kafka), retention_s, tuple(kafka.groups))
    (found,) = pruner.prune([PruneWish("x", 0, until, "node-1", whole, known)])
    return found


@pytest.mark.parametrize(
    ("kafka", "until", "deleted", "by", "held"),
    [
        (Kafka(0, 10_000, 9_500, {}), 8_000, [8_000], "node-1", 1_000),
        (Kafka(0, 10_000, 5_000, {}), 8_000, [5_000], "the retention", 0),
        (Kafka(0, 10_000, -1, {}), 9_900, [9_000], "the last records", 0),
        (Kafka(0, 10_000, -1, {"archive": 2_000}), 8_000, [2_000], "archive", 7_000),
        (Kafka(0, 10_000, -1, {"archive": None}), 8_000, [], "archive", 9_000),
        (Kafka(7_500, 10_000, -1, {}), 8_000, [], "node-1", 1_000),
        (Kafka(9_000, 10_000, -1, {}), 8_000, [], "node-1", 1_000),
        (Kafka(0, 500, -1, {}), 500, [], "the last records", 0),
    ],
    ids=["member", "retention", "youngest", "reader", "new reader", "not worth it", "pruned further", "short"],
)
def test_what_is_deleted(
    monkeypatch: pytest.MonkeyPatch, kafka: Kafka, until: int, deleted: list[int], by: str, held: int
) -> None:
    found = pruned(monkeypatch, kafka, until)
    assert (kafka.deleted, found.by, found.held) == (deleted, by, held)
    assert found.low == max([kafka.low, *deleted])


@pytest.mark.parametrize(("groups", "deleted"), [({}, [500]), ({"archive": 499}, [499]), ({"archive": None}, [])])
def test_a_closed_partitions_log_is_emptied(
    monkeypatch: pytest.MonkeyPatch, groups: dict[str, int | None], deleted: list[int]
) -> None:
    kafka = Kafka(0, 500, -1, groups)
    pruned(monkeypatch, kafka, 0, whole=True)
    assert kafka.deleted == deleted


def test_no_retention_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(0, 10_000, 0, {})
    pruned(monkeypatch, kafka, 8_000, retention_s=0.0)
    assert kafka.deleted == [8_000]


@pytest.mark.parametrize(("known", "deleted"), [(10_000, [8_000]), (10_001, [])])
def test_a_log_that_ends_before_what_was_read_of_it_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, known: int, deleted: list[int]
) -> None:
    kafka = Kafka(0, 10_000, -1, {})
    pruned(monkeypatch, kafka, 8_000, known=known)
    assert kafka.deleted == deleted
