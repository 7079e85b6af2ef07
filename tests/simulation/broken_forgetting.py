"""Brains that are wrong about the end of tombstones in global tables."""

from __future__ import annotations

from typing import Any

from dynabus.core.global_tables import leading
from dynabus.core.global_tables.floors import Floors, Word
from dynabus.core.global_tables.forgetting import Forgetting
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.replication import leader as leader_module
from dynabus.core.replication.store import Decision, Outcome
from tests.simulation import forgetting
from tests.simulation.brains import Patches
from tests.simulation.broken import broken


@broken("global tables", "tombstones may go as soon as this region's own times are past them")
def words_are_not_waited_for() -> Patches:
    def forget(self: Floors, most: int) -> None:
        self.forgotten = max(self.forgotten, min(self.promised, most))

    return [(Floors, "forget", forget)]


@broken("global tables", "tombstones may go as soon as other regions' times are past them")
def own_promises_are_not_waited_for() -> Patches:
    def forget(self: Floors, most: int) -> None:
        lowest = min(each.get(region, -1) for region in self.regions for each in (self.raised, self.seen))
        self.forgotten = max(self.forgotten, lowest)

    return [(Floors, "forget", forget)]


@broken("global tables", "a removal does not look at the row again")
def removals_do_not_look() -> Patches:
    def removal(_floors: Floors) -> Any:
        return lambda _old, _wall_ms: Decision(True, None, Outcome())

    return [(forgetting, "removal", removal)]


@broken("global tables", "what lies below floors is decided anew")
def floors_refuse_nothing_here() -> Patches:
    return [(Floors, "is_repeat", lambda _self, _stamp: False)]


@broken("global tables", "a new leader does not go by what its log has promised")
def promises_end_with_their_leader() -> Patches:
    def floors_in(store: Any) -> Floors | None:
        floors = real(store)
        if floors is not None:
            floors.promised = -1
        return floors

    real = leading.floors_in
    return [(leader_module, "floors_in", floors_in)]


@broken("global tables", "another region's word is of what it wrote, decided or not")
def words_are_not_true() -> Patches:
    def hear(self: Forgetting, region: str, word: Word) -> None:
        real(self, region, word._replace(time=word.time + (8_000 << 16)))

    real = Forgetting.hear
    return [(Forgetting, "hear", hear)]


@broken("global tables", "a tombstone goes whose own time is not past")
def stamps_are_not_compared() -> Patches:
    def may_forget(self: Floors, tombstone: Stamp) -> bool:
        return self.forgotten > 0

    def look(self: Forgetting, *args: Any) -> Any:
        self._with = 1 << 63
        return real(self, *args)

    real = Forgetting.look
    return [(Floors, "may_forget", may_forget), (Forgetting, "look", look)]
