"""Floors of an index: from which offsets of its table's logs on a write may be news. Below them all are repeats.

A tombstone guards its key against older writes. It may go once its own place is below a floor, if from then on
whatever comes from below is refused where no row tells (ARCHITECTURE, "The end of tombstones").

    floors     {number of a partition of the table: offset}; CLOSED: the log has ended, all of its writes are done
    as bytes   for each, by number: 4 bytes number, 8 bytes offset, big endian

Those under which tombstones were removed are in the index's own log, as the outcome of a request id that never
expires. So whoever leads has applied them, and they move with clones, splits and recoveries as request ids do.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Protocol

from dynabus.core.replication.records import Mutation
from dynabus.core.replication.request_ids import NO_KEY, TOKENS, read_remembered
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import Source, is_tombstone, source_of

Floors = Mapping[int, int]

CLOSED = (1 << 63) - 1

FLOORS_ID = b"\xff" * 18
"""As long as a request id, behind those of requests and of tokens."""

NEVER_MS = (1 << 63) - 1
"""When it expires."""

_ENTRY = struct.Struct(">IQ")

assert FLOORS_ID > TOKENS


class Outcomes(Protocol):
    """The part of a replica's store that is looked at."""

    def remembered(self, request_id: bytes) -> bytes | None:
        """The outcome of a request id, or None."""


def encode_floors(floors: Floors) -> bytes:
    return b"".join(_ENTRY.pack(*each) for each in sorted(floors.items()))


def decode_floors(raw: bytes) -> dict[int, int]:
    """Raises struct.error."""
    return dict(_ENTRY.iter_unpack(raw))


def merged(floors: Floors, others: Floors) -> dict[int, int]:
    """The higher one of each: what was true of a log once is true for ever."""
    return {**floors, **{number: max(offset, floors.get(number, 0)) for number, offset in others.items()}}


def covers(floors: Floors, others: Floors) -> bool:
    """None of the others is higher."""
    return all(floors.get(number, 0) >= offset for number, offset in others.items())


def is_below(source: Source, floors: Floors) -> bool:
    return source.offset < floors.get(source.number, 0)


def floors_in(store: Outcomes) -> dict[int, int]:
    """Those that this replica has applied."""
    return decode_floors(_applied(store))


def is_refused(source: Source, store: Outcomes) -> bool:
    """A write of a key that has no row: whether it is a repeat, whose tombstone may be gone."""
    raw = _applied(store)
    low, high = 0, len(raw) // _ENTRY.size
    while low < high:
        middle = (low + high) // 2
        number, offset = _ENTRY.unpack_from(raw, middle * _ENTRY.size)
        if number == source.number:
            return source.offset < int(offset)
        low, high = (middle + 1, high) if number < source.number else (low, middle)
    return False


def note_of(floors: Floors) -> Mutation:
    """A record that keeps these: they are all that count from then on."""
    return Mutation(NO_KEY, None, None, 0, FLOORS_ID, NEVER_MS, 0, encode_floors(floors), 0, bytes(8))


def is_over(row: bytes, floors: Floors) -> bool:
    """The row is a tombstone that nothing older may come for. Raises CorruptRow."""
    return is_tombstone(row) and is_below(source_of(row), floors)


def removal(floors: Floors) -> Evaluate:
    """Take away what is a tombstone below these floors by then. Raises CorruptRow."""

    def evaluate(old: bytes | None, _wall_ms: int) -> Decision:
        return Decision(old is not None and is_over(old, floors), None, Outcome())

    return evaluate


def _applied(store: Outcomes) -> bytes:
    value = store.remembered(FLOORS_ID)
    return b"" if value is None else read_remembered(value).outcome.body
