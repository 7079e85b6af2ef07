"""One log, as a propagator reads it.

| stage   | what it waits for                                                 | then    |
|---------|-------------------------------------------------------------------|---------|
| WAITING | metadata as new as its checkpoint's writer knew; a place to begin | READING |
| READING | records                                                           | SEALED  |
| SEALED  | nothing: the log has ended, its shards are closed                 |         |
| STOPPED | people: the log diverged, or a checkpoint is lost                 |         |
| STOPPED, the log has lost records | a recovery: metadata name a successor   | SEALED  |

Streams within it:

| label is in the checkpoint | metadata say        | reader                                                   |
|----------------------------|---------------------|----------------------------------------------------------|
| no                         | ENABLING            | folds to where the log ended when it heard that: `opened` |
| no, log has no checkpoint  | made with its table | `opened` behind the genesis                              |
| no, log has no checkpoint  | the parent had it   | the same                                                 |
| no                         | ENABLED             | STOPPED: it was begun once, and nobody knows where       |
| yes                        | ENABLING, ENABLED   | each change becomes a record; `closed` at the seal       |
| yes                        | DISABLING           | goes on to where the log ended when it heard that: `closed` |
| yes                        | DISABLED, or none   | nothing more                                             |

Outputs are functions of the log from where a stream begins. Mutations that restore a recovered partition (form
RECOVERY, before the first plan) are contents, not changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from dynabus.core.ids import PartitionId
from dynabus.core.propagation.checkpoint import NO_MARK, Checkpoint, Marks, mark_of, marks_of, without_bounds
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import Bodies, Child, Form, Kind, Mutation, Record
from dynabus.core.rows import CorruptRow
from dynabus.core.streams.changes import Change, change_of
from dynabus.core.streams.reading import CHANGE, CLOSED, OPENED
from dynabus.core.streams.sequence import Sequence as SequenceNumber
from dynabus.core.streams.view import DISABLED, DISABLING, ENABLED, ENABLING, Stream


class Stage(Enum):
    WAITING = "waiting"
    READING = "reading"
    SEALED = "sealed"
    STOPPED = "stopped"


class Output(NamedTuple):
    """One record for a stream topic, in the topic partition with the number of the log's partition."""

    stream: Stream
    number: int
    type: str
    sequence: SequenceNumber
    change: Change | None = None


class Knowledge(NamedTuple):
    """What metadata say of a table's streams."""

    version: int
    streams: Sequence[Stream]


@dataclass(slots=True)
class _Begin:
    """A stream to be begun once the log is folded to `at`; None: not known yet how far that is."""

    stream: Stream
    at: int | None = None


