"""What of a stream topic's partition counts. Pure; each reader that wants each change once runs it.

A propagator that crashed, or that has been replaced without knowing, leaves repeats; what it has put there is a
prefix of the history from some earlier place on. So in each topic partition:

| record                                          | reader                                 |
|-------------------------------------------------|----------------------------------------|
| opened, floors, version                         | reads on                               |
| a change whose sequence is above all before it  | counts it                              |
| another change                                  | drops it: a repeat                     |
| closed                                          | has read the shard to its end          |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynabus.core.streams.sequence import Sequence

OPENED, CHANGE, CLOSED = "opened", "change", "closed"
FLOORS = "floors"
"""Of a global table: what its leader said of floors there (`global_tables.promises`), for RepOut."""
VERSION = "version"
"""Of a global table: another region's write of what was there already (`global_tables.unseen`), for RepOut."""
CONFLICT = "conflict"
"""In the conflicts topic of a global table, which streams do not have."""


class Entry(NamedTuple):
    """A record of a stream topic: where it lies, what its headers say, and its value, which is not looked into
    here."""

    offset: int
    type: str
    sequence: Sequence
    value: bytes


class Position(NamedTuple):
    """Where a reader stands: the offset to go on from, and the last sequence that counted."""

    offset: int
    last: Sequence


class Batch(NamedTuple):
    """What was read: the changes that count, where to go on, and whether that is the shard's end."""

    entries: list[Entry]
    position: Position
    ended: bool


def count(position: Position, entries: Iterable[Entry], most: int, bytes_most: int) -> Batch:
    """The table above. At most `most` changes, and no more than `bytes_most` of values, though always one."""
    taken: list[Entry] = []
    offset, last = position
    size = 0
    for entry in entries:
        if entry.type == CLOSED:
            return Batch(taken, Position(entry.offset, last), True)
        if entry.type == CHANGE and entry.sequence > last:
            if len(taken) == most or (taken and size + len(entry.value) > bytes_most):
                break
            taken.append(entry)
            size += len(entry.value)
            last = entry.sequence
        offset = entry.offset + 1
    return Batch(taken, Position(offset, last), False)
