"""One log that is this process's: its follower, and what of it is unacknowledged, confirmed, committed. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.ids import LogId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.follower import Follower
from dynabus.core.propagation.index_writes import ForIndex
from dynabus.core.propagation.table_records import Records
from dynabus.core.replication.place import FOLD_VERSION, Origin

UNACKNOWLEDGED_MOST = 2000
"""Index writes of one log; beyond it the log is not read on. Half a second of what one leader takes, 2 MB of rows of
1 KB; what lies longer in an inbox would be sent twice."""

UNACKNOWLEDGED_BYTES_MOST = 16 << 20
"""The same for larger rows: an index that takes nothing for a while must not fill the memory."""

RECORDS_MOST = 2000
"""For table topics, of one log, that are not committed; beyond it the log is not read on. A transaction of so many is
30 ms of our own work."""


class Found(NamedTuple):
    """What Kafka has of a log when it is taken over. `low`: the first offset that is still there."""

    origin: Origin
    low: int
    checkpoint: Checkpoint | None

    @property
    def is_foreign(self) -> bool:
        """The checkpoint is of another log, or of another version."""
        place = None if self.checkpoint is None else self.checkpoint.place
        return place is not None and (place.origin != self.origin or place.fold_version != FOLD_VERSION)

    @property
    def is_pruned(self) -> bool:
        """The log has not what comes behind the checkpoint any more."""
        place = None if self.checkpoint is None else self.checkpoint.place
        return place is not None and not place.sealed and place.next_offset < self.low


@dataclass(slots=True)
class Log:
    """One log that is this process's."""

    follower: Follower
    found: Found
    parent: int | None = None
    wants_place: bool = False
    confirmed: Checkpoint | None = None
    committed: Checkpoint | None = None
    unacknowledged: dict[int, ForIndex] = field(default_factory=dict)
    """Index writes by their numbers, in order."""
    unacknowledged_bytes: int = 0
    waiting: deque[tuple[int, Checkpoint, Records]] = field(default_factory=deque)
    """Checkpoints by the last index write that they mean, with what table topics get."""
    held: Records = field(default_factory=dict)
    """The same of all checkpoints since the one that is committed, up to the one that is confirmed."""
    is_full: bool = False
    """It is not read on until half of its writes are acknowledged."""
    deleted_below: int = 1
    """Where it was taken over: whoever had it may have left tombstones in any index."""
    deletions: dict[LogId, int] = field(default_factory=dict)
    """By index: behind the last deletion of a row since."""

    def deletes(self, each: ForIndex) -> None:
        """A write that leaves a tombstone."""
        log, write = each
        self.deletions[log] = max(self.deletions.get(log, 0), write.source.offset + 1)

    def issued(self, number: int, each: ForIndex) -> None:
        """An index write that is to be acknowledged."""
        self.unacknowledged[number] = each
        self.unacknowledged_bytes += len(each.write.item_json)

    def acknowledged(self, numbers: Iterable[int]) -> None:
        """These are."""
        for number in numbers:
            if (each := self.unacknowledged.pop(number, None)) is not None:
                self.unacknowledged_bytes -= len(each.write.item_json)
        self.settle()

    def has_room(self, part: int = 1) -> bool:
        """No more index writes are under way than such a part of what may be."""
        is_short = len(self.unacknowledged) <= UNACKNOWLEDGED_MOST // part
        return is_short and self.unacknowledged_bytes <= UNACKNOWLEDGED_BYTES_MOST // part

    def settle(self) -> None:
        """Let go the checkpoints whose writes, and those of all before them, are acknowledged."""
        first = next(iter(self.unacknowledged), None)
        while self.waiting and (first is None or first > self.waiting[0][0]):
            _, self.confirmed, records = self.waiting.popleft()
            self.held |= records
        self.is_full = not self.has_room(2 if self.is_full else 1)

    def has_committed(self, offset: int) -> bool:
        """All that the log has before this offset is where it belongs: a table topic can be looked at."""
        return self.committed is not None and self.committed.place.next_offset >= offset

    @property
    def uncommitted(self) -> int:
        """Records for table topics, at most: a key may be counted more than once."""
        return len(self.held) + sum(len(records) for _, _, records in self.waiting)

    def keep_topics(self, labels: Iterable[str]) -> None:
        """Others are gone, and what was to be written to them."""
        kept = set(labels)
        if not {label for label, _ in self.held} <= kept:
            self.held = {where: each for where, each in self.held.items() if where[0] in kept}
