"""Splits: what is refused, what a decision makes of the row, and that any auto-admin finishes what another began."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.placement.planner import Load, Placement
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.splitting.splits import Wish
from dynabus.auto_admin.tables.decisions import TableState, create, read_row, written
from dynabus.core.errors import ApiError
from dynabus.core.replication.store import Decision

NAME = REQUEST["TableName"]
ALL = Placement(("node-1", "node-2", "node-3"), "node-1")
AT = b"\x20" * 8


def table(**changes: Any) -> TableState:
    row = create({**REQUEST, **changes}, b"request", [ALL, ALL], "r", "1" * 12)(None, 0).row
    assert row is not None
    state = read_row(row)
    return TableState(**{**_fields(state), "status": "ACTIVE"})


def _fields(state: TableState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in TableState.__slots__}


def split(state: TableState, number: int = 0, at: bytes = AT) -> Any:
    return splits.split(Wish(NAME, number, at, "asked for"), Load(), 20)(written(state), 0)


def row_of(decision: Decision) -> TableState:
    assert decision.row is not None
    return read_row(decision.row)


def message(decision: Any) -> str:
    assert not decision.write
    return str(orjson.loads(decision.outcome.body)["message"])


def test_numbers_go_on_and_children_tile_their_parent() -> None:
    state = read_row(split(table()).row)
    parent = next(each for each in state.partitions if each["number"] == 0)
    lower, upper = splits.heirs_of(state, parent)
    assert (parent["state"], parent["children"]) == ("splitting", [2, 3])
    assert (lower["number"], upper["number"]) == (2, 3)
    assert (lower["lower"], lower["upper"]) == ("", AT.hex())
    assert (upper["lower"], upper["upper"]) == (AT.hex(), parent["upper"])
    assert [each["generation"] for each in (lower, upper)] == [2, 2]
    assert [each["lineage"] for each in (lower, upper)] == [[0], [0]]
    assert lower["preferred"] != upper["preferred"]
    assert lower["members"] == parent["members"]


def test_the_lineage_outlives_the_parent() -> None:
    state = read_row(split(table()).row)
    done = splits.finish(state.id, [0])(written(state), 0)
    state = row_of(done)
    assert sorted(each["number"] for each in state.partitions) == [1, 2, 3]
    assert {splits.state_of(each) for each in state.partitions} == {"active"}
    again = read_row(split(state, 2, b"\x10" * 8).row)
    assert [each["lineage"] for each in again.partitions if each["number"] in (4, 5)] == [[0, 2], [0, 2]]
    closed = row_of(splits.finish(again.id, [2])(written(again), 0))
    assert [(each["number"], each["children"]) for each in closed.ancestors] == [(0, [2, 3]), (2, [4, 5])]
    assert splits.highest(closed) == 5
    assert not splits.finish(closed.id, [2])(written(closed), 0).write


def test_what_is_refused_says_what_to_do() -> None:
    state = table()
    middle = bytes.fromhex(state.partitions[0]["upper"])
    assert "has no partition 7: it has 0, 1" in message(split(state, 7))
    assert "lower bound" in message(split(state, 1, middle))
    assert "before" in message(split(state, 1, AT))
    assert "behind" in message(split(state, 0, middle))
    busy = read_row(split(state).row)
    assert "being split already, into 2, 3" in message(split(busy))
    assert "wait until it is active" in message(split(busy, 2))
    full = splits.split(Wish(NAME, 0, AT, ""), Load(), 3)(written(state), 0)
    assert "3 partition numbers" in message(full)
    for status in ("CREATING", "UPDATING", "DELETING"):
        assert status in message(split(TableState(**{**_fields(state), "status": status})))
    assert "not found" in message(splits.split(Wish(NAME, 0, AT, ""), Load(), 20)(None, 0))


SORTED = {
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "other")],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
}
INDEX = {
    "IndexName": "by-other",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "other", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}


def test_a_point_is_a_key_or_its_partition_key() -> None:
    state = table(**SORTED)
    whole = splits.bound_of(state, {"pk": {"S": "a"}, "sk": {"S": "b"}})
    assert whole.startswith(splits.bound_of(state, {"pk": {"S": "a"}}))
    for bad in ({"pk": {"N": "1"}}, {"sk": {"S": "b"}}, "a", {"pk": {"S": ""}, "sk": {"S": "b"}}, {}):
        with pytest.raises(ApiError):
            splits.bound_of(state, bad)


def test_no_point_lies_inside_a_collection_that_has_an_index() -> None:
    state = table(**SORTED, LocalSecondaryIndexes=[INDEX])
    assert splits.bound_of(state, {"pk": {"S": "a"}})
    with pytest.raises(ApiError, match="give the partition key pk alone"):
        splits.bound_of(state, {"pk": {"S": "a"}, "sk": {"S": "b"}})


# -- the life of a split ------------------------------------------------------------------------------------------


def partitions(life: Life) -> dict[int, str]:
    """Number and state, in metadata after compaction."""
    (found,) = (message for key, message in life.kafka.metadata.items() if key.startswith("table/"))
    return {each["number"]: each["state"] for each in found["partitions"]}


def ask(life: Life, number: int, **more: Any) -> dict[str, Any]:
    return life.ask("SplitPartition", TableName=NAME, Partition=number, **more)


def live_through(crash_after: int | None, *, names: tuple[str, ...], restarts: bool) -> Life:
    """Two splits, one asked for by key and one in the middle; whoever reaches that effect dies right after it."""
    life = Life(*names)
    life.restarts = restarts
    life.create()
    life.kafka.effects, life.kafka.crash_after = 0, crash_after
    answer = ask(life, 0)
    assert (answer["Children"], answer["At"]) == ([2, 3], (b"\x40" * 8).hex())
    life.until("split", lambda: partitions(life) == {1: "active", 2: "active", 3: "active"})
    life.nodes.middle = b"\x10" * 8
    assert ask(life, 2)["Children"] == [4, 5]
    life.until("split again", lambda: set(partitions(life)) == {1, 3, 4, 5})
    life.until("done", lambda: set(partitions(life).values()) == {"active"} and life.rows() == ["ACTIVE"])
    assert sorted(*(logs for logs in life.kafka.logs.values())) == [0, 1, 2, 3, 4, 5]
    return life


EFFECTS = live_through(None, names=("admin-1",), restarts=False).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    live_through(crash_after, names=("admin-1",), restarts=True)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    live_through(crash_after, names=("admin-1", "admin-2"), restarts=False)


def test_a_dead_member_is_not_waited_for_and_a_majority_is() -> None:
    life = Life()
    life.create()
    life.nodes.deaf = {"node-2", "node-3"}
    life.kafka.now_ms += 10_000
    assert ask(life, 0, At={"artist": {"S": "a"}})
    for _ in range(40):
        life.turn()
    assert not life.nodes.sealed, "one of three sealed"
    life.nodes.deaf = {"node-3"}
    life.until("sealed", lambda: life.nodes.sealed)


def test_a_member_whose_heir_failed_is_not_waited_for() -> None:
    life = Life()
    life.create()
    life.nodes.failed = {"node-3"}
    ask(life, 0)
    life.until("split", lambda: 2 in partitions(life) and 0 not in partitions(life))


def test_a_partition_without_a_middle_is_refused() -> None:
    life = Life()
    life.create()
    life.nodes.middle = None
    assert "one item collection" in ask(life, 0)["message"]
    assert partitions(life) == {0: "active", 1: "active"}


def test_what_is_too_large_is_split_without_being_asked() -> None:
    life = Life(split_bytes=1000)
    life.create()
    life.nodes.sizes = {0: 1000, 1: 10}
    for _ in range(60):
        life.turn()
    assert set(partitions(life)) == {0, 1}
    life.nodes.sizes = {0: 1001, 1: 10, 2: 500, 3: 501}
    life.until("split", lambda: partitions(life) == {1: "active", 2: "active", 3: "active"})
    (ancestor,) = next(iter(life.active()[0].tables.all().values())).ancestors
    assert (ancestor["number"], ancestor["why"]) == (0, "1001 bytes")


def test_a_table_can_be_deleted_while_it_is_split() -> None:
    life = Life()
    life.create()
    life.nodes.deaf = {"node-2", "node-3"}
    life.kafka.now_ms += 10_000
    ask(life, 0)
    life.nodes.deaf = set()
    life.delete()
    assert life.kafka.metadata == {}
