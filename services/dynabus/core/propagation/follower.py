"""One log, as a propagator reads it.

| stage   | what it waits for                                                 | then    |
|---------|-------------------------------------------------------------------|---------|
| WAITING | metadata as new as its checkpoint's writer knew; a place to begin | READING |
| READING | records                                                           | SEALED  |
| SEALED  | nothing: the log has ended, its shards are closed                 |         |
| STOPPED | people: the log diverged, or a checkpoint is lost; where the log  | SEALED  |
|         | has lost records, a recovery that names a successor               |         |

Which streams and indexes are written meanwhile is told by `openings`. What comes out is a function of the log from
where a stream or an index begins. Mutations that restore a recovered partition (form RECOVERY, before the first plan)
are contents, not changes: no stream has them, an index puts their rows, and so does a table topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dynabus.core.global_indexes.backfill import Page
from dynabus.core.global_tables.leading import REGIONS_ID
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.checkpoint import NO_MARK, Checkpoint, Marks, mark_of, marks_of, without_bounds
from dynabus.core.propagation.decided import decided
from dynabus.core.propagation.fills import Fill, Fills
from dynabus.core.propagation.index_writes import ForIndex, of_change
from dynabus.core.propagation.openings import Openings
from dynabus.core.propagation.outputs import Knowledge, Output, Stage
from dynabus.core.propagation.sweeps import index_of, is_topic, of_page, sweeps_of
from dynabus.core.propagation.table_records import Recording, Records
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import Bodies, Child, Form, Kind, Record
from dynabus.core.rows import Source
from dynabus.core.streams.reading import CHANGE, CLOSED, CONFLICT, FLOORS, OPENED, VERSION
from dynabus.core.streams.sequence import Sequence as SequenceNumber
from dynabus.core.streams.view import Stream


@dataclass(slots=True)
class Follower:
    """First where it begins, then `know`, then records. Outputs collect until `take_outputs`."""

    partition: PartitionId
    bodies: Bodies
    stage: Stage = Stage.WAITING
    alarm: str | None = None
    note: str | None = None
    """What people should know of it though it goes on."""
    place: Place | None = None
    clock_ms: int = 0
    version: int = -1
    moved: bool = False
    """Something may have changed since the checkpoint was asked for."""
    _mark: bytes = NO_MARK
    _marks: Marks = ()
    lost: bool = False
    """The log is not the one that was folded: records are lost (I9)."""
    _is_final: bool = False
    """A recovery went on from this log. `_final_end`: where it ended when that was heard."""
    _final_end: int | None = None
    _expected: bytes = NO_MARK
    _least_version: int = 0
    openings: Openings = field(init=False)
    fills: Fills = field(default_factory=Fills)
    skipped: int = 0
    """Items of before an index that have its key attributes, but not as a key can have them."""
    changes: Counter[LogId] = field(default_factory=Counter)
    """Of items, by the indexes that were told, since it was cleared."""
    _outputs: list[Output] = field(default_factory=list)
    writes: list[ForIndex] = field(default_factory=list)
    _recording: Recording = field(default_factory=Recording)
    _knowledge: Knowledge = field(default_factory=lambda: Knowledge(-1, ()))

    def __post_init__(self) -> None:
        self.openings = Openings(self.partition.number)

    # -- where it begins ------------------------------------------------------------------------------------------

    def restore(self, checkpoint: Checkpoint, committed: Checkpoint | None = None) -> None:
        """Go on from a checkpoint, at a take-over or after a failure; `committed`: what the group has."""
        self.place, self.clock_ms = checkpoint.place, checkpoint.clock_ms
        # A place from a checkpoint has no bounds any more, from which they could be computed.
        self._mark, self._marks = checkpoint.mark, checkpoint.marks
        self._least_version = max(self._least_version, checkpoint.version)
        self.version = checkpoint.version  # of a sealed log it is committed again, maybe before there are news
        self.openings.restore(checkpoint.open)
        uncommitted = {*checkpoint.open} - {*(committed.open if committed is not None else ())}
        self.fills.restore(checkpoint.fills, checkpoint.place.next_offset, uncommitted)
        self._outputs.clear()
        self.writes.clear()
        self._recording.clear()
        self.stage = Stage.SEALED if self.place.sealed else Stage.WAITING
        self.know(self._knowledge)

    def inherit(self, origin: Origin, parent: Checkpoint) -> None:
        """Begin a child's log at its start, with the streams that were open at its parent's seal."""
        self._least_version = max(self._least_version, parent.version)
        self.clock_ms = parent.clock_ms
        self._expected = dict(parent.marks).get(self.partition.number, NO_MARK)
        self.fills.restore(parent.fills, 0)
        self._begin_at_start(origin, parent.open)

    def begin(self, origin: Origin, labels: Iterable[str]) -> None:
        """Begin a log at its start, with the streams and indexes that were made with its table."""
        self._begin_at_start(origin, labels)

    def begin_later(self, place: Place) -> None:
        """Begin at a replica's place, with no stream open. Behind a seal nothing begins any more but in children."""
        group, self.place, self._marks = place.group, place, marks_of(place.children or ())
        self.stage = Stage.SEALED if place.sealed else self.stage
        self._mark = NO_MARK if group is None else mark_of(group.generation, group.lower, group.upper)
        self.know(self._knowledge)

    def _begin_at_start(self, origin: Origin, labels: Iterable[str]) -> None:
        self.place = start_of_log(origin)
        self.openings.restore(labels)
        self.know(self._knowledge)

    def stop(self, why: str) -> None:
        """For good: nothing is guessed."""
        self.stage, self.alarm = Stage.STOPPED, why

    def lose(self, why: str) -> None:
        """The same, since the log has lost records. If a recovery goes on from it, its shards end here."""
        self.stop(why)
        self.lost = True
        self._succeed()

    @property
    def _successor(self) -> tuple[int, int] | None:
        number = self.partition.number
        shards = [each.shards[number] for each in self._knowledge.streams if number in each.shards]
        return next((shard.successor for shard in shards if shard.successor is not None), None)

    def _see_final_end(self) -> None:
        """A reader that has read more than the log has now may have passed the fence before it was written."""
        place, end = self.place, self._final_end
        if self.stage is Stage.READING and place is not None and end is not None and place.next_offset >= end:
            self.lose("the log ended otherwise than it was read")

    def _succeed(self) -> None:
        """The partition is closed, and another one goes on with its range: as a seal that names it would say."""
        place, successor = self.place, self._successor
        if not self.lost or successor is None or place is None or place.group is None:
            return
        child, offset = successor
        if place.next_offset < offset:
            lost = f"changes at offsets {place.next_offset} to {offset - 1}"
            self.note = f"{lost} are lost to streams, not to the table"
        self.place = place._replace(children=(Child(child, place.group.generation + 1, b"", None),))
        self._marks = ((child, NO_MARK),)  # its range is not known here: the child's log is not compared with it
        self._say_all(CLOSED, place.next_offset - 1)
        self.stage, self.alarm, self.moved = Stage.SEALED, None, True

    # -- what metadata say ----------------------------------------------------------------------------------------

    def know(self, knowledge: Knowledge) -> None:
        """New metadata, or the same again."""
        self._knowledge, self.moved = knowledge, True
        if self.stage is Stage.STOPPED:
            self._succeed()
        if self.place is None or self.stage is Stage.STOPPED or knowledge.version < self._least_version:
            return
        if self.stage is Stage.WAITING:
            self.stage = Stage.READING
        self.version = knowledge.version
        self._is_final = self._successor is not None
        lost = self.openings.know(knowledge.streams, meet=self.stage is not Stage.SEALED)
        self.fills.keep_only(self.openings.labels)
        if lost is not None:
            self.stop(lost)
        self.settle()

    @property
    def wants_end(self) -> bool:
        """It wants to be told how far the log reaches now."""
        unknown = self.openings.wants_end or (self._is_final and self._final_end is None)
        return self.stage is Stage.READING and unknown

    def told_end(self, end: int) -> None:
        """The log reached so far after the last `know`."""
        self.moved = True
        if self._is_final and self._final_end is None:
            self._final_end = end
        self.openings.told_end(end)
        self.settle()
        self._see_final_end()

    # -- the log --------------------------------------------------------------------------------------------------

    def read(self, records: Iterable[Record]) -> None:
        """Records from the place on; older ones, which a consumer may have had on their way, are passed by."""
        for record in records:
            if self.stage is not Stage.READING or self.fills.holds:
                return
            assert self.place is not None
            if record.offset >= self.place.next_offset:
                self._read(self.place, record)
        self._ripen()
        self._see_final_end()

    def _read(self, place: Place, record: Record) -> None:
        self.moved = True
        self.place, verdict = fold(place, record, self.bodies)
        if verdict is Verdict.DIVERGED:
            self.lose(f"the log is another one, or has lost records, at offset {record.offset}")
        elif verdict is Verdict.UNREADABLE:
            self.stop(f"the log has a record that this version cannot read, at offset {record.offset}")
        elif verdict is Verdict.ACCEPTED:
            self._accept(self.place, record)
        if self.openings.is_changing:
            self.settle()

    def _accept(self, place: Place, record: Record) -> None:
        if record.kind == Kind.GENESIS:
            group = place.group
            assert group is not None
            self._mark = mark_of(group.generation, group.lower, group.upper)
            if self._expected not in (NO_MARK, self._mark):
                self.stop("the log does not begin as its parent's seal says")
                return
            self._say_all(OPENED, record.offset)
            if group.form is Form.RECOVERY:
                self.fills.sweep(sweeps_of(self.openings.labels, group.generation))
        elif record.kind == Kind.MUTATION:
            self._change(place, record)
        elif record.kind == Kind.SEAL:
            self._marks = marks_of(place.children or ())
            self._say_all(CLOSED, record.offset)
            self.stage = Stage.SEALED

    def _change(self, place: Place, record: Record) -> None:
        if (key_names := self.openings.key_names) is None:
            return
        try:
            body, change, conflict, unseen = decided(self.bodies, record, key_names)
        except ValueError as error:
            self.stop(f"the mutation at offset {record.offset}: {error}")
            return
        streams = [] if place.is_restoring else self.openings.streams
        for stream in streams if body.request == REGIONS_ID else ():
            self._say(stream, FLOORS, record.offset, floors=body.answer)
        if streams:
            self.clock_ms = max(self.clock_ms, body.timestamp_ms)
            if conflict is not None:
                self._say(streams[0], CONFLICT, record.offset, conflict=conflict)
        for stream in streams if unseen is not None else ():
            self._say(stream, VERSION, record.offset, unseen=unseen)
        if change is not None:
            for stream in streams:
                self._say(stream, CHANGE, record.offset, change=change.seen(stream.view))
            assert place.group is not None
            source = Source(self.partition.number, place.group.generation, record.offset)
            self.writes += of_change(self.openings.indexes, change, source)
            self.changes.update(each.log for each in self.openings.indexes)
            if topics := self.openings.table_topics:
                self._recording.change(topics, change, source.generation, record.offset)

    def settle(self) -> None:
        """Begin and end what is to begin or to end here."""
        place = self.place
        if self.stage is Stage.READING and place is not None and place.group is not None:
            # Where another log goes on, that one's changes may be of before the end.
            for each, what in self.openings.settle(place.next_offset, ends=not self._is_final):
                if isinstance(each, Stream):
                    self._say(each, what, place.next_offset - 1)
                if what == OPENED:
                    self.fills.begin(each.label, place.next_offset, is_filled=not isinstance(each, Stream))

    def _say_all(self, what: str, offset: int) -> None:
        for stream in self.openings.streams:
            self._say(stream, what, offset)

    def _say(self, stream: Stream, what: str, offset: int, **content: Any) -> None:
        place = self.place
        assert place is not None
        assert place.group is not None
        sequence = SequenceNumber(place.group.generation, self.clock_ms, offset)
        self._outputs.append(Output(stream, self.partition.number, what, sequence, **content))

    # -- rows of before an index, or a table topic ----------------------------------------------------------------

    def ask_page(self) -> tuple[str, Fill] | None:
        """The next page of rows that is wanted, for what has this label; a child's log has begun by then."""
        place = self.place
        if self.stage is not Stage.READING or place is None or place.group is None:
            return None
        if (wanted := self.fills.next) is None or self.fills.holds or place.is_restoring:
            return None
        return self._recording.ask(*wanted, place.next_offset) if is_topic(wanted[0]) else wanted

    def told_page(self, label: str, position: bytes, page: Page) -> None:
        """What a replica had applied before an offset, from a position on."""
        if not is_topic(label):
            self._fill_index(label, position, page)
        elif self._recording.offer(self.fills, label, position, page):
            self._ripen()

    def _ripen(self) -> None:
        """Use the page that waits, if the log is folded so far."""
        place = self.place
        if place is not None and place.group is not None and self.stage is Stage.READING:
            topics, generation = self.openings.table_topics, place.group.generation
            self.moved |= self._recording.ripen(topics, self.fills, generation, place.next_offset)

    def _fill_index(self, label: str, position: bytes, page: Page) -> None:
        """Puts as of the record before the page's offset."""
        place = self.place
        index = next((each for each in self.openings.indexes if each.label == index_of(label)), None)
        if index is None or place is None or place.group is None or self.stage is not Stage.READING:
            return
        if not self.fills.moved(label, position, page.behind):
            return
        self.moved = True
        source = Source(self.partition.number, place.group.generation, page.next_offset - 1)
        writes, skipped = of_page(index, label, page.items, source)
        self.writes += writes
        self.skipped += skipped

    # -- out ------------------------------------------------------------------------------------------------------

    def take_outputs(self) -> list[Output]:
        """In order; the caller delivers them before it confirms a checkpoint that it takes from now on."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def take_writes(self) -> list[ForIndex]:
        """The same for indexes; all of before a checkpoint are acknowledged before it counts."""
        writes, self.writes = self.writes, []
        return writes

    def take_records(self) -> Records:
        """And for table topics; they are committed with the checkpoint that is taken with them."""
        return self._recording.take()

    def checkpoint(self) -> Checkpoint | None:
        """Behind all outputs so far; None while there is none. A log that stopped commits nothing more."""
        self.moved = False
        if self.place is None or self.place.group is None or self.stage in (Stage.WAITING, Stage.STOPPED):
            return None
        place = without_bounds(self.place)
        labels, fills = self.openings.labels, self.fills.positions
        return Checkpoint(place, self._mark, self._marks, self.version, self.clock_ms, labels, fills)
