"""Moves: any auto-admin finishes what another began, and what cannot be finished is undone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.splitting.test_splits import NAME, table
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.placement import moves, moving
from dynabus.auto_admin.placement.planner import Load, Move
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.tables.decisions import TableState, read_row, written
from dynabus.core.errors import ApiError

MOVE = Move(NAME, 0, 0, "node-4", "node-1", "node-4", "because")


def after(state: TableState, evaluate: Any) -> TableState:
    decision = evaluate(written(state), 77)
    assert decision.write
    return read_row(decision.row)


def first(state: TableState) -> dict[str, Any]:
    return next(each for each in state.partitions if each["number"] == 0)


def test_a_move_from_begin_to_end() -> None:
    begun = after(table(), moves.begin(MOVE))
    partition = first(begun)
    assert (partition["plan"], partition["members"]) == (1, ["node-1", "node-2", "node-3"])
    assert moves.target(partition) == ["node-4", "node-2", "node-3"]
    (metadata,) = (each for each in begun.metadata_partitions() if each["number"] == 0)
    assert (metadata["joining"], metadata["members"]) == (["node-4"], ["node-1", "node-2", "node-3"])
    done = after(begun, moves.finish(begun.id, 0, 1))
    assert first(done)["members"] == ["node-4", "node-2", "node-3"]
    assert first(done)["preferred"] == "node-4"
    assert moves.joined(partition) == first(done)["joined"] == {"node-4": 1}
    assert "move" not in first(done)
    assert done.revision == table().revision + 2


def test_an_undo_is_a_plan_of_its_own() -> None:
    begun = after(table(), moves.begin(MOVE))
    undone = after(begun, moves.undo(begun.id, 0, 1, "gone"))
    assert moves.target(first(undone)) == ["node-1", "node-2", "node-3"]
    assert moves.plan_of(first(undone)) == 2
    assert not moves.finish(begun.id, 0, 1)(written(undone), 0).write, "finished by the plan that was undone"
    assert not moves.undo(begun.id, 0, 2, "again")(written(undone), 0).write
    done = after(undone, moves.finish(begun.id, 0, 2))
    assert first(done)["members"] == ["node-1", "node-2", "node-3"]
    assert first(done)["joined"] == {}


def test_who_left_and_joins_again_joins_by_the_later_plan() -> None:
    there = after(after(table(), moves.begin(MOVE)), moves.finish(table().id, 0, 1))
    back = MOVE._replace(get="node-1", lose="node-4", plan=1)
    again = after(after(there, moves.begin(back)), moves.finish(there.id, 0, 2))
    assert first(again)["joined"] == {"node-1": 2}


@pytest.mark.parametrize(
    "wrong", [{"plan": 1}, {"get": "node-2"}, {"lose": "node-9"}, {"number": 7}, {"table": "another"}]
)
def test_what_was_planned_for_another_row_changes_nothing(wrong: dict[str, Any]) -> None:
    assert not moves.begin(MOVE._replace(**wrong))(written(table()), 0).write


def test_splits_and_moves_exclude_each_other() -> None:
    begun = after(table(), moves.begin(MOVE))
    with pytest.raises(ApiError, match="being moved"):
        splits.find(begun, NAME, 0, 20)
    wish = splits.Wish(NAME, 0, b"\x20" * 8, "")
    halved = after(table(), splits.split(wish, Load(), 20))
    assert not moves.begin(MOVE)(written(halved), 0).write
    assert not moves.begin(MOVE)(None, 0).write


# -- in the loop --------------------------------------------------------------------------------------------------


def members(life: Life) -> dict[int, list[str]]:
    """As metadata has them."""
    (found,) = (message for key, message in life.kafka.metadata.items() if key.startswith("table/"))
    assert not any(each["joining"] for each in found["partitions"])
    return {each["number"]: sorted(each["members"]) for each in found["partitions"]}


def is_still(life: Life) -> bool:
    (admin,) = life.active()[:1] or (None,)
    return admin is not None and not any(moves.moving(state) for state in admin.tables.all().values())


def held(life: Life, node: str) -> int:
    (found,) = (message for key, message in life.kafka.metadata.items() if key.startswith("table/"))
    return sum(node in each["members"] or node in each["joining"] for each in found["partitions"])


def live_through(crash_after: int | None, *, names: tuple[str, ...], restarts: bool) -> Life:
    """A fourth node comes and gets its share, the first is drained; whoever reaches that effect dies after it."""
    life = Life(*names)
    life.restarts = restarts
    life.create()
    life.kafka.effects, life.kafka.crash_after = 0, crash_after
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.until("its share", lambda: is_still(life) and held(life, "node-4") == 1)
    answer = life.ask("DrainNode", NodeName="node-1")
    assert answer["State"] == "draining", answer
    life.until("drained", lambda: is_still(life) and held(life, "node-1") == 0)
    assert set(map(tuple, members(life).values())) == {("node-2", "node-3", "node-4")}
    for (_, number), (_, log_members) in life.nodes.groups.items():
        assert sorted(log_members) == members(life)[number], "the log has other members than metadata"
    return life


EFFECTS = live_through(None, names=("admin-1",), restarts=False).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    live_through(crash_after, names=("admin-1",), restarts=True)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    live_through(crash_after, names=("admin-1", "admin-2"), restarts=False)


def wait(life: Life, seconds: float) -> None:
    for _ in range(int(seconds * 20)):
        life.turn()


def with_a_spare_node() -> Life:
    life = Life(repair_after_ms=8000)
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.create()
    wait(life, 2)
    return life


def test_a_node_that_is_silent_for_long_is_replaced() -> None:
    life = with_a_spare_node()
    before = members(life)
    life.nodes.deaf = {"node-1"}
    wait(life, 7)
    assert members(life) == before
    life.until("replaced", lambda: is_still(life) and held(life, "node-1") == 0)
    life.nodes.deaf = set()
    life.until("balanced again", lambda: is_still(life) and held(life, "node-1") == 1)


def test_kafka_that_stood_still_makes_nobody_silent() -> None:
    life = with_a_spare_node()
    before = members(life)
    life.nodes.deaf = set(life.nodes.names)
    wait(life, 30)
    problems = life.active()[0]._rounds.plan(life.kafka.now_ms).problems
    assert len(problems) == 4
    assert all("is silent for 0 s" in problem for problem in problems), problems
    life.nodes.deaf = {"node-1"}
    wait(life, 5)
    assert members(life) == before
    assert is_still(life)


def test_a_joining_node_that_dies_is_given_up() -> None:
    life = Life(repair_after_ms=5000)
    life.create()
    life.nodes.lag = 10_000
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.until("it joins", lambda: held(life, "node-4") == 1)
    before = life.nodes.groups.copy()
    life.nodes.deaf = {"node-4"}
    life.nodes.lag = 0
    life.until("undone", lambda: is_still(life) and held(life, "node-4") == 0)
    assert before == {}
    ((plan, now),) = life.nodes.groups.values()
    assert plan == 2, "the undo is a plan that the log has"
    assert sorted(now) == ["node-1", "node-2", "node-3"]


def test_a_joining_replica_that_fails_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "REFUSED_MS", 60_000.0)
    life = Life(repair_after_ms=5000)
    life.create()
    life.nodes.failed = {"node-4"}
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.until("undone", lambda: any(plan >= 2 for plan, _ in life.nodes.groups.values()))
    assert all("node-4" not in now for _, now in life.nodes.groups.values())
    # Though it has the fewest replicas it is not asked again for a while; the others may be.
    wait(life, 40)
    assert is_still(life)
    assert all(plan == 2 for plan, _ in life.nodes.groups.values())
    life.nodes.failed = set()
    life.until("asked again", lambda: is_still(life) and held(life, "node-4") == 1)


def test_a_table_can_be_deleted_while_a_group_moves() -> None:
    life = Life()
    life.create()
    life.nodes.lag = 10_000
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.until("it joins", lambda: held(life, "node-4") == 1)
    life.delete()
    assert life.kafka.metadata == {}


def test_a_table_can_be_updated_while_a_group_moves() -> None:
    life = Life()
    life.create()
    life.nodes.lag = 10_000
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.until("it joins", lambda: held(life, "node-4") == 1)
    assert life.update(DeletionProtectionEnabled=True)["TableDescription"]["DeletionProtectionEnabled"]
    life.nodes.lag = 0
    life.until("done", lambda: is_still(life) and held(life, "node-4") == 1)


# -- what operators ask -------------------------------------------------------------------------------------------


def test_drain_and_remove_say_why_not() -> None:
    life = Life()
    life.create()
    wait(life, 2)
    assert "There is no node nobody" in life.ask("DrainNode", NodeName="nobody")["message"]
    assert "zone b has no other node" in life.ask("DrainNode", NodeName="node-2")["message"]
    assert "admin drain node-1" in life.ask("RemoveNode", NodeName="node-1")["message"]
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.until("its share", lambda: is_still(life) and held(life, "node-4") == 1)
    life.nodes.lag = 10_000
    assert life.ask("DrainNode", NodeName="node-1")["State"] == "draining"
    assert life.ask("DrainNode", NodeName="node-1")["State"] == "draining"
    assert "zone a has no other node" in life.ask("DrainNode", NodeName="node-4")["message"]
    assert "still has" in life.ask("RemoveNode", NodeName="node-1")["message"]
    life.nodes.lag = 0
    life.until("drained", lambda: is_still(life) and held(life, "node-1") == 0)
    assert life.ask("RemoveNode", NodeName="node-1")["State"] == "removed"
    wait(life, 3)
    assert held(life, "node-1") == 0
    assert "was removed" in life.ask("DrainNode", NodeName="node-1")["message"]


def test_two_drains_in_one_moment_do_not_count_on_each_other() -> None:
    life = Life()
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.create()
    wait(life, 2)
    answers: dict[int, Any] = {}
    common = {"asker": "cli", "incarnation": 9, "budget_ms": 15_000, "repeat": False, "operation": "DrainNode"}
    for _ in range(10):
        for counter, node in ((901, "node-1"), (902, "node-4")):
            body = orjson.dumps({"NodeName": node})
            if counter not in answers:
                life.kafka.messages.append(("control_request", {**common, "counter": counter, "body": body}))
        wait(life, 0.5)
        answers = {counter: found[0] for counter in (901, 902) if (found := life.replies(counter))}
    assert answers[901]["State"] == "draining"
    assert "zone a has no other node" in answers[902]["message"]


def test_undrain_stops_what_has_not_begun() -> None:
    life = Life()
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.create()
    wait(life, 2)
    life.nodes.lag = 10_000
    life.ask("DrainNode", NodeName="node-1")
    assert life.ask("UndrainNode", NodeName="node-1")["State"] == "active"
    life.nodes.lag = 0
    life.until("balanced", lambda: is_still(life) and held(life, "node-1") == 1)


def test_the_plan_and_what_was_done_can_be_asked() -> None:
    life = Life()
    life.create()
    life.nodes.names = {**life.nodes.names, "node-4": "a"}
    life.nodes.lag = 10_000
    life.until("it joins", lambda: held(life, "node-4") == 1)
    told = life.ask("DescribePlan")
    (line,) = told["UnderWay"]
    assert (line["get"], line["lose"]) == ("node-4", "node-1")
    assert {each["name"]: each["replicas"] for each in told["Nodes"]}["node-4"] == 1
    life.nodes.lag = 0
    life.until("done", lambda: is_still(life))
    life.nodes.names = {**life.nodes.names, "node-2": "c"}
    wait(life, 1)
    assert any("zone c now" in problem for problem in life.ask("DescribePlan")["Problems"])
    events = [each["event"] for each in life.ask("ListEvents", Count=50)["Events"]]
    assert any("node node-4 in zone a was heard" in event for event in events)
    begun = next(at for at, event in enumerate(events) if "node-1 is replaced by node-4" in event)
    assert any("done, its members are" in event for event in events[begun:])
    assert f"table {REQUEST['TableName']}: new -> CREATING" in events
