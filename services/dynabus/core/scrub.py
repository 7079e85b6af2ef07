"""Scrub: are the bytes of a replica those that its log made it write? Pure; `storage_node.scrubbing` reads.

A pass reads rows, then index entries, then request ids, in chunks. Each chunk is of one commit, and commits go on
between chunks and while one is read. `Audit` keeps the sum of what was passed exact all the same:

| a mutation is applied to a key             | then                                                           |
|--------------------------------------------|----------------------------------------------------------------|
| below the position                         | what was passed changes with it                                |
| elsewhere, while a chunk is being read     | it is kept until the chunk's end is known                      |
| elsewhere, otherwise                       | nothing: a later chunk will read it                            |

A chunk adds what it read, as of its commit, and the kept changes of keys below its end. So between chunks the sum is
that of all keys below the position as they are applied now, and behind the last key it is that of the replica. The
loop begins a chunk with a commit, which makes "as applied when the chunk began" what its transaction sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from dynabus.core.checksum import MASK, change
from dynabus.core.contents import Contents
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.local_indexes.entries import NO_TIME_MS, Entry, image
from dynabus.core.replication.request_ids import is_outcome
from dynabus.core.rows import CorruptRow, decode_row, encode_row, items_in

Pair = tuple[bytes, bytes]
Get = Callable[[bytes], bytes | None]

TOLD_MOST = 10
"""Of one pass: enough to see a pattern, and the replica is rebuilt after the first."""

KEY_BYTES_SHOWN = 64
"""Of a key in an alarm: hash, and what people chose as key if it is short."""


class Damage(NamedTuple):
    """What is wrong, and with which key (empty: the replica as a whole)."""

    what: str
    key: bytes = b""

    def __str__(self) -> str:
        return f"{self.what}, key {shown(self.key)}" if self.key else self.what


def shown(key: bytes) -> str:
    """A key for people: hexadecimal, cut."""
    return key[:KEY_BYTES_SHOWN].hex() + ("…" if len(key) > KEY_BYTES_SHOWN else "")


class Tally(NamedTuple):
    """Number, bytes (DynamoDB's rule) and checksum of some rows."""

    items: int = 0
    size: int = 0
    checksum: int = 0

    def __str__(self) -> str:
        return f"{self.items} items, {self.size} bytes, checksum {self.checksum:016x}"

    def plus(self, items: int, size: int, checksum: int) -> Tally:
        return Tally(self.items + items, self.size + size, (self.checksum + checksum) & MASK)


@dataclass(slots=True)
class Audit:
    """One pass over the rows of a replica. It is `Contents.watcher` meanwhile."""

    position: bytes = b""
    passed: Tally = field(default_factory=Tally)
    _whole: bool = False
    _reading: bool = False
    _meanwhile: list[tuple[bytes, int, int, int]] = field(default_factory=list)

    def changed(self, key: bytes, items: int, size: int, checksum: int) -> None:
        """A mutation was applied."""
        if self._whole or key < self.position:
            self.passed = self.passed.plus(items, size, checksum)
        elif self._reading:
            self._meanwhile.append((key, items, size, checksum))

    def begin_chunk(self) -> None:
        """Everything applied is committed, and the next chunk is read from that commit."""
        self._reading = True

    def end_chunk(self, read: Tally, end: bytes | None) -> None:
        """It held this, of all keys from the position to `end` (None: the last key is passed)."""
        self.passed = self.passed.plus(*read)
        for key, items, size, checksum in self._meanwhile:
            if end is None or key < end:
                self.passed = self.passed.plus(items, size, checksum)
        self._meanwhile.clear()
        self._reading = False
        self.position, self._whole = end or self.position, end is None

    def verdict(self, contents: Contents) -> Damage | None:
        """Behind the last key: do the rows come to what the log says?"""
        items, size = contents.totals[0]
        wanted = Tally(items, size, contents.checksum)
        return None if self.passed == wanted else Damage(f"the rows are {self.passed}, by the log they are {wanted}")


class Findings:
    """What one chunk came to: the tally of its rows, and damage."""

    def __init__(self, indexes: LocalIndexes, lower: bytes, upper: bytes | None) -> None:
        self._indexes, self._lower, self._upper = indexes, lower, upper
        self.tally, self.found = Tally(), list[Damage]()

    def rows(self, pairs: Iterable[Pair], after: bytes | None, get_entry: Get) -> None:
        """Rows in key order, behind the key `after`."""
        for key, row in pairs:
            if after is not None and key <= after:
                self._found("a key out of order", key)
            if key < self._lower or (self._upper is not None and key >= self._upper):
                self._found("a key outside of the partition", key)
            after = key
            try:
                size = decode_row(row).size
            except CorruptRow as error:
                self._found(str(error), key)
            else:
                self.tally = self.tally.plus(items_in(row), size, change(key, None, row))
                if self._indexes.all:
                    self._entries_of(key, row, get_entry)

    def _entries_of(self, key: bytes, row: bytes, get_entry: Get) -> None:
        derived = image(self._indexes, row)
        for entry in derived.entries.values() if derived is not None else ():
            if get_entry(entry.key) != _stored(entry):
                self._found("an index entry is missing or is not what its row gives", key)

    def entries(self, pairs: Iterable[Pair], get: Get) -> None:
        """Entries of local secondary indexes, or sizes of item collections (number 0)."""
        for key, value in pairs:
            if key[0]:
                self._entry(key, value, get)
            elif len(value) != 8:
                self._found("the size of an item collection is no number", key)

    def _entry(self, key: bytes, value: bytes, get: Get) -> None:
        index = next((each for each in self._indexes.all if each.number == key[0]), None)
        try:
            item = orjson.loads(decode_row(value).item_json)
            derived = image(self._indexes, get(index.row_key(item))) if index is not None else None
        except CorruptRow as error:
            self._found(f"index entry: {error}", key)
            return
        entry = derived.entries.get(key[0]) if derived is not None else None
        if entry is None or entry.key != key:
            self._found("an index entry without its row", key)

    def requests(self, pairs: Iterable[Pair]) -> None:
        """Remembered request ids."""
        for request, value in pairs:
            if not is_outcome(request, value):
                self._found("a remembered request id is unreadable", request)

    def broken(self, why: str, key: bytes) -> None:
        """The store could not be read on behind this key."""
        self._found(f"{why}, behind", key)

    def _found(self, what: str, key: bytes) -> None:
        if len(self.found) < TOLD_MOST:
            self.found.append(Damage(what, key))


def _stored(entry: Entry) -> bytes:
    return encode_row(entry.item_json, entry.size, NO_TIME_MS)
