"""Decisions: what regions have answered about a global table, and how far links are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, written
from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.links import ACTIVE, COPYING, DELETING, DRAINING
from dynabus.core.global_tables.register import Register, Said
from dynabus.core.global_tables.sending import draining
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.streams.view import ENABLED
from dynabus.core.tables.streams import NEW_AND_OLD

_DONE = Outcome(body=b"{}")


def stream_of(state: TableState) -> str:
    """Label of the stream that links read; empty while it does not have all writes."""
    labels = [e["label"] for e in state.streams if e["status"] == ENABLED and e["view"] == NEW_AND_OLD]
    return labels[-1] if labels else ""


def answered(region: str, stamps: Sequence[object], said: Said) -> Evaluate:
    """A region has answered what it was told."""

    def change(state: TableState, wall_ms: int) -> Register:
        streams = bool(stream_of(state))
        return registers.answered(state.global_table, region, stamps, said, wall_ms, streams=streams)

    return _changing(change)


def copied(table_id: str, region: str, created_ms: int) -> Evaluate:
    """The initial copy of the link of this time was acknowledged."""

    def change(register: Register, wall_ms: int) -> Register:
        return registers.copied_to(register, region, wall_ms)

    return _of_link(table_id, region, created_ms, COPYING, change)


def lost(table_id: str, region: str, created_ms: int) -> Evaluate:
    """The stream of the link of this time dropped what the region had not acknowledged: it is copied to again."""

    def change(register: Register, wall_ms: int) -> Register:
        return registers.copied_again(register, region, wall_ms)

    return _of_link(table_id, region, created_ms, ACTIVE, change)


def drained(table_id: str, region: str, created_ms: int) -> Evaluate:
    """All of the stream of a table that is being deleted was acknowledged on the link of this time."""

    def change(register: Register, _: int) -> Register:
        return registers.with_link(register, region, status=DELETING)

    return _of_link(table_id, region, created_ms, DRAINING, change)


def _of_link(
    table_id: str, region: str, created_ms: int, status: str, change: Callable[[Register, int], Register]
) -> Evaluate:
    def changed(state: TableState, wall_ms: int) -> Register:
        register = state.global_table
        link = register["links"].get(region)
        if state.id != table_id or link is None or (link["status"], link["created_ms"]) != (status, created_ms):
            return register
        return change(register, wall_ms)

    return _changing(changed)


def given_up(region: str) -> Evaluate:
    """A region was removed by force: it is a replica no more, and is told nothing. A table that is being deleted has
    no say in that: it ends without having told."""

    def change(state: TableState, wall_ms: int) -> Register:
        register = state.global_table
        if not registers.is_member(register):
            if region in draining(register):
                register = registers.with_link(register, region, status=DELETING)
            return registers.said_by(register, region, ACTIVE, "")
        if region in register["members"]:
            members = [each for each in register["members"] if each != region]
            register = registers.with_members(register, members, wall_ms)
        return registers.forgotten(register, region)

    return _changing(change)


def _changing(change: Callable[[TableState, int], Register]) -> Evaluate:
    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or not state.global_table:
            return Decision(False, None, _DONE)
        after = change(state, wall_ms)
        if after == state.global_table:
            return Decision(False, None, _DONE)
        return Decision(True, written(next_revision(replace(state, global_table=after))), _DONE)

    return evaluate
