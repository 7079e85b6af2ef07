"""The active auto-admin's target tracking: once a minute it compares what tables consume with their targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.scaling import decisions as scaling
from dynabus.auto_admin.scaling.consumption import Consumption
from dynabus.auto_admin.scaling.decisions import KINDS, may_scale, units_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.errors import ApiError
from dynabus.core.replication.store import Evaluate
from dynabus.core.target_tracking import Target, Wanted, track

Decide = Callable[[str, Evaluate], None]
"""(table name, evaluate): append a decision of our own."""


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
        wanted = self._wanted(state, now_ms, wall_ms)
        if not wanted:
            return
        try:
            scaling.scaled(state, wanted, wall_ms)
        except ApiError as error:
            if self._refused.get(state.name) != error.message:
                self._refused[state.name] = error.message
                logger().warning("not scaled", table=state.name, why=error.message)
            return
        self._refused.pop(state.name, None)
        for kind, units in zip(KINDS, units_of(state), strict=True):
            if kind in wanted:
                self.changes[kind, "out" if wanted[kind].units > units else "in"] += 1
                logger().info("scaled", table=state.name, kind=kind, units=wanted[kind].units, why=wanted[kind].why)
        decide(state.name, scaling.scale(state.id, state.revision, wanted))

    def _wanted(self, state: TableState, now_ms: float, wall_ms: int) -> dict[str, Wanted]:
        found: dict[str, Wanted] = {}
        for number, (kind, units) in enumerate(zip(KINDS, units_of(state), strict=True)):
            if kind in state.scaling:
                minutes = self.consumption.minutes(state.id, number, now_ms)
                wanted = track(Target.of(state.scaling[kind]), units, minutes, wall_ms / 1000)
                if wanted is not None:
                    found[kind] = wanted
        return found

    def describe(self, states: Mapping[str, TableState], now_ms: float) -> list[dict[str, Any]]:
        """For the plan: each target, and what was consumed in the last minute."""
        return [
            {
                "table": state.name,
                "kind": kind,
                "units": units,
                "consumed": next(iter(self.consumption.minutes(state.id, number, now_ms)[-1:]), 0.0),
                "percent": state.scaling[kind]["Target"]["TargetValue"],
                "least": state.scaling[kind]["MinimumUnits"],
                "most": state.scaling[kind]["MaximumUnits"],
            }
            for state in states.values()
            for number, (kind, units) in enumerate(zip(KINDS, units_of(state), strict=True))
            if kind in state.scaling
        ]
