"""All logs of one propagator. The shell performs what it says, in this order, and tells it how that went:

    1. `read` what came                     4. `confirm` what was delivered, or `fail`
    2. `outputs`: produce them              5. `due`: commit these checkpoints, then `committed`
    3. flush                                6. `wishes`: find out, and tell
    `writes`: send them to indexes; `acknowledged`, in any order and whenever it comes

A checkpoint comes out of `due` only after `confirm`, and only for a log that is this process's. What `confirm` says
holds for all outputs that were taken before it. It also waits for the index writes of its log that were taken with
those outputs, or before them: each log has a queue of checkpoints that wait. Writes that are not acknowledged are
numbered over all logs and runs, so that an answer that comes late is never taken for that of another write. Records
for table topics wait with their checkpoint and are committed with it, in one transaction (`parcels`); a log that has
some is not in `due`.

| log has      | and                                       | it begins                                            |
|--------------|-------------------------------------------|------------------------------------------------------|
| a checkpoint |                                           | there                                                |
| a checkpoint | no stream was open, and it was pruned     | as with none: the last stream ended long ago         |
| none         | is a child's                              | at its start, once its parent's checkpoint is sealed |
| none         | a root's, of a stream made with its table | at its start                                         |
| none         | a root's, of a stream that is ENABLING    | at a replica's place: what is before is not folded   |
| none         | otherwise, or its start was pruned        | not: an alarm, since something is lost               |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from dynabus.core.global_indexes.backfill import Page
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.follower import Follower
from dynabus.core.propagation.index_writes import ForIndex
from dynabus.core.propagation.outputs import Knowledge, Output, Stage
from dynabus.core.propagation.owned_log import RECORDS_MOST, Found, Log
from dynabus.core.propagation.sweeps import is_topic_sweep
from dynabus.core.propagation.table_records import TableRecord
from dynabus.core.propagation.view import DerivedView
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Bodies, Record
from dynabus.core.streams.view import ENABLING


class PageWish(NamedTuple):
    """A log's next page of rows, for an index."""

    partition: PartitionId
    label: str
    position: bytes
    at_least: int


class Sending(NamedTuple):
    """An index write of a log, by its number."""

    partition: PartitionId
    number: int
    of: ForIndex


class Parcel(NamedTuple):
    """A checkpoint, and what table topics have to have with it: of each key one record."""

    checkpoint: Checkpoint
    records: list[TableRecord]


class Wish(Enum):
    """What a log wants to be told before it can go on."""

    PARENT = "its parent's checkpoint"
    PLACE = "a replica's place"
    END = "how far the log reaches"


