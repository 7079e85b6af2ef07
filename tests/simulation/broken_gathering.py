"""Brains that are wrong about writes without request ids, which are gathered into one record."""

from __future__ import annotations

from typing import Any

from dynabus.core.replication import heir as heir_module
from dynabus.core.replication import request_ids
from dynabus.core.replication.effects import Respond
from dynabus.core.replication.gathering import Gathered
from dynabus.core.replication.leader import Leader
from dynabus.core.replication.records import RowChanges
from tests.simulation.brains import Patches
from tests.simulation.broken import broken


@broken("I3", "what is gathered is acknowledged before it is appended")
def gathered_counts_as_accepted() -> Patches:
    def gather(self: Leader, request: Any, previous: Any, decision: Any, now_ms: float, wall_ms: int) -> None:
        real(self, request, previous, decision, now_ms, wall_ms)
        self._effects.append(Respond(request.sender, decision.outcome))

    real = Leader._gather
    return [(Leader, "_gather", gather)]


@broken("I4", "writes are evaluated without what is gathered and not sent")
def gathered_is_not_seen() -> Patches:
    def gather(self: Leader, request: Any, previous: Any, decision: Any, now_ms: float, wall_ms: int) -> None:
        before = self.unresolved.newest(request.key)
        real(self, request, previous, decision, now_ms, wall_ms)
        self.unresolved._overlay.pop(request.key, None)
        if before is not None:
            self.unresolved.cover(request.key, *before)

    real = Leader._gather
    return [(Leader, "_gather", gather)]


@broken("I7b", "what changes nothing is answered before the rows that it looked at are accepted")
def gathered_is_not_waited_for() -> Patches:
    def gather(self: Leader, request: Any, previous: Any, decision: Any, now_ms: float, wall_ms: int) -> None:
        real(self, request, previous, decision, now_ms, wall_ms)
        self.unresolved.cover(request.key, 0, decision.row)

    real = Leader._gather
    return [(Leader, "_gather", gather)]


@broken("I5", "of gathered rows followers apply the first one")
def one_row_is_applied() -> Patches:
    def apply_rows(store: Any, rows: Any, follow: Any) -> None:
        real(store, [*rows][:1], follow)

    real = request_ids.apply_rows
    return [(request_ids, "apply_rows", apply_rows)]


@broken("I5", "heirs take rows of the whole partition")
def heirs_take_all_rows() -> Patches:
    def apply(self: heir_module.Heir, before: Any, record: Any) -> None:
        body = self._bodies.decode(record.schema_number, record.body)
        if isinstance(body, RowChanges):
            request_ids.apply_rows(self.store, body.rows, self._follow)
        else:
            real(self, before, record)

    real = heir_module.Heir._apply
    return [(heir_module.Heir, "_apply", apply)]


@broken("I4", "of what was gathered only the first row is appended, and all are acknowledged")
def one_row_is_appended() -> Patches:
    def take(self: Gathered) -> Any:
        changes, told = real(self)
        return RowChanges(changes.timestamp_ms, changes.rows[:1]), told

    real = Gathered.take
    return [(Gathered, "take", take)]
