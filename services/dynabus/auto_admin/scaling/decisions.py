"""Auto scaling as decisions: what its operations and its rule make of a table's row. Pure.

Units change by the same rules as with UpdateTable (`core.tables.changes`): the table is UPDATING, decreases are
counted and limited, and partitions are made for more throughput before it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, refuse, written
from dynabus.core.errors import ApiError
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables import auto_scaling
from dynabus.core.tables.auto_scaling import READ, WRITE, Scaling
from dynabus.core.tables.capacity_changes import billing_mode
from dynabus.core.tables.changes import Update, change
from dynabus.core.tables.descriptions import refuse_change
from dynabus.core.target_tracking import Target, Wanted

KINDS = (READ, WRITE)
UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")


def units_of(state: TableState) -> tuple[int, int]:
    """Reads and writes that are provisioned now."""
    read, write = (state.description["ProvisionedThroughput"][each] for each in UNITS)
    return read, write


def may_scale(state: TableState) -> bool:
    """It has settings, and nothing else is changing."""
    is_still = state.status == "ACTIVE" and not state.pending
    return bool(state.scaling) and is_still and billing_mode(state.description) == "PROVISIONED"


def describe(name: str, region: str, account: str) -> Evaluate:
    """DescribeTableReplicaAutoScaling: a decision that changes nothing, so that it sees all that was answered."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        if old is None:
            return refuse(auto_scaling.no_such_global_table(name))
        return Decision(False, None, Outcome(body=_told(read_row(old), region, account)))

    return evaluate


def configure(request: Mapping[str, Any], region: str, account: str) -> Evaluate:
    """UpdateTableReplicaAutoScaling. Units outside of new limits are changed at once, where that is possible.

    What is switched off is told as it was (DDB-TABLE-242).
    """
    name = request["TableName"]

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if old is None:
            return refuse(auto_scaling.no_such_global_table(name))
        state = read_row(old)
        try:
            asked = auto_scaling.read_update(request, region)
            refusal = refuse_change(name, state.description)
            if refusal is not None:
                raise refusal
            after = auto_scaling.update(name, state.scaling, asked, state.description, region)
        except ApiError as error:
            return refuse(error)
        made = _within_limits(replace(state, scaling=after), wall_ms)
        shown = replace(made, scaling={**state.scaling, **made.scaling})
        if made == state:
            return Decision(False, None, Outcome(body=_told(shown, region, account)))
        return Decision(True, written(next_revision(made)), Outcome(body=_told(shown, region, account), count=1))

    return evaluate


def _told(state: TableState, region: str, account: str) -> bytes:
    told = auto_scaling.describe(state.description, state.status, state.scaling, region, account)
    return orjson.dumps({"TableAutoScalingDescription": told})


def _within_limits(state: TableState, wall_ms: int) -> TableState:
    """DDB-TABLE-314: bounds are enforced when they are set. Where that is refused now, the rule sees to it later."""
    if not may_scale(state):
        return state
    wanted: dict[str, Wanted] = {}
    for kind, units in zip(KINDS, units_of(state), strict=True):
        if kind in state.scaling:
            nearest = Target.of(state.scaling[kind]).within(units)
            if nearest != units:
                limit = "minimum" if nearest > units else "maximum"
                wanted[kind] = Wanted(nearest, f"{limit} capacity was set to {nearest}")
    try:
        return scaled(state, wanted, wall_ms)
    except ApiError:
        return state  # a limit of decreases: the table stays as it is, which is no fault of the settings


def scale(own_id: str, revision: int, wanted: Mapping[str, Wanted]) -> Evaluate:
    """The rule's decision, for the row that it saw."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.revision != revision or not may_scale(state):
            return Decision(False, None, Outcome())
        try:
            made = scaled(state, wanted, wall_ms)
        except ApiError as error:
            return refuse(error)
        return Decision(made != state, written(next_revision(made)), Outcome())

    return evaluate


def scaled(state: TableState, wanted: Mapping[str, Wanted], wall_ms: int) -> TableState:
    """The row with other units, and why. Raises ApiError as UpdateTable does."""
    before = units_of(state)
    after = tuple(wanted[kind].units if kind in wanted else units for kind, units in zip(KINDS, before, strict=True))
    if after == before:
        return state
    units = dict(zip(UNITS, after, strict=True))
    asked = Update.of({"TableName": state.name, "ProvisionedThroughput": units})
    changed = change(asked, state.description, state.pending, wall_ms)
    assert changed.description is not None, "other units are a change"
    return replace(
        state,
        status=changed.description["TableStatus"],
        description=changed.description,
        pending=changed.pending,
        scaling=_stamped(state.scaling, wanted, before, wall_ms),
        changed_ms=wall_ms,
    )


def _stamped(scaling: Scaling, wanted: Mapping[str, Wanted], before: tuple[int, int], wall_ms: int) -> Scaling:
    """When, and why, each kind was changed last: for cooldowns, and for people."""
    stamped = dict(scaling)
    for kind, units in zip(KINDS, before, strict=True):
        if kind in wanted and kind in stamped:
            stamp = "out_s" if wanted[kind].units > units else "in_s"
            why = f"{units} -> {wanted[kind].units} {kind} units: {wanted[kind].why}"
            stamped[kind] = {**stamped[kind], stamp: wall_ms / 1000, "why": why}
    return stamped
