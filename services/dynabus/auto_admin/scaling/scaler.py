"""The active auto-admin's target tracking: once a minute it compares what tables consume with their targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.scaling import decisions as scaling
from dynabus.auto_admin.scaling.consumption import Consumption
from dynabus.auto_admin.scaling.decisions import may_scale, units_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.errors import ApiError
from dynabus.core.global_indexes import index_log, index_name
from dynabus.core.replication.store import Evaluate
from dynabus.core.tables.auto_scaling import READ, WRITE, kind_and_index
from dynabus.core.target_tracking import Target, Wanted, track

Decide = Callable[[str, Evaluate], None]
"""(table name, evaluate): append a decision of our own."""


KINDS = (READ, WRITE)
"""As consumption has them."""


class Scaler:
    """Looks when another minute is known. `changes` counts decisions by kind and direction."""

    def __init__(self, consumption: Consumption, wall_ms: Callable[[], int]) -> None:
        self.consumption = consumption
        self.changes: Counter[tuple[str, str]] = Counter()
        self._wall_ms = wall_ms
        self._seen = -1
        self._refused: dict[str, str] = {}
        """By table: what its last change was refused with, so that it is logged once."""

    def look(self, states: Mapping[str, TableState], now_ms: float, decide: Decide) -> None:
        """Scale whatever is to be scaled."""
        minute = self.consumption.last_minute(now_ms)
        if minute == self._seen:
            return
        self._seen = minute
        for state in states.values():
            if may_scale(state):
                self._look(state, now_ms, decide)

    def _look(self, state: TableState, now_ms: float, decide: Decide) -> None:
        wall_ms = self._wall_ms()
        wanted: Mapping[str, Wanted] = self._wanted(state, now_ms, wall_ms)
        if not wanted:
            return
        try:
            wanted = scaling.allowed(state, wanted, wall_ms)
        except ApiError as error:
            if self._refused.get(state.name) != error.message:
                self._refused[state.name] = error.message
                logger().warning("not scaled", table=state.name, why=error.message)
            return
        self._refused.pop(state.name, None)
        units = units_of(state)
        for what, other in wanted.items():
            self.changes[kind_and_index(what)[0], "out" if other.units > units[what] else "in"] += 1
            logger().info("scaled", table=state.name, what=what, units=other.units, why=other.why)
        decide(state.name, scaling.scale(state.id, state.revision, wanted))

    def _wanted(self, state: TableState, now_ms: float, wall_ms: int) -> dict[str, Wanted]:
        found: dict[str, Wanted] = {}
        for what, units in units_of(state).items():
            if what in state.scaling:
                minutes = self._minutes(state, what, now_ms)
                wanted = track(Target.of(state.scaling[what]), units, minutes, wall_ms / 1000)
                if wanted is not None:
                    found[what] = wanted
        return found

    def _minutes(self, state: TableState, what: str, now_ms: float) -> Sequence[float]:
        kind, index = kind_and_index(what)
        ids = {"": state.id, **{each["name"]: index_log(state.id, each["id"]) for each in state.indexes}}
        return self.consumption.minutes(ids.get(index, ""), KINDS.index(kind), now_ms)

    def describe(self, states: Mapping[str, TableState], now_ms: float) -> list[dict[str, Any]]:
        """For the plan: each target, and what was consumed in the last minute."""
        return [
            {
                "table": index_name(state.name, index) if index else state.name,
                "kind": kind,
                "units": units,
                "consumed": next(iter(self._minutes(state, what, now_ms)[-1:]), 0.0),
                "percent": state.scaling[what]["Target"]["TargetValue"],
                "least": state.scaling[what]["MinimumUnits"],
                "most": state.scaling[what]["MaximumUnits"],
            }
            for state in states.values()
            for what, units in units_of(state).items()
            if what in state.scaling
            for kind, index in [kind_and_index(what)]
        ]
