"""Where a partition is best cut: the middle of its contents by bytes. Found in its rows, in a thread.

With local secondary indexes the cut lies between two item collections, since an index's order cannot be cut where the
table's is. A partition with fewer than two rows is cut in the middle of its range.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from dynabus.adapters.lmdb import Snapshot
from dynabus.core.contents import rows_size
from dynabus.core.keys import encode_partition_key
from dynabus.core.keys.cuts import BOUND_BYTES_MOST, middle_of_hashes, separator
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.rows import item_of, row_size
from dynabus.storage_node.splitting.seeding import Range, chunks

SCAN_ROWS = 1000
"""A millisecond or two of reading; five million rows of 1 KB, half of a large partition, take some twenty seconds."""

REST_S = 0.002
"""After each: the loop comes first."""


class NoMiddle(Exception):
    """The partition cannot be cut; the text says why."""


def middle(snapshot: Snapshot, bounds: Range, indexes: LocalIndexes) -> bytes:
    """The bound nearest to the middle, at or behind it if possible. Raises NoMiddle, StoreError, SnapshotClosed."""
    try:
        whole = _whole(snapshot, bounds)
        found = _cut(_rows(snapshot, bounds), whole, indexes)
    finally:
        snapshot.close()
    if found is not None:
        return found
    empty = middle_of_hashes(*bounds) if whole == 0 else None
    if empty is None:
        raise NoMiddle(
            "all items are in one item collection, and a table with local secondary indexes is not split inside one"
            if indexes.all
            else "it has fewer than two items: name a split point with --at"
        )
    return empty


def _whole(snapshot: Snapshot, bounds: Range) -> int:
    """Bytes of all rows: as they were counted, or counted now where nobody has."""
    if snapshot.totals:
        return rows_size(snapshot.totals)
    return sum(row_size(row) for _, row in _rows(snapshot, bounds))


def _cut(rows: Iterator[tuple[bytes, bytes]], whole: int, indexes: LocalIndexes) -> bytes | None:
    best: bytes | None = None
    before: bytes | None = None
    passed = 0
    for key, row in rows:
        if before is not None:
            bound = _bound(before, key, row, indexes)
            if bound is not None and len(bound) <= BOUND_BYTES_MOST:
                best = bound
                if 2 * passed >= whole:
                    break
        before = key
        passed += row_size(row)
    return best


def _bound(before: bytes, key: bytes, row: bytes, indexes: LocalIndexes) -> bytes | None:
    """Between two neighbours; None where they may not be parted."""
    if not indexes.all:
        return separator(before, key)
    item = item_of(row)
    if item is None:
        return None  # a tombstone does not say its collection
    collection = encode_partition_key(item[indexes.partition_key])
    return None if before.startswith(collection) else separator(before, collection)


def _rows(snapshot: Snapshot, bounds: Range) -> Iterator[tuple[bytes, bytes]]:
    for chunk in chunks(snapshot.rows, bounds, SCAN_ROWS):
        yield from chunk
        time.sleep(REST_S)
