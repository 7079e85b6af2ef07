"""Decisions: replicas of a table are added and taken away, by UpdateTable or by the older API. Pure.

The table's row says so at once, and its stream is switched on if it has none; the rest follows (`answers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson

from dynabus.auto_admin.global_tables.stamping import definition_here
from dynabus.auto_admin.tables.decisions import TableState, decide, next_revision, read_row, refuse, written
from dynabus.core.errors import ApiError
from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.register import Register
from dynabus.core.operations.global_tables import describe_global, exists_already, no_such_source
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables import replica_changes as rules
from dynabus.core.tables.replica_changes import Action
from dynabus.core.tables.streams import NEW_AND_OLD, change_streams


def change(name: str, actions: Sequence[Action], own: str, known: Sequence[str]) -> Evaluate:
    """UpdateTable with ReplicaUpdates. `known`: the other regions."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        try:
            return decide(_changed(name, old, actions, own, known, wall_ms))
        except ApiError as error:
            return refuse(error)

    return evaluate


def create_global(name: str, regions: Sequence[str], own: str, known: Sequence[str]) -> Evaluate:
    """CreateGlobalTable: all replicas at once."""
    actions: list[Action] = [("Create", {"RegionName": each}) for each in dict.fromkeys(regions) if each != own]

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if old is None:
            return refuse(no_such_source(name))
        if registers.is_global(read_row(old).global_table):
            return refuse(exists_already(name))
        if not actions:
            return refuse(rules.alone(own))
        return _in_older_words(lambda: _changed(name, old, actions, own, known, wall_ms))

    return evaluate


def update_global(name: str, actions: Sequence[Action], own: str, known: Sequence[str]) -> Evaluate:
    """UpdateGlobalTable of a global table: any number of replicas. Routers have looked for what it names."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        return _in_older_words(lambda: _changed(name, old, actions, own, known, wall_ms))

    return evaluate


def _in_older_words(make: Callable[[], TableState]) -> Decision:
    try:
        state = make()
    except ApiError as error:
        return refuse(error)
    row = written(state)
    told = describe_global({**state.description, **orjson.loads(row)["description"]}, state.global_table["own"])
    return Decision(True, row, Outcome(body=orjson.dumps({"GlobalTableDescription": told}), count=1))


def _changed(
    name: str, old: bytes | None, actions: Sequence[Action], own: str, known: Sequence[str], wall_ms: int
) -> TableState:
    """The row after it. Raises ApiError."""
    state = read_row(old) if old is not None else None
    rules.refuse_regions(actions, known)
    rules.refuse_changing(
        name, None if state is None else state.description, {} if state is None else state.global_table, actions
    )
    assert state is not None
    register = state.global_table
    rules.refuse_members(name, register, actions)
    rules.refuse_overrides(state.description, actions)
    if any(what == "Create" for what, _ in actions):
        rules.refuse_capacity(state.description, state.scaling)
        state = with_stream(state, wall_ms)
    after = _with_overrides(_with_members(state, own, actions, wall_ms), actions, wall_ms)
    return next_revision(replace(state, global_table=after))


def with_stream(state: TableState, wall_ms: int) -> TableState:
    """With a stream that replicas can be written from. Raises ApiError."""
    if not rules.refuse_stream(state.description):
        return state
    on = {"StreamEnabled": True, "StreamViewType": NEW_AND_OLD}
    changed, streams = change_streams(on, state.description, state.pending, state.streams, state.partitions, wall_ms)
    assert changed.description is not None
    status = changed.description["TableStatus"]
    return replace(state, status=status, description=changed.description, pending=changed.pending, streams=streams)


def _with_members(state: TableState, own: str, actions: Sequence[Action], wall_ms: int) -> Register:
    register, here = state.global_table, definition_here(state)
    if not registers.is_global(register):
        # Another group than any before, so that whoever was a member of that one does not take it for the same.
        register = {**registers.begun(own, f"{state.id}.{state.revision}"), "definition": here}
    # Who comes begins with those of now; others' stay as they are.
    reads = {**register["definition"]["ReadUnits"], **here["ReadUnits"]}
    members = dict.fromkeys(register["members"])
    for what, each in actions:
        if what == "Create":
            members[each["RegionName"]] = None
        elif what == "Delete":
            members.pop(each["RegionName"], None)
    return registers.with_members(
        register, [*members], wall_ms, reads if register["definition"]["ReadUnits"] != reads else None
    )


def _with_overrides(register: Register, actions: Sequence[Action], wall_ms: int) -> Register:
    for _, each in actions:
        if units := rules.overrides_in(each):
            register = registers.with_override(register, each["RegionName"], units, wall_ms)
    return register
