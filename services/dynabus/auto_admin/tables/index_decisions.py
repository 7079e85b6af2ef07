"""Decisions about rows of global secondary indexes, which follow those of their tables (`indexing`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dynabus.auto_admin.placement.planner import Placement
from dynabus.auto_admin.tables.decisions import TableState, decide, next_revision, read_row
from dynabus.auto_admin.tables.new_partitions import first_partitions
from dynabus.core.replication.store import Decision, Evaluate, Outcome


def create_index(
    own_id: str, name: str, of_table: str, description: dict[str, Any], placements: Sequence[Placement]
) -> Evaluate:
    """The row of an index that its table's row names."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if old is not None:
            return Decision(False, None, Outcome())
        partitions = first_partitions(placements)
        return decide(
            TableState(own_id, name, "CREATING", description, partitions, changed_ms=wall_ms, of_table=of_table)
        )

    return evaluate


def delete_index(own_id: str) -> Evaluate:
    """Its table names it no more, or is going."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.status == "DELETING":
            return Decision(False, None, Outcome())
        return decide(next_revision(replace(state, status="DELETING", pending={}, changed_ms=wall_ms)))

    return evaluate


def change_index(own_id: str, revision: int, members: Mapping[str, Any]) -> Evaluate:
    """Its table has another throughput for it, or another mode; None takes a member away. It is pending until it has
    the partitions for it, as a change of a table is (`splitting.growth`)."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.revision != revision:
            return Decision(False, None, Outcome())
        description = {
            each: value for each, value in state.description.items() if members.get(each, value) is not None
        }
        pending = {**state.pending, **{each: value for each, value in members.items() if value is not None}}
        return decide(next_revision(replace(state, description=description, pending=pending)))

    return evaluate
