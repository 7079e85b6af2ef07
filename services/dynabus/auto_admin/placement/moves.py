"""Changes of a replication group as decisions: what one makes of a table's row. Pure.

    partition   (no "move") --begin--> "move" --finish--> (no "move"), with other members
                                       "move" --undo--> "move" of nothing --finish--> (no "move"), members as before

"plan" rises with each begin and each undo, so that of all orders that lie about for a partition only those of the
row's present plan are obeyed, and a `configure` of an earlier one changes nothing. That is why an undo is a plan too:
whether the earlier `configure` was appended after all, nobody needs to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dynabus.auto_admin.placement.planner import Move, changed
from dynabus.auto_admin.splitting.splits import ACTIVE, Partition, state_of
from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, written
from dynabus.core.replication.store import Decision, Evaluate, Outcome

MOVABLE = ("ACTIVE", "UPDATING")
"""States of a table in which its groups change; one that is being created or deleted is left alone."""


def plan_of(partition: Mapping[str, Any]) -> int:
    """Rows of before moves do not say it."""
    return int(partition.get("plan", 0))


def moving(state: TableState) -> list[Partition]:
    """Partitions whose members are being changed."""
    return [each for each in state.partitions if "move" in each and "frozen" not in each]


def target(partition: Mapping[str, Any]) -> list[str]:
    """The members that it shall have."""
    move, members = partition.get("move"), list(partition["members"])
    return members if move is None else changed(members, move["get"], move["lose"])


def joining(partition: Mapping[str, Any]) -> list[str]:
    """Nodes that replay its log and are no members yet."""
    move = partition.get("move")
    return [move["get"]] if move is not None and move["get"] else []


def joined(partition: Mapping[str, Any]) -> dict[str, int]:
    """The plan by which each node became, or becomes, a member; those that began the group are not named."""
    return {**partition.get("joined", {}), **{node: plan_of(partition) for node in joining(partition)}}


def begin(move: Move) -> Evaluate:
    """The decision to change a group; nothing where the row is not what was planned for."""

    def make(state: TableState, partition: Partition, wall_ms: int) -> Partition | None:
        members = partition["members"]
        free = "move" not in partition and "frozen" not in partition and state_of(partition) == ACTIVE
        fits = free and plan_of(partition) == move.plan
        wanted = move.get not in members and (not move.lose or move.lose in members)
        if not fits or not wanted or state.status not in MOVABLE or not (move.get or len(members) > 1):
            return None
        kept = {"get": move.get, "lose": move.lose, "preferred": move.preferred, "why": move.why}
        return {**partition, "plan": move.plan + 1, "move": {**kept, "since_ms": wall_ms}}

    return _change(move.table, move.number, make)


def undo(own_id: str, number: int, plan: int, why: str) -> Evaluate:
    """The joining node is gone: the members shall be those that are, whatever became of the last plan's orders."""

    def make(state: TableState, partition: Partition, wall_ms: int) -> Partition | None:
        if state.id != own_id or plan_of(partition) != plan or not joining(partition):
            return None
        move = {"get": "", "lose": "", "preferred": partition["preferred"], "why": why, "since_ms": wall_ms}
        return {**partition, "plan": plan + 1, "move": move}

    return _change("", number, make)


def finish(own_id: str, number: int, plan: int) -> Evaluate:
    """The log has the members of this plan."""

    def make(state: TableState, partition: Partition, _: int) -> Partition | None:
        if state.id != own_id or plan_of(partition) != plan or "move" not in partition:
            return None
        kept, members = {name: value for name, value in partition.items() if name != "move"}, target(partition)
        since = {node: by for node, by in joined(partition).items() if node in members}
        return {**kept, "members": members, "joined": since, "preferred": partition["move"]["preferred"]}

    return _change("", number, make)


Make = Callable[[TableState, Partition, int], Partition | None]


def _change(table: str, number: int, make: Make) -> Evaluate:
    """Replace one partition of the row, or change nothing where `make` says None."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        found = _find(state, number) if state is not None and table in ("", state.name) else None
        made = make(state, found, wall_ms) if state is not None and found is not None else None
        if state is None or made is None or state.status == "DELETING":
            return Decision(False, None, Outcome())
        partitions = [made if each is found else each for each in state.partitions]
        after = replace(state, partitions=partitions, changed_ms=wall_ms)
        return Decision(True, written(next_revision(after)), Outcome())

    return evaluate


def _find(state: TableState, number: int) -> Partition | None:
    return next((each for each in state.partitions if each["number"] == number), None)
