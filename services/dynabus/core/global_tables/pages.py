"""Pages of a table's rows as they are stored, for an initial copy: what a leader answers. Pure.

Rows carry the versions of their items, and of what was deleted. A page is a piece of what the leader had accepted;
what is written meanwhile comes by the stream, in any order (`versions.meet`).

    request's member of a page
    key              the first key that is wanted
    detail           the destination, UTF-8
    reply's member   of a page
    body             each row as length of the key (4 bytes, big endian), key, length of the row (likewise), row
    last             the next page's first key; empty: the partition has no more
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dynabus.core.global_tables.leading import floors_in
from dynabus.core.messages import ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.place import Place
from dynabus.core.replication.store import Outcome, Store

ROWS_MOST, BYTES_MOST = 500, 512 * 1024
"""Of one page: a few milliseconds of a storage node's turn."""

_LENGTH = struct.Struct(">I")


class Rows(NamedTuple):
    """Keys and rows, and where the next page begins: None if the partition has no more."""

    rows: list[tuple[bytes, bytes]]
    behind: bytes | None


def rows_part(log: str, partition: int, generation: int, position: bytes, destination: str) -> RequestPart:
    """Ask a partition's leader for its rows from `position` on."""
    return part_to(log, partition, generation, Code.ROWS, position, detail=destination.encode())


def page(part: RequestPart, place: Place, store: Store) -> Outcome:
    """The storage-node half. BUSY where the log has not begun, or does not know the destination as a region yet: what
    is written until it is global has no version; and of what is copied before, others would hear too late that this
    region has given it to the destination (`floors`)."""
    group, floors = place.group, floors_in(store)
    if group is None or floors is None or part["detail"].decode() not in floors.others:
        return Outcome(ReplyStatus.BUSY)
    lower = max(part["key"], group.lower)
    pieces: list[bytes] = []
    size = count = 0
    behind = b""
    if group.upper is None or lower < group.upper:
        for key, row in store.scan(lower, group.upper):
            if count >= ROWS_MOST or size >= BYTES_MOST:
                behind = key
                break
            count += 1
            size += len(key) + len(row)
            pieces += (_LENGTH.pack(len(key)), key, _LENGTH.pack(len(row)), row)
    return Outcome(body=b"".join(pieces), count=count, scanned=count, last=behind)


def rows_of(reply: ReplyPart) -> Rows:
    """What was answered."""
    body, rows, at = reply["body"], [], 0
    while at < len(body):
        key, at = _piece(body, at)
        row, at = _piece(body, at)
        rows.append((key, row))
    return Rows(rows, reply["last"] or None)


def _piece(body: bytes, at: int) -> tuple[bytes, int]:
    begin = at + _LENGTH.size
    end = begin + int(_LENGTH.unpack_from(body, at)[0])
    return body[begin:end], end
