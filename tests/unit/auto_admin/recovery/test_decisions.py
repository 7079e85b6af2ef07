"""Frozen partitions: what decisions make of the row, what is refused, and that any auto-admin finishes a recovery."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.splitting.test_splits import message, partitions, row_of, split, table
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.adapters.log_codec import AvroBodies
from dynabus.auto_admin.placement import moves
from dynabus.auto_admin.placement.planner import Move
from dynabus.auto_admin.recovery import decisions as recoveries
from dynabus.auto_admin.recovery.decisions import Choice
from dynabus.auto_admin.recovery.freezing import PATIENCE_MS, Freezing
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.tables.decisions import TableState, read_row, written
from dynabus.core.cluster_view import ClusterView
from dynabus.core.replication.records import Form, Genesis, decode_record
from dynabus.core.replication.standstill import is_fence

NAME = REQUEST["TableName"]
PLACE = {
    "term": 4,
    "next_sequence": 7,
    "next_offset": 30,
    "log_time_ms": 1234,
    "chain": "ab" * 16,
    "checksum": "00000000000000ff",
}
CHOICE = Choice(NAME, 0, "node-2", PLACE)


def frozen(state: TableState | None = None, number: int = 0) -> TableState:
    state = state or table()
    return row_of(recoveries.freeze(state.id, number, "node-2", "place 30 lies beyond")(written(state), 5))


def recover(state: TableState | None, choice: Choice = CHOICE, begun: frozenset[int] = frozenset()) -> Any:
    return recoveries.recover(choice, begun, 20)(None if state is None else written(state), 6)


def test_frozen_is_decided_once_and_said_in_metadata() -> None:
    state = frozen()
    assert [each["state"] for each in state.metadata_partitions()] == ["frozen", "active"]
    assert not recoveries.freeze(state.id, 0, "node-1", "again")(written(state), 6).write
    assert not recoveries.freeze("another", 0, "node-1", "")(written(table()), 6).write
    assert not recoveries.freeze(state.id, 7, "node-1", "")(written(table()), 6).write
    assert not recoveries.freeze(state.id, 0, "node-1", "")(None, 6).write


def test_nobody_touches_what_is_frozen() -> None:
    state = frozen()
    assert "recover" in message(split(state))
    move = Move(NAME, 0, 0, "node-4", "node-1", "node-2", "balance")
    assert not moves.begin(move)(written(state), 0).write
    moved = row_of(moves.begin(move)(written(table()), 0))
    assert moves.moving(moved)
    assert not moves.moving(frozen(moved)), "no order and no end of a move while it is frozen"


def test_a_move_ends_with_the_log_in_which_it_would_have_ended() -> None:
    """Neither finished nor undone: its `configure` cannot be appended any more. Who was joining keeps its replica."""
    move = Move(NAME, 0, 0, "node-4", "node-1", "node-2", "balance")
    moved = frozen(row_of(moves.begin(move)(written(table()), 0)))
    state = row_of(recover(moved, CHOICE._replace(node="node-4")))
    old = next(each for each in state.metadata_partitions() if each["number"] == 0)
    assert (old["state"], old["joining"]) == ("frozen", ["node-4"]), "it restores from this replica"
    assert not moves.moving(state)
    again = row_of(recover(state, CHOICE._replace(node="node-4", place={**PLACE, "term": 5})))
    done = row_of(recoveries.finish(state.id, 3)(written(again), 9))
    assert {each["number"]: each["members"] for each in done.partitions}[3] == ["node-4"]
    assert not any("move" in each for each in [*done.partitions, *done.ancestors])


def test_a_successor_has_the_range_the_next_number_and_one_member() -> None:
    state = row_of(recover(frozen()))
    old, other, successor = sorted(state.partitions, key=lambda each: each["number"])
    assert (old["number"], old["recovery"], other["number"]) == (0, 2, 1)
    assert [successor[name] for name in ("number", "generation", "state", "members", "preferred", "lineage")] == [
        2, 2, "restoring", ["node-2"], "node-2", [],
    ]  # fmt: skip
    assert (successor["lower"], successor["upper"]) == (old["lower"], old["upper"])
    recovered, log_time_ms = recoveries.recovered_of(successor)
    assert (recovered.partition, recovered.generation, recovered.node, log_time_ms) == (0, 1, "node-2", 1234)
    assert (recovered.term, recovered.next_sequence, recovered.next_offset) == (4, 7, 30)
    assert (recovered.chain, recovered.checksum) == (b"\xab" * 16, bytes(7) + b"\xff")


def test_it_takes_the_place_and_the_lineage_says_so() -> None:
    state = row_of(recover(frozen()))
    done = row_of(recoveries.finish(state.id, 2)(written(state), 8))
    assert sorted((each["number"], splits.state_of(each)) for each in done.partitions) == [
        (1, "active"),
        (2, "active"),
    ]
    (closed,) = done.ancestors
    assert (closed["number"], closed["children"], closed["recovered"]["node"]) == (0, [2], "node-2")
    assert moves.plan_of(next(each for each in done.partitions if each["number"] == 2)) == 1
    assert not recoveries.finish(state.id, 2)(written(done), 9).write
    assert "there is nothing to recover" in message(recover(done, CHOICE._replace(number=2)))


def test_two_operators_at_once() -> None:
    state = row_of(recover(frozen()))
    again = recover(state)
    assert not again.write
    assert orjson.loads(again.outcome.body) == {"Partition": 0, "Successor": 2, "Node": "node-2"}
    other = row_of(recover(state, Choice(NAME, 0, "node-1", {**PLACE, "next_sequence": 6})))
    numbers = {each["number"]: splits.state_of(each) for each in other.partitions}
    assert numbers == {0: "active", 1: "active", 3: "restoring"}
    successor = next(each for each in other.partitions if each["number"] == 3)
    assert (successor["members"], successor["generation"]) == (["node-1"], 3)
    assert [(each["number"], each["children"]) for each in other.ancestors] == [(2, [])]
    assert not recoveries.finish(state.id, 2)(written(other), 8).write, "the first one is given up"
    assert splits.highest(other) == 3


def test_what_is_refused_says_why() -> None:
    state = frozen()
    assert "not found" in message(recover(None))
    assert "has no partition 7: it has 0, 1" in message(recover(state, CHOICE._replace(number=7)))
    assert "is not frozen: there is nothing to recover" in message(recover(table()))
    assert "node-9 has no replica of partition 0" in message(recover(state, CHOICE._replace(node="node-9")))
    for bad in ({}, {**PLACE, "chain": "xy"}, {**PLACE, "term": None}, {**PLACE, "log_time_ms": "a"}):
        assert "That is no place of a replica" in message(recover(state, CHOICE._replace(place=bad)))
    gone = TableState(**{**{name: getattr(state, name) for name in TableState.__slots__}, "status": "DELETING"})
    assert "DELETING" in message(recover(gone))
    full = recoveries.recover(CHOICE, frozenset(), 2)(written(state), 6)
    assert "2 partition numbers" in message(full)


def test_a_split_that_was_prepared_is_given_up_and_one_that_was_sealed_is_not() -> None:
    prepared = frozen(read_row(split(table()).row))
    assert "its children take its place" in message(recover(prepared, CHOICE, frozenset({3})))
    state = row_of(recover(prepared))
    assert {each["number"]: splits.state_of(each) for each in state.partitions} == {
        0: "active", 1: "active", 4: "restoring",
    }  # fmt: skip
    assert not splits.splitting(state)
    assert [each["number"] for each in state.ancestors] == [2, 3]


# -- who says so --------------------------------------------------------------------------------------------------


def heartbeat(node: str, state: str, generation: int = 1) -> Any:
    said = {
        "log": "x", "partition": 0, "generation": generation, "state": state, "leading": False, "appending": False,
        "term": 1, "sequence": 0, "next_offset": 5, "lag": 0, "alarm": "why", "totals": [], "checked": [], "plan": 0,
    }  # fmt: skip
    return {
        "node": node, "service": "storage-node", "zone": "a", "incarnation": 1, "stopping": False, "number": 0,
        "whole": True, "replicas": [said],
    }  # fmt: skip


def losses(
    state: TableState, *said: tuple[str, str], at_ms: float, freezing: Freezing, view: ClusterView
) -> list[int]:
    for node, what in said:
        beat = heartbeat(node, what)
        beat["replicas"][0]["log"] = state.id
        view.take("heartbeat", beat, at_ms)
    return [loss.number for loss in freezing.due({state.id: state}, at_ms)]


def test_a_frozen_replica_decides_and_one_that_doubts_only_after_a_while() -> None:
    state, view = table(), ClusterView()
    freezing = Freezing(view)
    assert losses(state, ("node-1", "active"), ("node-2", "stopped"), at_ms=0.0, freezing=freezing, view=view) == []
    assert losses(state, ("node-2", "doubtful"), at_ms=1000.0, freezing=freezing, view=view) == []
    # It cleared, and doubts again.
    assert losses(state, ("node-2", "active"), at_ms=19_000.0, freezing=freezing, view=view) == []
    assert losses(state, ("node-2", "doubtful"), at_ms=21_000.0, freezing=freezing, view=view) == []
    assert losses(state, at_ms=20_999.0 + PATIENCE_MS, freezing=freezing, view=view) == []
    # Nobody hears it any more: it may have been the only one that had it.
    assert losses(state, at_ms=22_500.0 + PATIENCE_MS, freezing=freezing, view=view) == [0]
    assert losses(state, ("node-3", "frozen"), at_ms=90_000.0, freezing=freezing, view=view) == [0]
    assert losses(frozen(state), at_ms=95_000.0, freezing=freezing, view=view) == []


# -- the life of a recovery ---------------------------------------------------------------------------------------


def live_through(crash_after: int | None, *, names: tuple[str, ...], restarts: bool) -> Life:
    """A partition freezes and is recovered; whoever reaches that effect dies right after it."""
    life = Life(*names)
    life.restarts = restarts
    life.create()
    life.kafka.effects, life.kafka.crash_after = 0, crash_after
    life.nodes.frozen = {0: "place 30 lies beyond the log's end 20"}
    life.until("frozen", lambda: partitions(life).get(0) == "frozen")
    answer = life.ask("RecoverPartition", TableName=NAME, Partition=0, Node="node-2", Place=PLACE)
    assert answer == {"Partition": 0, "Successor": 2, "Node": "node-2"}
    life.until("recovered", lambda: partitions(life) == {1: "active", 2: "active"})
    (logs,) = life.kafka.logs.values()
    fences = [value for value in logs[0] if is_fence(decode_record(0, 0, value))]
    first = decode_record(0, 0, logs[2][0])
    genesis = AvroBodies().decode(first.schema_number, first.body)
    assert fences
    assert isinstance(genesis, Genesis)
    assert (genesis.form, genesis.members, genesis.term) == (Form.RECOVERY, ("node-2",), 4)
    assert (first.generation, first.previous, first.log_time_ms) == (2, b"\xab" * 16, 1234)
    life.until("three members again", lambda: members(life, 2) == ["node-1", "node-2", "node-3"])
    return life


def members(life: Life, number: int) -> list[str]:
    return sorted(next(each for each in metadata(life) if each["number"] == number)["members"])


def metadata(life: Life) -> list[Any]:
    (found,) = (each for key, each in life.kafka.metadata.items() if key.startswith("table/"))
    partitions: list[Any] = found["partitions"]
    return partitions


EFFECTS = live_through(None, names=("admin-1",), restarts=False).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    live_through(crash_after, names=("admin-1",), restarts=True)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    live_through(crash_after, names=("admin-1", "admin-2"), restarts=False)


def test_what_was_done_is_told() -> None:
    life = live_through(None, names=("admin-1",), restarts=False)
    events = [each["event"] for each in life.ask("ListEvents", Count=50)["Events"]]
    assert f"{NAME}/0 is being recovered as 2" in events
    assert f"{NAME}/0 was recovered as 2, from the replica of node-2" in events
    assert any("is frozen: node-" in event for event in events)
