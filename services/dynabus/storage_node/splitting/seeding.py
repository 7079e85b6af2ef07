"""Seeding an heir: a copy of what the parent's replica on this node had committed, as far as it is the child's.

In a thread, from a snapshot, in chunks with a rest after each, so that the loop keeps most of the processor. The copy
is made in a folder beside the child's and gets its name only when it is whole and synced: a copy that is cut off is
thrown away, never gone on from (I6). Its place is that of the snapshot, so it is an heir of the parent's log.

Where commits are not synced the copy is the child's checkpoint too, until it has one of its own log: the parent's
goes as soon as the children serve, and the parent's log may have been pruned behind that one (I8).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dynabus.adapters.lmdb import LmdbStore, Snapshot, SnapshotClosed, StoreError, discard, install
from dynabus.adapters.log_codec import decode_place
from dynabus.core.checksum import MASK, change
from dynabus.core.contents import encode_totals
from dynabus.core.local_indexes import LocalIndexes, stored_bounds
from dynabus.core.replication.heir import Inheritance
from dynabus.core.rows import items_in, row_size
from dynabus.storage_node.upkeep.checkpoints import begin_with

CHUNK_ROWS = 200
"""Some milliseconds of copying: so long a turn of the loop may wait for the interpreter's lock, in slices of it."""

REST_S = 0.004
"""After each chunk: copying takes about half of what one thread could."""

COMMIT_CHUNKS = 50
"""A transaction of ten thousand rows; a longer one would keep that many pages in memory."""

Range = tuple[bytes, bytes | None]
Read = Callable[[bytes, bytes | None, int], list[tuple[bytes, bytes]]]


class NothingToCopy(Exception):
    """The parent's replica has not begun, or was closed; its log tells the same."""


def seed(snapshot: Snapshot, to: Inheritance, indexes: LocalIndexes, path: Path, sync: bool) -> None:
    """Make the child's folder. Raises NothingToCopy, StoreError."""
    copy = unfinished(path)
    try:
        _check(snapshot, to)
        discard(copy)
        try:
            _copy(snapshot, to, indexes, LmdbStore(copy, sync))
        except BaseException:
            discard(copy)  # it may be what has filled the disk
            raise
        if sync:
            install(copy, path)
        else:
            begin_with(copy, path, snapshot.place or b"")
    except SnapshotClosed as error:
        raise NothingToCopy("the parent's replica was closed") from error
    except OSError as error:
        raise StoreError(f"{path}: {error}") from error
    finally:
        snapshot.close()


def unfinished(path: Path) -> Path:
    """Where a copy is made."""
    return path.with_name(path.name + ".seed")


def _check(snapshot: Snapshot, to: Inheritance) -> None:
    place = decode_place(snapshot.place) if snapshot.place else None
    if place is None or place.group is None or place.origin.partition.number not in to.lineage:
        raise NothingToCopy("the parent's replica holds nothing yet")


def _copy(snapshot: Snapshot, to: Inheritance, indexes: LocalIndexes, store: LmdbStore) -> None:
    try:
        totals, checksum = [[0, 0] for _ in range(1 + len(indexes.all))], 0
        for key, row in _resting(chunks(snapshot.rows, (to.lower, to.upper), CHUNK_ROWS), store):
            store.put(key, row)
            totals[0][0] += items_in(row)
            totals[0][1] += row_size(row)
            checksum += change(key, None, row)
        for number in range(len(totals)):
            # Under 0 lie the sizes of item collections, which are no entries.
            for key, row in _resting(
                chunks(snapshot.entries, stored_bounds(number, to.lower, to.upper), CHUNK_ROWS), store
            ):
                store.put_entry(key, row)
                if number:
                    totals[number][0] += 1
                    totals[number][1] += row_size(row)
        for request, outcome in _resting(_request_chunks(snapshot), store):
            store.remember(request, outcome)
    except BaseException:
        store.abandon()
        raise
    place = snapshot.place or b""
    store.close(place, encode_totals(totals, checksum & MASK, place))


def chunks(read: Read, bounds: Range, most: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """All pairs of a range, in key order, so many at a time."""
    lower, upper = bounds
    while chunk := read(lower, upper, most):
        yield chunk
        lower = chunk[-1][0] + b"\0"


def _request_chunks(snapshot: Snapshot) -> Iterator[list[tuple[bytes, bytes]]]:
    after = b""
    while chunk := snapshot.requests(after, CHUNK_ROWS):
        yield chunk
        after = chunk[-1][0]


def _resting(copied: Iterator[list[tuple[bytes, bytes]]], store: LmdbStore) -> Iterator[tuple[bytes, bytes]]:
    for count, chunk in enumerate(copied, 1):
        yield from chunk
        time.sleep(REST_S)
        if count % COMMIT_CHUNKS == 0:
            # No place yet: a folder without one is not gone on from, and this one has no name yet either.
            store.commit(b"")