@dataclass(slots=True)
class Follower:
    """`take_checkpoint`, then `know`, then records. Outputs collect until `take_outputs`."""

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
    _lost: bool = False
    """The log is not the one that was folded: records are lost (I9)."""
    _expected: bytes = NO_MARK
    _least_version: int = 0
    _open: dict[str, Stream | None] = field(default_factory=dict)
    _begins: dict[str, _Begin] = field(default_factory=dict)
    _ends: dict[str, int | None] = field(default_factory=dict)
    """Streams to be closed once the log is folded so far; None: not known yet how far that is."""
    _outputs: list[Output] = field(default_factory=list)
    _knowledge: Knowledge = field(default_factory=lambda: Knowledge(-1, ()))

    # -- where it begins ------------------------------------------------------------------------------------------

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, at the take-over of the log or after a delivery that failed."""
        self.place, self.clock_ms = checkpoint.place, checkpoint.clock_ms
        # A place from a checkpoint has no bounds any more, from which they could be computed.
        self._mark, self._marks = checkpoint.mark, checkpoint.marks
        self._least_version = max(self._least_version, checkpoint.version)
        self._open = dict.fromkeys(checkpoint.open)
        self._begins.clear()
        self._ends.clear()
        self._outputs.clear()
        self.stage = Stage.SEALED if self.place.sealed else Stage.WAITING
        self.know(self._knowledge)

    def inherit(self, origin: Origin, parent: Checkpoint) -> None:
        """Begin a child's log at its start, with the streams that were open at its parent's seal."""
        self._least_version = max(self._least_version, parent.version)
        self.clock_ms = parent.clock_ms
        self._expected = dict(parent.marks).get(self.partition.number, NO_MARK)
        self._begin_at_start(origin, parent.open)

    def begin(self, origin: Origin, labels: Iterable[str]) -> None:
        """Begin a log at its start, with the streams that were made with its table."""
        self._begin_at_start(origin, labels)

    def begin_later(self, place: Place) -> None:
        """Begin at a replica's place, or at the log's start, with no stream open."""
        group = place.group
        self.place = place
        self._mark = NO_MARK if group is None else mark_of(group.generation, group.lower, group.upper)
        self.know(self._knowledge)

    def _begin_at_start(self, origin: Origin, labels: Iterable[str]) -> None:
        self.place = start_of_log(origin)
        self._open = dict.fromkeys(labels)
        self.know(self._knowledge)

    def stop(self, why: str) -> None:
        """For good: nothing is guessed."""
        self.stage, self.alarm = Stage.STOPPED, why

    def lose(self, why: str) -> None:
        """The same, since the log has lost records. If a recovery goes on from it, its shards end here."""
        self.stop(why)
        self._lost = True
        self._succeed()

    def _succeed(self) -> None:
        """The partition is closed, and another one goes on with its range: as a seal that names it would say."""
        place, number = self.place, self.partition.number
        shards = [each.shards[number] for each in self._knowledge.streams if number in each.shards]
        successor = next((shard.successor for shard in shards if shard.successor is not None), None)
        if not self._lost or successor is None or place is None or place.group is None:
            return
        child, offset = successor
        if place.next_offset < offset:
            self.note = (
                f"changes at offsets {place.next_offset} to {offset - 1} are lost to streams, not to the table"
            )
        self.place = place._replace(children=(Child(child, place.group.generation + 1, b"", None),))
        # Its range is not known here: the child's log is not compared with it.
        self._marks = ((child, NO_MARK),)
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
        streams = {stream.label: stream for stream in knowledge.streams}
        for label in [*self._open]:
            stream = self._open[label] = streams.get(label)
            if stream is None or stream.status == DISABLED:
                # Closed wherever it was begun: that is what DISABLED means.
                del self._open[label]
                self._ends.pop(label, None)
            elif stream.status == DISABLING:
                self._ends.setdefault(label, None)
        for label, begin in [*self._begins.items()]:
            if label not in streams or streams[label].status != ENABLING:
                del self._begins[label]
            else:
                begin.stream = streams[label]
        for stream in knowledge.streams:
            if stream.label not in self._open and stream.label not in self._begins:
                self._meet(stream)
        self.settle()

    def _meet(self, stream: Stream) -> None:
        """A stream that has no shard here yet."""
        if self.stage is Stage.SEALED or self.partition.number not in stream.shards:
            return
        if stream.status == ENABLING:
            self._begins[stream.label] = _Begin(stream)
        elif stream.status == ENABLED:
            self.stop(f"stream {stream.label} was begun here, and the checkpoint does not say where")

    @property
    def wants_end(self) -> bool:
        """It wants to be told how far the log reaches now."""
        unknown = any(begin.at is None for begin in self._begins.values()) or None in self._ends.values()
        return self.stage is Stage.READING and unknown

    def told_end(self, end: int) -> None:
        """The log reached so far after the last `know`."""
        for begin in self._begins.values():
            if begin.at is None:
                begin.at = end
        self.moved = True
        self._ends = {label: end if at is None else at for label, at in self._ends.items()}
        self.settle()

    # -- the log --------------------------------------------------------------------------------------------------

    def read(self, records: Iterable[Record]) -> None:
        """Records from the place on; older ones, which a consumer may have had on their way, are passed by."""
        for record in records:
            if self.stage is not Stage.READING:
                return
            assert self.place is not None
            if record.offset >= self.place.next_offset:
                self._read(self.place, record)

    def _read(self, place: Place, record: Record) -> None:
        self.moved = True
        self.place, verdict = fold(place, record, self.bodies)
        if verdict is Verdict.DIVERGED:
            self.lose(f"the log is another one, or has lost records, at offset {record.offset}")
        elif verdict is Verdict.UNREADABLE:
            self.stop(f"the log has a record that this version cannot read, at offset {record.offset}")
        elif verdict is Verdict.ACCEPTED:
            self._accept(self.place, record)
        if self._begins or self._ends:
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
        elif record.kind == Kind.MUTATION:
            self._change(place, record)
        elif record.kind == Kind.SEAL:
            self._marks = marks_of(place.children or ())
            self._say_all(CLOSED, record.offset)
            self.stage = Stage.SEALED

    def _change(self, place: Place, record: Record) -> None:
        group = place.group
        assert group is not None
        if group.form is Form.RECOVERY and group.plan == 0:
            return
        body = self.bodies.decode(record.schema_number, record.body)
        if not isinstance(body, Mutation):
            self.stop(f"the mutation at offset {record.offset} cannot be read")
            return
        self.clock_ms = max(self.clock_ms, body.timestamp_ms)
        found: dict[tuple[str, ...], Change | None] = {}
        for stream in [stream for stream in self._open.values() if stream is not None]:
            names = tuple(stream.key_names)
            if names not in found:
                try:
                    found[names] = change_of(body, names)
                except CorruptRow as error:
                    self.stop(f"the mutation at offset {record.offset}: {error}")
                    return
            change = found[names]
            if change is not None:
                self._say(stream, CHANGE, record.offset, change.seen(stream.view))

    def settle(self) -> None:
        """Begin and end what is to begin or to end here."""
        place = self.place
        if self.stage is not Stage.READING or place is None or place.group is None:
            return
        for label, begin in [*self._begins.items()]:
            if begin.at is not None and place.next_offset >= begin.at:
                del self._begins[label]
                self._open[label] = begin.stream
                self._say(begin.stream, OPENED, place.next_offset - 1)
        for label, at in [*self._ends.items()]:
            if at is not None and place.next_offset >= at:
                del self._ends[label]
                stream = self._open.pop(label)
                assert stream is not None
                self._say(stream, CLOSED, place.next_offset - 1)

    def _say_all(self, what: str, offset: int) -> None:
        for stream in self._open.values():
            if stream is not None:
                self._say(stream, what, offset)

    def _say(self, stream: Stream, what: str, offset: int, change: Change | None = None) -> None:
        place = self.place
        assert place is not None
        assert place.group is not None
        sequence = SequenceNumber(place.group.generation, self.clock_ms, offset)
        self._outputs.append(Output(stream, self.partition.number, what, sequence, change))

    # -- out ------------------------------------------------------------------------------------------------------

    def take_outputs(self) -> list[Output]:
        """In order; the caller delivers them before it confirms a checkpoint that it takes from now on."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def checkpoint(self) -> Checkpoint | None:
        """Behind all outputs so far; None while there is none. A log that stopped commits nothing more."""
        self.moved = False
        if self.place is None or self.place.group is None or self.stage in (Stage.WAITING, Stage.STOPPED):
            return None
        place = without_bounds(self.place)
        return Checkpoint(place, self._mark, self._marks, self.version, self.clock_ms, tuple(self._open))
