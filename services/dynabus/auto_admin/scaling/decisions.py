"""Auto scaling as decisions: what its operations and its rule make of a table's row. Pure.

Units change by the same rules as with UpdateTable (`core.tables.changes`): the table is UPDATING, decreases are
counted and limited, and partitions are made for more throughput before it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from dynabus.auto_admin.global_tables.stamping import stamped
from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, refuse, updated, written
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.register import others
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables import auto_scaling
from dynabus.core.tables.auto_scaling import READ, WRITE, Scaling, kind_and_index, what_of
from dynabus.core.tables.capacity_changes import billing_mode
from dynabus.core.tables.changes import Update
from dynabus.core.tables.descriptions import refuse_change
from dynabus.core.target_tracking import Target, Wanted

UNITS = {READ: "ReadCapacityUnits", WRITE: "WriteCapacityUnits"}


def units_of(state: TableState) -> dict[str, int]:
    """What is provisioned now, by what it is for (`core.tables.auto_scaling.what_of`)."""
    shown = {"": state.description}
    shown |= {each["IndexName"]: each for each in state.description.get("GlobalSecondaryIndexes", ())}
    return {
        what_of(kind, index): each["ProvisionedThroughput"][member]
        for index, each in shown.items()
        for kind, member in UNITS.items()
    }


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
            asked = auto_scaling.read_update(request, region, others(state.global_table))
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
        row = written(next_revision(stamped(state, made, wall_ms)))
        return Decision(True, row, Outcome(body=_told(shown, region, account), count=1))

    return evaluate


def _told(state: TableState, region: str, account: str) -> bytes:
    told = auto_scaling.describe(state.description, state.status, state.scaling, region, account)
    return orjson.dumps({"TableAutoScalingDescription": told})


def _within_limits(state: TableState, wall_ms: int) -> TableState:
    """DDB-TABLE-314: bounds are enforced when they are set. Where that is refused now, the rule sees to it later."""
    if not may_scale(state):
        return state
    wanted: dict[str, Wanted] = {}
    for what, units in units_of(state).items():
        if what in state.scaling:
            nearest = Target.of(state.scaling[what]).within(units)
            if nearest != units:
                limit = "minimum" if nearest > units else "maximum"
                wanted[what] = Wanted(nearest, f"{limit} capacity was set to {nearest}")
    try:
        return scaled(state, allowed(state, wanted, wall_ms), wall_ms)
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


def allowed(state: TableState, wanted: Mapping[str, Wanted], wall_ms: int) -> Mapping[str, Wanted]:
    """What of it may be done now: nothing waits for what may not be lowered any more today.

    Raises ApiError where that is all of it.
    """
    try:
        scaled(state, wanted, wall_ms)
    except ApiError:
        found = _allowed_one_by_one(state, wanted, wall_ms)
        if not found:
            raise
        return found
    return wanted


def _allowed_one_by_one(state: TableState, wanted: Mapping[str, Wanted], wall_ms: int) -> Mapping[str, Wanted]:
    """What rises, then of the table and of each index what falls, which is counted for each of them."""
    before = units_of(state)
    found: dict[str, Wanted] = {}
    for what in sorted(wanted, key=lambda each: wanted[each].units <= before.get(each, 0)):
        more = {**found, what: wanted[what]}
        with suppress(ApiError):
            scaled(state, more, wall_ms)
            found = more
    return found


def scaled(state: TableState, wanted: Mapping[str, Wanted], wall_ms: int) -> TableState:
    """The row with other units, and why. Raises ApiError as UpdateTable does."""
    before = units_of(state)
    after = {what: wanted[what].units if what in wanted else units for what, units in before.items()}
    if after == before:
        return state
    made, _ = updated(_update(state.name, before, after), state, wall_ms)
    return replace(made, scaling=_stamped(state.scaling, wanted, before, wall_ms), changed_ms=wall_ms)


def _update(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> Update:
    """The UpdateTable request for these units: of the table, and of each of its indexes that changes."""
    changed = dict.fromkeys(kind_and_index(what)[1] for what in after if after[what] != before[what])
    units = {index: {UNITS[kind]: after[what_of(kind, index)] for kind in UNITS} for index in changed}
    of_table = {"ProvisionedThroughput": units.pop("")} if "" in units else {}
    indexes = [{"Update": {"IndexName": each, "ProvisionedThroughput": units[each]}} for each in units]
    return Update.of({"TableName": name, **of_table, "GlobalSecondaryIndexUpdates": indexes})


def _stamped(scaling: Scaling, wanted: Mapping[str, Wanted], before: Mapping[str, int], wall_ms: int) -> Scaling:
    """When, and why, each was changed last: for cooldowns, and for people."""
    stamped = dict(scaling)
    for what, units in before.items():
        if what in wanted and what in stamped:
            stamp = "out_s" if wanted[what].units > units else "in_s"
            kind, index = kind_and_index(what)
            of = f" of index {index}" if index else ""
            why = f"{units} -> {wanted[what].units} {kind} units{of}: {wanted[what].why}"
            stamped[what] = {**stamped[what], stamp: wall_ms / 1000, "why": why}
    return stamped
