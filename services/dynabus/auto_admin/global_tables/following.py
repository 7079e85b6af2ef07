"""A table takes the settings of its global table, step by step: what was said elsewhere may find it changing.

| the table                                         | next decision                                    |
|---------------------------------------------------|--------------------------------------------------|
| has a member that was removed by force            | it is a member no more                           |
| has another time to live, or auto scaling         | it has that of the global table, at once         |
| has other write units, another mode, other indexes | one change, as UpdateTable would ask for it     |
| was given read units                              | the same; then it is known that it has them      |
| refuses a change, say for a limit of a day        | tried again a little later                       |

Judged from accepted rows, of tables that are ACTIVE, while no decision is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.global_tables.answers import given_up
from dynabus.auto_admin.global_tables.regions import Row
from dynabus.auto_admin.global_tables.stamping import definition_here
from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, table_key, updated, written
from dynabus.core.errors import ApiError
from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.definition import ON_DEMAND, Definition, next_change, write_units
from dynabus.core.global_tables.overrides import new_for
from dynabus.core.global_tables.sending import draining
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.auto_scaling import Scaling, kind_and_index
from dynabus.core.tables.changes import Update

AGAIN_MS = 10_000.0

FAULTS = (KeyError, TypeError, ValueError, AttributeError)
"""What other regions say is checked as it comes. Where that has a hole one table is refused its settings, and seen to
be: it must not stop the auto-admin of all tables, and each successor."""

Decide = Callable[[bytes, Evaluate], None]


class Following:
    """Knows which tables refused a step lately."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._not_before_ms: dict[str, float] = {}

    def step(
        self, states: Mapping[str, TableState], regions: Mapping[str, Row], now_ms: float, decide: Decide
    ) -> None:
        """Take the next decision of each table that has one."""
        for state in states.values():
            if not state.global_table:
                continue
            register = state.global_table
            concerned = (*register["members"], *register["leaving"])
            waited_for = {*registers.to_tell(register), *draining(register)}
            for region in concerned if registers.is_member(register) else sorted(waited_for):
                if regions.get(region, {}).get("removed"):
                    decide(table_key(state.name), given_up(region))
            if _is_still(state) and now_ms >= self._not_before_ms.get(state.id, 0.0) and _lacks(state):
                why = refusal_of(state, self._wall_ms())
                if why is not None:
                    logger().warning("a setting of the global table cannot be had", table=state.name, reason=why)
                # As long as it is refused; a step that is taken leaves nothing, or the next one.
                self._not_before_ms[state.id] = now_ms if why is None else now_ms + AGAIN_MS
                decide(table_key(state.name), follow(state.id, state.revision))


def _is_still(state: TableState) -> bool:
    return state.status == "ACTIVE" and not state.pending and registers.is_global(state.global_table)


def refusal_of(state: TableState, wall_ms: int) -> str | None:
    """Why the table cannot have the next one of the settings that it lacks, now."""
    if not _is_still(state) or not _lacks(state):
        return None
    try:
        _stepped(state, wall_ms)
    except ApiError as error:
        return error.message
    except FAULTS as fault:
        return f"settings of the global table that no table can have: {fault!r}"
    return None


def _lacks(state: TableState) -> bool:
    """Whether it lacks settings of its global table, be it that they make no sense."""
    try:
        return _next(state) is not None
    except FAULTS:
        return True


def _next(state: TableState) -> dict[str, Any] | None:
    """What is decided next: members of the row, or of an UpdateTable (`Update`)."""
    register, have = state.global_table, definition_here(state)
    wanted: Definition = register["definition"]
    scaling = _scaling(wanted, have, state.scaling)
    if wanted["TimeToLive"] != state.time_to_live or scaling != state.scaling:
        return {"time_to_live": wanted["TimeToLive"], "scaling": scaling}
    units, reads = new_for(register), have["ReadUnits"]
    mode = {have["BillingMode"], wanted["BillingMode"]}
    is_had = ON_DEMAND not in mode and all(reads.get(of) == each for of, each in units.items())
    if units and (is_had or mode == {ON_DEMAND}):
        stamp = register["overrides"][register["own"]]["stamp"]
        return {"global_table": {**register, "overridden": stamp}}
    change = next_change(wanted, have, units, write_units(state.description))
    return None if change is None else {"Update": {"TableName": state.name, **change}}


def _scaling(wanted: Definition, have: Definition, known: Scaling) -> Scaling:
    """Auto scaling of writes as everywhere, as far as the table has the indexes; that of reads stays."""
    present = {"", *have["GlobalSecondaryIndexes"]}
    writes = {what: each for what, each in wanted["WriteScaling"].items() if kind_and_index(what)[1] in present}
    kept = {what: each for what, each in known.items() if what not in have["WriteScaling"]}
    return {**kept, **{what: {**known.get(what, {}), **each} for what, each in writes.items()}}


def _stepped(state: TableState, wall_ms: int) -> TableState:
    """The row after its next step. Raises ApiError."""
    step = _next(state)
    assert step is not None
    if "Update" not in step:
        return replace(state, **step)
    request_id = f"{state.id}/{state.revision}".encode()
    after, _ = updated(Update.of(step["Update"]), state, wall_ms, request_id)
    return after


def follow(own_id: str, revision: int) -> Evaluate:
    """The next step of the row with this revision."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.revision != revision:
            return Decision(False, None, Outcome())
        try:
            after = _stepped(state, wall_ms)
        except (ApiError, *FAULTS):
            return Decision(False, None, Outcome())
        return Decision(True, written(next_revision(after)), Outcome())

    return evaluate
