"""RepOut, for one destination: reads the shards of a region's streams, sends what that region wrote itself, commits.

    1. `read`: what came of a shard           3. `acknowledged`: the destination has decided all of a batch
    2. `batches`: produce them                4. `due`: commit these offsets, then `committed`

An offset is due once every change before it was acknowledged, and not before: what is repeated after a crash is
decided anew by whoever gets it, and changes nothing. What arrived by replication is passed by, so each change crosses
each link once, retries aside. What regions wrote that send nothing any more (`forwards`) is sent on instead, so that
all have what one has. It ends by itself, since a repeat is no record of a stream. A batch that is not acknowledged in
time is sent again under its number.

Shards that are sealed are read to their end and *acknowledged* to their end before their children begin
(`core.streams.consuming` says which shard may be read); a destination that is away holds back its own batches only,
since each destination has a consumer group of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.promises import Promise, Promises
from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.global_tables.window import BATCHES_MOST, Window

BATCH_CHANGES, BATCH_BYTES = 200, 512 * 1024

WAITING_CHANGES, WAITING_BYTES = BATCH_CHANGES * BATCHES_MOST, BATCH_BYTES * BATCHES_MOST
"""As much as may be under way; beyond either, no more is read."""

OBJECT_BYTES = 1000
"""What a change that waits takes besides its key and item."""


T = TypeVar("T")


class Export(NamedTuple):
    """A change as it crosses the link; without `item` a deletion. `item` is the encoded item, `key` its key."""

    table: str
    key: bytes
    item: bytes | None
    version: Version

    @property
    def size(self) -> int:
        return len(self.key) + len(self.item or b"")


Shard = tuple[str, int]
"""(stream, number)."""


class Batch(NamedTuple):
    """`number`: of one RepOut, whose name as a sender no other one ever has. `word`: what the source says of what it
    wrote before (`floors`)."""

    number: int
    exports: list[Export]
    word: Word | None = None


def taken_from(waiting: deque[T], size_of: Callable[[T], int], most: float) -> list[T]:
    """What goes into the next batch: the first ones, no more than `most`, until it is large enough."""
    taken: list[T] = []
    size = 0
    while waiting and len(taken) + 1 <= most and size < BATCH_BYTES:
        taken.append(waiting.popleft())
        size += size_of(taken[-1])
    return taken


def _cost(export: Export) -> int:
    return export.size + OBJECT_BYTES


class Under(NamedTuple):
    """A batch under way. `behind`: the offset of each shard that may be committed once this and all earlier ones are
    acknowledged."""

    batch: Batch
    behind: dict[Shard, int]


@dataclass(slots=True)
class RepOut:
    """Fed by one thread. `region`: whose streams it reads. `forwards`: other regions, and until which time (Unix ms)
    what they wrote is sent on."""

    region: str
    forwards: Mapping[str, int] = field(default_factory=dict)
    _waiting: deque[tuple[Shard, int, Export]] = field(default_factory=deque)
    _bytes: int = 0
    """Of what waits."""
    _read: dict[Shard, int] = field(default_factory=dict)
    """Offsets up to which shards were read."""
    window: Window[Under] = field(default_factory=Window)
    _confirmed: dict[Shard, int] = field(default_factory=dict)
    _committed: dict[Shard, int] = field(default_factory=dict)
    _own_behind: dict[Shard, int] = field(default_factory=dict)
    """Before these offsets this region's own changes were acknowledged, when only they were sent."""
    _numbers: int = 0
    bytes_most: int = WAITING_BYTES
    """Less where many tables wait."""
    word: Word | None = None
    """What the destination is to be told; None: nothing."""
    _told: Word | None = None
    _promises: Promises = field(default_factory=Promises)
    passed: int = 0
    """Changes that had arrived by replication."""

    def assigned(self, shard: Shard, offset: int, own_behind: int = 0) -> None:
        """The group gave it to this process, with this offset to begin at. Before `own_behind` it is read once more,
        for what other regions wrote."""
        self._read[shard] = self._confirmed[shard] = self._committed[shard] = offset
        self._own_behind[shard] = own_behind

    def revoked(self, shards: Iterable[Shard]) -> None:
        """Others have them: what is under way of them is theirs to repeat."""
        gone = set(shards)
        for shard in gone:
            self._promises.forget(shard[1])
            for of in (self._read, self._confirmed, self._committed, self._own_behind):
                of.pop(shard, None)
        self._waiting = deque(each for each in self._waiting if each[0] not in gone)
        self._bytes = sum(_cost(export) for _, _, export in self._waiting)
        for sent in self.window.sent:
            for shard in gone:
                sent.batch.behind.pop(shard, None)

    @property
    def oldest_ms(self) -> float | None:
        """Milliseconds since 1970 of the write that waits the longest; None: nothing does."""
        for sent in [*self.window.sent]:
            if sent.batch.batch.exports and not sent.is_acknowledged:
                return sent.batch.batch.exports[0].version.stamp.ms
        return next((export.version.stamp.ms for _, _, export in [*self._waiting]), None)

    @property
    def is_full(self) -> bool:
        """Nothing is read meanwhile."""
        return len(self._waiting) >= WAITING_CHANGES or self._bytes >= self.bytes_most

    @property
    def is_ready(self) -> bool:
        """Whether there is another batch that may be sent."""
        is_told = self.word is None or self.word == self._told
        return bool(self._waiting or not is_told) and not self.window.is_full

    def positions(self) -> dict[Shard, int]:
        """Where shards are to be read on."""
        return {} if self.is_full else dict(self._read)

    def sends(self, shard: Shard, offset: int, stamp: Stamp) -> bool:
        """Whether a change that is read there goes to the destination."""
        if stamp.region == self.region:
            return offset >= self._own_behind.get(shard, 0)
        return stamp.ms <= self.forwards.get(stamp.region, -1)

    def read(self, shard: Shard, offset: int, change: Export | None) -> None:
        """A record of a shard; None for one that is no change."""
        if self._read.get(shard) != offset:
            return
        self._read[shard] = offset + 1
        if change is None:
            return
        if self.sends(shard, offset, change.version.stamp):
            self._waiting.append((shard, offset, change))
            self._bytes += _cost(change)
        else:
            self.passed += 1

    def promised(self, shard: Shard, offset: int, word: Word) -> None:
        """What its leader has said lies there."""
        if self._read.get(shard) == offset:
            self._promises.given(shard[1], Promise(offset, word))
        self.read(shard, offset, None)

    def batches(self, now_ms: float, most: float = float("inf")) -> list[Batch]:
        """To be produced now, those that are overdue first, and then no more than `most` changes."""
        wanted = [late.batch._replace(word=self.word) for late in self.window.overdue(now_ms)]
        while most >= 1 and self.is_ready:
            wanted.append(self._next(now_ms, min(BATCH_CHANGES, most)))
            most -= len(wanted[-1].exports)
        return wanted

    def _next(self, now_ms: float, most: float) -> Batch:
        taken = taken_from(self._waiting, lambda each: each[2].size, most)
        self._bytes -= sum(_cost(export) for _, _, export in taken)
        self._numbers += 1
        batch = Batch(self._numbers, [export for _, _, export in taken], self.word)
        behind = {shard: offset + 1 for shard, offset, _ in taken}
        self._told = self.word
        self.window.add(batch.number, Under(batch, behind), now_ms)
        return batch

    def acknowledged(self, number: int) -> Batch | None:
        """The destination has decided each change of it; the batch, if that is news."""
        found = self.window.acknowledged(number)
        for done in self.window.take_done():
            self._confirmed.update(done.behind)
        return None if found is None else found.batch

    def due(self) -> dict[Shard, int]:
        """Offsets that the group does not have yet."""
        under_way = {shard for sent in self.window.sent for shard in sent.batch.behind}
        under_way |= {shard for shard, _, _ in self._waiting}
        # Of a shard of which nothing is under way all that was read is done, what was passed by too.
        done = {shard: self._confirmed[shard] if shard in under_way else self._read[shard] for shard in self._read}
        return {shard: offset for shard, offset in done.items() if offset > self._committed[shard]}

    def words(self, due: dict[Shard, int]) -> dict[Shard, Word]:
        """Those that count once these offsets are committed, and are to be committed with them."""
        found = {shard: self._promises.acknowledged(shard[1], at) for shard, at in due.items()}
        return {shard: word for shard, word in found.items() if word is not None}

    def committed(self, offsets: dict[Shard, int]) -> None:
        """The group has them."""
        for shard, offset in offsets.items():
            if shard in self._committed:
                self._committed[shard] = offset
                self._confirmed[shard] = max(self._confirmed[shard], offset)
