"""Propagators, and readers of their streams, with one rule left out. The simulation must catch each one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dynabus.core.ids import PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.fills import Fills
from dynabus.core.propagation.follower import Follower
from dynabus.core.propagation.openings import Openings
from dynabus.core.propagation.outputs import Knowledge, Stage
from dynabus.core.propagation.propagator import Propagator
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, TermLeader
from dynabus.core.replication.records import Kind, Record
from dynabus.core.streams.reading import CHANGE, CLOSED, Batch, Entry, Position
from tests.simulation import propagation
from tests.simulation.brains import Brains, Patches

BROKEN = Brains()
broken, active = BROKEN.broken, BROKEN.active


@broken("a checkpoint is committed before its outputs are delivered")
def commit_before_output() -> Patches:
    def due(self: Propagator) -> dict[PartitionId, Checkpoint]:
        ahead = {partition: log.follower.checkpoint() for partition, log in self.logs.items()}
        return {partition: checkpoint for partition, checkpoint in ahead.items() if checkpoint is not None}

    def outputs(self: Propagator) -> list[Any]:
        found = real(self)
        for log in self.logs.values():
            log.confirmed = log.follower.checkpoint() or log.confirmed
        return found

    real = Propagator.outputs
    return [(Propagator, "due", due), (Propagator, "outputs", outputs)]


@broken("a stream that is switched on is written before it is committed where it begins")
def begins_of_streams_are_not_committed() -> Patches:
    return [(Fills, "holds", property(lambda self: False))]


@broken("a stream ends in a lost log, where changes of its successor are of before the end")
def lost_logs_end_streams() -> Patches:
    def settle(self: Openings, next_offset: int, *, ends: bool) -> list[Any]:
        return real(self, next_offset, ends=True)

    real = Openings.settle
    return [(Openings, "settle", settle)]


@broken("what a lost log's outputs had in them that failed is not read again")
def lost_logs_are_not_read_again() -> Patches:
    def fail(self: Propagator) -> None:
        for log in self.logs.values():
            if log.follower.stage is not Stage.STOPPED:
                self._again(log)

    return [(Propagator, "fail", fail)]


@broken("a child's log is read before its parent's was read to its seal")
def child_before_parent() -> Patches:
    def told_parent(self: Propagator, partition: PartitionId, parent: Checkpoint | None) -> None:
        log = self.logs.get(partition)
        if log is not None and log.parent is not None and parent is not None:
            log.parent = None
            log.follower.inherit(log.found.origin, parent)
            self._know(log)

    return [(Propagator, "told_parent", told_parent)]


@broken("a checkpoint is an offset: whoever goes on adopts the first record that it meets")
def checkpoint_without_place() -> Patches:
    def read(self: Follower, records: Iterable[Record]) -> None:
        for record in records:
            place = self.place
            if place is not None and place.next_offset == adopting.get(id(self)) and record.intact and record.term:
                leader = TermLeader(record.writer, record.nonce)
                reign = place.reign._replace(term=record.term, leader=leader, resigned=False)
                self.place = place._replace(reign=reign, next_sequence=record.sequence, chain=record.previous)
            real_read(self, [record])

    def restore(self: Follower, checkpoint: Checkpoint, *more: Any) -> None:
        adopting[id(self)] = checkpoint.place.next_offset
        real(self, checkpoint, *more)

    adopting: dict[int, int] = {}
    real, real_read = Follower.restore, Follower.read
    return [(Follower, "restore", restore), (Follower, "read", read)]


@broken("void mutations count: the log is read without fold's verdict")
def void_records_count() -> Patches:
    def read_one(self: Follower, place: Place, record: Record) -> None:
        real(self, place, record)
        void = fold(place, record, self.bodies)[1] is Verdict.VOID
        if void and record.intact and record.kind == Kind.MUTATION and place.group is not None:
            self._change(place, record)

    real = Follower._read
    return [(Follower, "_read", read_one)]


@broken("after a delivery that failed the log is read on")
def failed_deliveries_are_forgotten() -> Patches:
    return [(Propagator, "fail", lambda self: self.confirm())]


@broken("the clock of sequence numbers is not in the checkpoint, so that a repeat has another number")
def clock_is_not_kept() -> Patches:
    def restore(self: Follower, checkpoint: Checkpoint, *more: Any) -> None:
        real(self, checkpoint._replace(clock_ms=0), *more)

    real = Follower.restore
    return [(Follower, "restore", restore)]


@broken("metadata that are behind a checkpoint's are used")
def older_metadata_will_do() -> Patches:
    def know(self: Follower, knowledge: Knowledge) -> None:
        self._least_version = 0
        real(self, knowledge)

    real = Follower.know
    return [(Follower, "know", know)]


@broken("a stream ends where its end was heard of, not where the log ended then")
def ends_at_once() -> Patches:
    def know(self: Follower, knowledge: Knowledge) -> None:
        real(self, knowledge)
        if self.place is not None and self.openings._ends:
            self.told_end(self.place.next_offset)

    real = Follower.know
    return [(Follower, "know", know)]


@broken("a child inherits no streams from its parent")
def nothing_is_inherited() -> Patches:
    def inherit(self: Follower, origin: Origin, parent: Checkpoint) -> None:
        real(self, origin, parent._replace(open=()))

    real = Follower.inherit
    return [(Follower, "inherit", inherit)]


@broken("a reader takes every record for a change, repeats too")
def repeats_count() -> Patches:
    def count(position: Position, entries: Iterable[Entry], most: int, bytes_most: int) -> Batch:
        taken = []
        for entry in entries:
            if entry.type == CLOSED:
                break
            if entry.type == CHANGE:
                taken.append(entry)
        return Batch(taken, position, True)

    return [(propagation, "count", count)]


@broken("a producer delivers what follows a record that it has given up")
def later_records_land_without_earlier_ones() -> Patches:
    return [(propagation, "WILD", True)]


@broken("the contents with which a recovered log begins are taken for changes")
def contents_are_changes() -> Patches:
    return [(Place, "is_restoring", property(lambda _place: False))]


@broken("a reader that had read more than a log has now waits for more, though a recovery went on elsewhere")
def lost_logs_are_waited_for() -> Patches:
    return [(Follower, "_see_final_end", lambda self: None), (Follower, "lose", lambda self, why: None)]