@dataclass(slots=True)
class Propagator:
    """Fed by one thread."""

    view: DerivedView
    bodies: Bodies
    logs: dict[PartitionId, Log] = field(default_factory=dict)
    changes: Counter[LogId] = field(default_factory=Counter)
    """Of items of tables, by their indexes, since this was taken."""
    unclear: set[LogId] = field(default_factory=set)
    """Tables whose indexes may have tombstones that are not needed (`clearing`)."""
    _writes: list[Sending] = field(default_factory=list)
    _issued: int = 0

    # -- which logs -----------------------------------------------------------------------------------------------

    def assigned(self, partition: PartitionId, found: Found) -> None:
        """The group gave it to this process."""
        log = Log(Follower(partition, self.bodies), found, confirmed=found.checkpoint, committed=found.checkpoint)
        log.deleted_below = 1 if found.checkpoint is None else max(1, found.checkpoint.place.next_offset)
        self.logs[partition] = log
        self.unclear.add(partition.log)
        if found.is_foreign:
            log.follower.stop("the checkpoint is of another log, or of another version")
            return
        self._know(log)

    def revoked(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, Checkpoint]:
        """To be let go: what is confirmed is committed before. So are `parcels`, before this is called."""
        last = {}
        for partition in partitions:
            log = self.logs.pop(partition, None)
            if log is not None and not log.held and log.confirmed is not None and log.confirmed != log.committed:
                last[partition] = log.confirmed
        return last

    def lost(self, partitions: Iterable[PartitionId]) -> None:
        """Others have them by now: nothing more is said of them."""
        for partition in partitions:
            self.logs.pop(partition, None)

    # -- metadata -------------------------------------------------------------------------------------------------

    def learned(self) -> None:
        """The view has changed."""
        for log in self.logs.values():
            self._know(log)

    def _know(self, log: Log) -> None:
        follower = log.follower
        table = follower.partition.log
        if follower.place is None and follower.stage is Stage.WAITING:
            self._begin(log)
        derived = self.view.derived(table)
        follower.know(Knowledge(self.view.version(table), derived))
        log.keep_topics(each.label for each in derived)

    def _begin(self, log: Log) -> None:
        """The table above; nothing happens while metadata do not have the partition yet."""
        follower, found = log.follower, log.found
        table, number = follower.partition
        if found.checkpoint is not None:
            if not found.is_pruned:
                follower.restore(found.checkpoint, log.committed)
                return
            if self.view.version(table) < found.checkpoint.version:
                return
            if {each.label for each in self.view.derived(table)}.intersection(found.checkpoint.open):
                follower.restore(found.checkpoint, log.committed)
                return
            # All that it names is gone, and nobody needed the log since.
            found = log.found = found._replace(checkpoint=None)
            log.confirmed = log.committed = None
            log.deleted_below = 1
        streams = [each for each in self.view.derived(table) if each.is_live and number in each.shards]
        if not streams:
            return
        parents = {parent for each in streams if (parent := each.shards[number].parent) is not None}
        from_start = [each.label for each in streams if each.from_start]
        if found.low > 0 and (parents or from_start):
            follower.stop("the log's start is needed and was pruned: what it held is in no stream")
        elif parents:
            log.parent = parents.pop()
        elif from_start:
            follower.begin(found.origin, from_start)
        elif not any(each.status == ENABLING for each in streams):
            follower.stop("the checkpoint is gone: Kafka forgets those of a group that was away for long")
        else:
            log.wants_place = True

    # -- what logs want to know -----------------------------------------------------------------------------------

    def wishes(self) -> list[tuple[PartitionId, Wish]]:
        """To be found out; asked again until it is told."""
        return [(partition, wish) for partition, log in self.logs.items() if (wish := _wish(log)) is not None]

    def told_parent(self, partition: PartitionId, parent: Checkpoint | None) -> None:
        """The group's checkpoint of its parent. A child goes on only behind the parent's seal."""
        log = self.logs.get(partition)
        if log is None or _wish(log) is not Wish.PARENT or parent is None or not parent.place.sealed:
            return
        if partition.number not in dict(parent.marks):
            log.follower.stop("its parent's seal names other children")
            return
        log.parent = None
        log.follower.inherit(log.found.origin, parent)
        self._know(log)

    def told_place(self, partition: PartitionId, place: Place) -> None:
        """Where a replica stands. One that is not of this very log is no answer."""
        log = self.logs.get(partition)
        if log is None or not log.wants_place or place.group is None or place.origin != log.found.origin:
            return
        log.wants_place = False
        log.follower.begin_later(place)

    def pages(self) -> list[PageWish]:
        """Rows that indexes are to be filled with; the next page once most of the last one's writes are done."""
        return [
            PageWish(partition, label, fill.position, fill.at_least)
            for partition, log in self.logs.items()
            if log.has_room(2)
            and log.uncommitted <= RECORDS_MOST // 2
            and (wanted := log.follower.ask_page()) is not None
            for label, fill in [wanted]
            if not is_topic_sweep(label) or log.has_committed(fill.at_least)
        ]

    def told_page(self, wish: PageWish, page: Page) -> None:
        """A page that was wished for; others are ignored."""
        log = self.logs.get(wish.partition)
        if log is not None:
            log.follower.told_page(wish.label, wish.position, page)

    def told_end(self, partition: PartitionId, end: int) -> None:
        """How far the log reaches."""
        log = self.logs.get(partition)
        if log is not None:
            log.follower.told_end(end)

    # -- the work -------------------------------------------------------------------------------------------------

    def positions(self) -> dict[PartitionId, Place]:
        """Where logs are to be read on; those that wait, ended or stopped are not read."""
        return {
            partition: log.follower.place
            for partition, log in self.logs.items()
            if log.follower.stage is Stage.READING
            and log.follower.place is not None
            and not (log.is_full or log.follower.fills.holds or log.uncommitted > RECORDS_MOST)
        }

    def read(self, batch: Mapping[PartitionId, list[Record]]) -> None:
        """What came of several logs; of those that are not this process's any more nothing is done."""
        for partition, records in batch.items():
            log = self.logs.get(partition)
            if log is not None:
                log.follower.read(records)

    def outputs(self) -> list[Output]:
        """All that is to be produced, in order within each topic partition; index writes are taken with it."""
        for log in self.logs.values():
            self._take_writes(log)
        return [output for log in self.logs.values() for output in log.follower.take_outputs()]

    def _take_writes(self, log: Log) -> None:
        self.changes.update(log.follower.changes)
        log.follower.changes.clear()
        for each in log.follower.take_writes():
            self._issued += 1
            log.issued(self._issued, each)
            if not each.write.item_json:
                log.deletes(each)
                self.unclear.add(log.follower.partition.log)
            self._writes.append(Sending(log.follower.partition, self._issued, each))

    def writes(self) -> list[Sending]:
        """Index writes to be sent, in order for each log; what becomes of them is told by `acknowledged`."""
        writes, self._writes = self._writes, []
        return writes

    def acknowledged(self, partition: PartitionId, numbers: Iterable[int]) -> None:
        """The index has these, or something newer, or is gone."""
        log = self.logs.get(partition)
        if log is None:
            return
        log.acknowledged(numbers)

    def confirm(self) -> None:
        """Kafka has all outputs that were taken; index writes that were taken with them may be under way."""
        for log in self.logs.values():
            # Most logs rest, and there may be thousands.
            if not log.follower.moved:
                continue
            # Those of a page that came since the outputs were taken: the checkpoint says that it is filled.
            self._take_writes(log)
            checkpoint = log.follower.checkpoint()
            if checkpoint is not None:
                # Of a log that has no checkpoint now the records stay where they are.
                records = log.follower.take_records()
                log.waiting.append((next(reversed(log.unacknowledged), 0), checkpoint, records))
                log.settle()

    def fail(self) -> None:
        """Some may not be there: all logs go back to what is confirmed, and are read again from there; one that has
        lost records too, since it is closed with what was read of it."""
        for log in self.logs.values():
            if log.follower.stage is not Stage.STOPPED or log.follower.lost:
                self._again(log)

    def _again(self, log: Log) -> None:
        log.follower = Follower(log.follower.partition, self.bodies)
        log.found = log.found._replace(checkpoint=log.confirmed)
        log.unacknowledged.clear()
        log.unacknowledged_bytes = 0
        log.waiting.clear()
        log.is_full = False
        log.parent, log.wants_place = None, False
        self._know(log)

    def due(self) -> dict[PartitionId, Checkpoint]:
        """Checkpoints that the group does not have yet."""
        return {
            partition: log.confirmed
            for partition, log in self.logs.items()
            if not log.held
            and log.confirmed is not None
            and log.confirmed is not log.committed
            and log.confirmed != log.committed
        }

    def parcels(self) -> dict[PartitionId, Parcel]:
        """The same of logs with records for table topics: each parcel is committed as one, or not at all."""
        return {
            partition: Parcel(log.confirmed, [*log.held.values()])
            for partition, log in self.logs.items()
            if log.held and log.confirmed is not None
        }

    def parcels_done(self, parcels: Mapping[PartitionId, Parcel]) -> None:
        """These are."""
        for partition, parcel in parcels.items():
            if (log := self.logs.get(partition)) is not None:
                for each in parcel.records:
                    if log.held.get((each.topic.label, each.key)) is each:
                        del log.held[each.topic.label, each.key]
        self.commit_done({partition: parcel.checkpoint for partition, parcel in parcels.items()})

    def commit_done(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> None:
        """The group has them."""
        for partition, checkpoint in checkpoints.items():
            if (log := self.logs.get(partition)) is not None:
                log.committed = checkpoint
                log.follower.fills.committed(checkpoint.open)


def _wish(log: Log) -> Wish | None:
    if log.follower.stage is Stage.STOPPED:
        return None
    if log.parent is not None:
        return Wish.PARENT
    if log.wants_place:
        return Wish.PLACE
    return Wish.END if log.follower.wants_end else None


def parent_of(log: Log, partition: PartitionId) -> PartitionId:
    """Whose checkpoint it waits for."""
    assert log.parent is not None
    return PartitionId(LogId(partition.log), log.parent)
