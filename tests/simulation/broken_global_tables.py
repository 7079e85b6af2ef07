"""Brains that are wrong about versions of items, and about where it stands that a table is global."""

from __future__ import annotations

from typing import Any

from dynabus.core.global_tables import leading, versions
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.versions import TICKS_PER_MS, Meeting, Stamp, Version
from dynabus.core.operations import import_item
from dynabus.core.replication import heir as heir_module
from dynabus.core.replication import leader as leader_module
from dynabus.core.replication import request_ids
from dynabus.core.replication.leader import Leader
from dynabus.core.replication.records import Mutation
from dynabus.core.replication.store import Decision
from tests.simulation.brains import Patches
from tests.simulation.broken import broken


@broken("global tables", "a write of another region brings its own version, and what was here is not kept in it")
def meetings_are_forgotten() -> Patches:
    def meet(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        met, version = real(here, arriving)
        return met, arriving if met in (Meeting.NEWS, Meeting.WON) else version

    real = versions.meet
    return [(import_item, "meet", meet)]


@broken("global tables", "a write that has lost leaves no trace")
def losers_are_forgotten() -> Patches:
    def meet(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        met, version = real(here, arriving)
        return (Meeting.REPEAT, version) if met is Meeting.LOST else (met, version)

    real = versions.meet
    return [(import_item, "meet", meet)]


@broken("global tables", "a write is stamped by the leader's clock alone")
def clocks_stamp() -> Patches:
    def written(before: Version | None, region: str, wall_ms: int, _promised: int) -> Version:
        time = wall_ms * TICKS_PER_MS
        return Version(Stamp(time, region), {**(before.seen if before else {}), region: time})

    return [(leading, "written", written)]


@broken("global tables", "a write that changes nothing takes a version")
def nothing_is_a_change() -> Patches:
    return [(leading, "_is_same", lambda *_: False)]


@broken("global tables", "a deletion leaves nothing")
def deletions_leave_nothing() -> Patches:
    def versioned(floors: Any, previous: Any, decision: Decision, wall_ms: int) -> Decision:
        return decision if decision.row is None else leading.versioned(floors, previous, decision, wall_ms)

    return [(leader_module, "versioned", versioned)]


@broken("global tables", "a new leader does not ask its log whether the table is global")
def leaders_do_not_ask_their_logs() -> Patches:
    return [(leader_module, "floors_in", lambda _store: None)]


@broken("global tables", "writes have versions once the record that says so is read back")
def the_record_counts_when_read_back() -> Patches:
    def append(self: Leader, mutation: Mutation, now_ms: float) -> None:
        before = self.floors
        real(self, mutation, now_ms)
        self.floors = before

    def accepted(self: Leader, record: Any, now_ms: float) -> Any:
        changes = real_accepted(self, record, now_ms)
        if isinstance(changes, Mutation) and changes.request == leading.REGIONS_ID:
            self.floors = leading.floors_of(changes)
        return changes

    real, real_accepted = Leader.append_unasked, Leader.accepted
    return [(Leader, "append_unasked", append), (Leader, "accepted", accepted)]


@broken("global tables", "writes of other regions are decided before the log says that the table is global")
def imports_do_not_wait() -> Patches:
    def node(part: Any, here: import_item.Here) -> Any:
        known = here.floors
        return real(part, here._replace(floors=lambda: known() or Floors("us", frozenset({"eu"}))))

    real = import_item.node
    return [(import_item, "node", node)]


@broken("global tables", "heirs do not take it over from their parent's log")
def heirs_do_not_know() -> Patches:
    def remember(store: Any, mutation: Mutation, sequence: int, log_time_ms: int) -> None:
        if mutation.request != leading.REGIONS_ID:
            real(store, mutation, sequence, log_time_ms)

    real = request_ids.remember
    return [(heir_module, "remember", remember)]
