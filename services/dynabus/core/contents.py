"""What a replica holds besides its rows: their number and size, and the entries of local secondary indexes.

Kept by whoever applies a mutation, from its two images, and stored with each commit. Item counts and sizes are what
DescribeTable answers as ItemCount and TableSizeBytes, and what a partition is split by.
"""

from __future__ import annotations

import orjson

from dynabus.core.local_indexes import LocalIndexes, stored_bounds, write_entries
from dynabus.core.replication.store import Store
from dynabus.core.rows import row_size


class Contents:
    """Of one replica. `totals[0]` is [items, bytes] of the rows, `totals[n]` of the entries of index number n."""

    __slots__ = ("_indexes", "_store", "totals")

    def __init__(self, store: Store, indexes: LocalIndexes) -> None:
        self._store, self._indexes = store, indexes
        stored = store.totals()
        self.totals: list[list[int]] = self._count() if stored is None else orjson.loads(stored)

    def follow(self, old: bytes | None, new: bytes | None) -> None:
        """A mutation from one row to another (None for absent) was applied."""
        rows = self.totals[0]
        if old is not None:
            rows[0] -= 1
            rows[1] -= row_size(old)
        if new is not None:
            rows[0] += 1
            rows[1] += row_size(new)
        if self._indexes.all:
            for number, (items, size) in write_entries(self._store, self._indexes, old, new).items():
                self.totals[number][0] += items
                self.totals[number][1] += size

    @property
    def indexes(self) -> LocalIndexes:
        """Those of the table."""
        return self._indexes

    @property
    def size(self) -> int:
        """Bytes of rows and entries, by DynamoDB's rule."""
        return sum(size for _, size in self.totals)

    def encode(self) -> bytes:
        """As the store keeps it."""
        return orjson.dumps(self.totals)

    def _count(self) -> list[list[int]]:
        """Of a store that never committed any totals; reads everything, which is little or nothing then."""
        totals = [[0, 0] for _ in range(1 + len(self._indexes.all))]
        for _, row in self._store.scan(b"", None):
            totals[0][0] += 1
            totals[0][1] += row_size(row)
        for index in self._indexes.all:
            for _, row in self._store.scan_entries(*stored_bounds(index.number, b"", None)):
                totals[index.number][0] += 1
                totals[index.number][1] += row_size(row)
        return totals
