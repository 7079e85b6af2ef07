"""Pages of a table's rows for an index that is added to it: what a storage node answers to a log propagator.

A page is what one replica had applied at one place, in key order. Of several pages each has a place of its own; the
log says what happened between them (ARCHITECTURE, "Global secondary indexes"). `behind`: where the next page begins,
None if nothing is left.

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
from dynabus.core.operations.calls import Code
from dynabus.core.replication.place import Place
from dynabus.core.replication.store import Outcome, Reader
from dynabus.core.rows import decode_row
from dynabus.core.values import Item

ROWS_MOST, BYTES_MOST = 500, 512 * 1024
"""Of one page: a few milliseconds of a storage node's turn."""

_OFFSET = struct.Struct(">Q")


class Page(NamedTuple):
    """Items as a replica had them when it would read `next_offset` next."""

    items: list[Item]
    next_offset: int
    behind: bytes | None


def page_part(log: str, partition: int, generation: int, position: bytes, at_least: int) -> RequestPart:
    """Ask for the rows from `position` on, of a replica that has applied all before the offset `at_least`."""
    return {
        "operation": Code.BACKFILL,
        "log": log,
        "partition": partition,
        "generation": generation,
        "consistent": False,
        "key": position,
        "value": b"",
        "size": 0,
        "detail": _OFFSET.pack(at_least),
    }


def page(part: RequestPart, place: Place, store: Reader) -> Outcome:
    """The storage-node half; raises CorruptRow. BUSY where the replica is behind, or its log has not begun."""
    group = place.group
    if group is None or place.next_offset < _OFFSET.unpack(part["detail"])[0]:
        return Outcome(ReplyStatus.BUSY)
    items: list[bytes] = []
    size, behind = 0, b""
    for key, row in _rows(store, max(part["key"], group.lower), group.upper):
        if len(items) >= ROWS_MOST or size >= BYTES_MOST:
            behind = key
            break
        items.append(decode_row(row).item_json)
        size += len(items[-1])
    body = _OFFSET.pack(place.next_offset) + b"[" + b",".join(items) + b"]"
    return Outcome(body=body, count=len(items), scanned=len(items), last=behind)


def _rows(store: Reader, lower: bytes, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """None behind a partition's end, from where a child begins that was asked for by its parent's progress."""
    if upper is None or lower < upper:
        yield from store.scan(lower, upper)


def page_of(reply: ReplyPart) -> Page:
    """What was answered."""
    body = reply["body"]
    return Page(orjson.loads(body[_OFFSET.size :]), _OFFSET.unpack_from(body)[0], reply["last"] or None)
