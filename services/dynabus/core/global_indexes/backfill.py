"""Pages of a table's rows for an index that is added to it: what a storage node answers to a log propagator.

A page is what one replica had applied at one place, in key order. Of several pages each has a place of its own; the
log says what happened between them (ARCHITECTURE, "Global secondary indexes"). `behind`: where the next page begins,
None if nothing is left.

Of an index itself pages can be asked for too: its rows of items from below a generation (`propagation.sweeps`).

    request's member of a page
    detail           8 bytes: what the replica must have applied all before; 4 bytes: only rows of lower generations
                     (0: all, of a table), both big endian
    reply's member   of a page
    body             8 bytes, big endian: the replica's next offset; then a JSON array of items
    last             the next page's first key; empty: there is none
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from dynabus.core.messages import ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.place import Place
from dynabus.core.replication.store import Outcome, Reader
from dynabus.core.rows import decode_row, source_of
from dynabus.core.values import Item

ROWS_MOST, BYTES_MOST = 500, 512 * 1024
"""Of one page: a few milliseconds of a storage node's turn."""

_OFFSET = struct.Struct(">Q")
_WANTED = struct.Struct(">QI")


class Page(NamedTuple):
    """Items as a replica had them when it would read `next_offset` next."""

    items: list[Item]
    next_offset: int
    behind: bytes | None


def page_part(
    log: str, partition: int, generation: int, position: bytes, at_least: int, below: int = 0
) -> RequestPart:
    """Ask for the rows from `position` on, of a replica that has applied all before the offset `at_least`; or of an
    index's leader, for rows whose source is of a generation below `below`."""
    detail = _WANTED.pack(at_least, below)
    return part_to(log, partition, generation, Code.BACKFILL, position, detail=detail, consistent=below > 0)


def page(part: RequestPart, place: Place, store: Reader) -> Outcome:
    """The storage-node half; raises CorruptRow. BUSY where the replica is behind, or its log has not begun."""
    group = place.group
    at_least, below = _WANTED.unpack(part["detail"])
    if group is None or place.next_offset < at_least:
        return Outcome(ReplyStatus.BUSY)
    items: list[bytes] = []
    size = scanned = 0
    behind = b""
    for key, row in _rows(store, max(part["key"], group.lower), group.upper):
        if scanned >= ROWS_MOST or size >= BYTES_MOST:
            behind = key
            break
        scanned += 1
        item_json = decode_row(row).item_json
        if not item_json:
            continue  # a tombstone
        if not below or source_of(row).generation < below:
            items.append(item_json)
            size += len(item_json)
    body = _OFFSET.pack(place.next_offset) + b"[" + b",".join(items) + b"]"
    return Outcome(body=body, count=len(items), scanned=scanned, last=behind)


def _rows(store: Reader, lower: bytes, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """None behind a partition's end, from where a child begins that was asked for by its parent's progress."""
    if upper is None or lower < upper:
        yield from store.scan(lower, upper)


def page_of(reply: ReplyPart) -> Page:
    """What was answered."""
    body = reply["body"]
    return Page(orjson.loads(body[_OFFSET.size :]), _OFFSET.unpack_from(body)[0], reply["last"] or None)
