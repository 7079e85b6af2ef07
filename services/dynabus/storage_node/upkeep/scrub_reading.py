"""Reading one chunk of a scrub, in a thread: rows, index entries and request ids of one commit (`core.scrub`).

A read transaction keeps the pages that it sees from being used again, so it lives for a second; how much is read in
it depends on the pace. Reading waits longer than it reads, so that the loop keeps the interpreter's lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from dynabus.adapters.lmdb import Snapshot, StoreDamagedError
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.scrub import Damage, Findings, Tally

PIECE_ROWS, PIECE_BYTES = 200, 256 * 1024
"""Read in one go: a millisecond or so, which a turn of the loop may wait for the interpreter's lock."""

FIRST_ROWS = 16
"""Of a chunk, while the size of its rows is not known: 6.4 MB at the most."""

REST_S = 0.004
"""After each piece at least, whatever the pace."""

TRANSACTION_S = 1.0
"""At 4,000 writes a second some 16,000 pages of 4 KB are not used again meanwhile: 64 MB of a file that may grow."""

Range = tuple[bytes, bytes | None]


class Phase(IntEnum):
    """What is read, in this order."""

    ROWS = 0
    ENTRIES = 1
    REQUESTS = 2
    DONE = 3


class Position(NamedTuple):
    """Where reading goes on: behind this key, or at the first one."""

    phase: Phase = Phase.ROWS
    after: bytes | None = None


class Chunk(NamedTuple):
    """What was read from one position to the next."""

    end: Position
    tally: Tally
    found: list[Damage]
    pairs: int
    size: int
    """Bytes as stored."""


def read_chunk(
    snapshot: Snapshot, start: Position, bounds: Range, indexes: LocalIndexes, bytes_per_s: float
) -> Chunk:
    """Read for a second at most, and wait as the pace wants. Raises SnapshotClosed, and StoreError for no damage."""
    position, findings, pairs_read, size, most = start, Findings(indexes, *bounds), 0, 0, FIRST_ROWS
    began_s = time.monotonic()
    until_s = began_s + TRANSACTION_S

    def owed_s() -> float:
        return began_s + size / bytes_per_s - time.monotonic()

    try:
        while position.phase is not Phase.DONE and time.monotonic() < until_s:
            piece_size, count, position = _piece(snapshot, position, findings, most)
            pairs_read, size = pairs_read + count, size + piece_size
            most = max(1, min(PIECE_ROWS, PIECE_BYTES * count // max(1, piece_size)))
            time.sleep(max(REST_S, min(owed_s(), until_s - time.monotonic())))
    except StoreDamagedError as error:
        findings.broken(f"{position.phase.name.lower()}: {error}", position.after or b"")
        position = Position(Phase.DONE)
    finally:
        snapshot.close()
    time.sleep(max(0.0, owed_s()))
    return Chunk(position, findings.tally, findings.found, pairs_read, size)


def _piece(snapshot: Snapshot, position: Position, findings: Findings, most: int) -> tuple[int, int, Position]:
    phase, after = position
    read = (snapshot.rows, snapshot.entries, _requests(snapshot))[phase]
    pairs = read(b"" if after is None else after + b"\0", None, most)
    if phase is Phase.ROWS:
        findings.rows(pairs, after, snapshot.get_entry)
    elif phase is Phase.ENTRIES:
        findings.entries(pairs, snapshot.get)
    else:
        findings.requests(pairs)
    whole = len(pairs) < most
    end = Position(Phase(phase + 1)) if whole else Position(phase, pairs[-1][0])
    return sum(len(key) + len(value) for key, value in pairs), len(pairs), end


def _requests(snapshot: Snapshot) -> Callable[[bytes, bytes | None, int], list[tuple[bytes, bytes]]]:
    """Request ids, read as the other two are: from a key on."""
    return lambda lower, _upper, most: snapshot.requests(lower[:-1], most)
