"""What a replica holds: its rows' number, size and checksum, and the entries of local secondary indexes.

Kept by whoever applies a mutation, from its two images, and stored with each commit (I6). Item counts and sizes are
what DescribeTable answers as ItemCount and TableSizeBytes, and what a partition is split by. The checksum is what the
log says that the rows are; `core.scrub` compares it with the rows.

    stored                                                            by
    {"totals": [[items, bytes], …], "checksum": 64 bits, "crc": …}    this version
    [[items, bytes], …]                                               versions before it; counted anew at open

The CRC covers the place too, which is committed with it and has none of its own.
"""

from __future__ import annotations

from typing import Protocol
from zlib import crc32

import orjson

from dynabus.core.checksum import MASK, change
from dynabus.core.local_indexes import LocalIndexes, stored_bounds, write_entries
from dynabus.core.replication.store import Follow, Store
from dynabus.core.rows import CorruptRow, items_in, row_size


class Watcher(Protocol):
    """Is told of every mutation while a scrub is under way."""

    def changed(self, key: bytes, items: int, size: int, checksum: int) -> None:
        """By how much the row of this key has changed number, bytes and checksum (not yet modulo 2^64)."""


class Contents:
    """Of one replica. `totals[0]` is [items, bytes] of the rows, `totals[n]` of the entries of index number n."""

    __slots__ = ("_indexes", "_store", "besides", "buried", "changes", "checksum", "totals", "watcher")

    def __init__(self, store: Store, indexes: LocalIndexes) -> None:
        """Raises CorruptRow: what is stored is not what was committed."""
        self._store, self._indexes = store, indexes
        self.watcher: Watcher | None = None
        self.besides: Follow | None = None
        """What else follows the rows, and is not counted."""
        self.changes = self.buried = 0
        """Of rows, since it was opened: a record may have many. `buried`: rows that became tombstones."""
        self.totals: list[list[int]] = [[0, 0] for _ in range(1 + len(indexes.all))]
        self.checksum = 0
        if not self._restore(store.totals(), store.place() or b""):
            self._count()

    def follow(self, key: bytes, old: bytes | None, new: bytes | None) -> None:
        """A mutation of this key from one row to another (None for absent) was applied."""
        self.changes += 1
        rows = self.totals[0]
        came = items_in(new)
        items = came - items_in(old)
        self.buried += new is not None and not came
        size = (0 if new is None else row_size(new)) - (0 if old is None else row_size(old))
        changed = change(key, old, new)
        rows[0] += items
        rows[1] += size
        self.checksum = (self.checksum + changed) & MASK
        if self.watcher is not None:
            self.watcher.changed(key, items, size, changed)
        if self._indexes.all:
            for number, (more, bytes_) in write_entries(self._store, self._indexes, old, new).items():
                self.totals[number][0] += more
                self.totals[number][1] += bytes_
        if self.besides is not None:
            self.besides(key, old, new)

    @property
    def indexes(self) -> LocalIndexes:
        """Those of the table."""
        return self._indexes

    @property
    def size(self) -> int:
        """Bytes of rows and entries, by DynamoDB's rule."""
        return sum(size for _, size in self.totals)

    def encode(self, place: bytes) -> bytes:
        """As the store keeps it beside this place."""
        return encode_totals(self.totals, self.checksum, place)

    def _restore(self, stored: bytes | None, place: bytes) -> bool:
        """False: nothing was counted, or by an older version."""
        if stored is None:
            return False
        try:
            told = orjson.loads(stored)
            if isinstance(told, list):
                return False
            totals, checksum = told["totals"], told["checksum"]
            whole = encode_totals(totals, checksum, place) == stored
        except (ValueError, TypeError, KeyError) as error:
            raise CorruptRow(f"what was counted is unreadable: {error}") from error
        if not whole or len(totals) != 1 + len(self._indexes.all):
            raise CorruptRow("place and what was counted do not match their checksum")
        self.totals, self.checksum = totals, checksum
        return True

    def _count(self) -> None:
        """From the rows themselves, which are few or none where nothing was counted yet."""
        self.totals, self.checksum = [[0, 0] for _ in range(1 + len(self._indexes.all))], 0
        for key, row in self._store.scan(b"", None):
            self.totals[0][0] += items_in(row)
            self.totals[0][1] += row_size(row)
            self.checksum += change(key, None, row)
        self.checksum &= MASK
        for index in self._indexes.all:
            for _, row in self._store.scan_entries(*stored_bounds(index.number, b"", None)):
                self.totals[index.number][0] += 1
                self.totals[index.number][1] += row_size(row)


def encode_totals(totals: list[list[int]], checksum: int, place: bytes) -> bytes:
    """As the store keeps them beside this place."""
    told = {"totals": totals, "checksum": checksum}
    return orjson.dumps({**told, "crc": crc32(orjson.dumps(told) + place)})


def rows_size(stored: bytes) -> int:
    """Bytes of all rows, as stored by this version or an older one."""
    told = orjson.loads(stored)
    size: int = (told if isinstance(told, list) else told["totals"])[0][1]
    return size
