"""A stored row: an item in the encoding in which it is answered, behind a fixed header.

Rows are opaque to the replica and to the store; only the code that looks into an item decodes them.

    offset  size  field
    0       1     format version, 1
    1       4     CRC-32 of everything after this field, big endian
    5       4     item size in bytes by DynamoDB's rule (`core.values.item_size`), big endian
    9       8     time of the write in milliseconds since 1970, big endian
    17      …     the item, JSON in UTF-8: `{"name": {"S": "…"}, …}`

A row of a global secondary index has format version 2: what it was made of stands before what it projects. Without a
projection it is a tombstone, whose size is 0: no item is there, and no older write may bring it back.

    17      4     number of the table's partition, big endian
    21      4     generation of that partition, big endian
    25      8     offset in its log of the mutation that made it so, big endian
    33      …     what the index projects, JSON; empty for a tombstone

The CRC is checked here and nowhere else: a store hands out bytes, whoever reads the item calls `decode_row`,
so each read checks exactly once, and a row that only passes through is never checked twice.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

import orjson

from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.values import Item

FORMAT_VERSION, INDEX_VERSION = 1, 2

_HEADER = struct.Struct(">BIIQ")
_CHECKED = struct.Struct(">IQ")
_CHECKED_FROM = _HEADER.size - _CHECKED.size
_HEADER_SIZE, _unpack = _HEADER.size, _HEADER.unpack_from
_SMALL = 4096


_SIZE = struct.Struct(">I")
_SOURCE = struct.Struct(">IIQ")
_INDEX_HEADER_SIZE = _HEADER_SIZE + _SOURCE.size


class CorruptRow(Exception):
    """A row's bytes are not those that were written. Operational: the owner quarantines this replica."""


class Row(NamedTuple):
    """A decoded row: `size` in bytes by DynamoDB's rule, `item_json` as it is answered."""

    size: int
    timestamp_ms: int
    item_json: bytes


class Source(NamedTuple):
    """A mutation in a table's log: partition, its generation, offset. `order` is what decides which one is newer."""

    number: int
    generation: int
    offset: int

    @property
    def order(self) -> tuple[int, int]:
        """Offsets of a child begin anew, so the generation comes first; an item is in one partition at a time."""
        return self.generation, self.offset

    def encode(self) -> bytes:
        return _SOURCE.pack(*self)

    @classmethod
    def decode(cls, raw: bytes) -> Source:
        """Raises struct.error."""
        return cls(*_SOURCE.unpack(raw))


_new = tuple.__new__
"""A NamedTuple's own takes twice as long, and a page makes one of every row."""


def encode_row(item_json: bytes, size: int, timestamp_ms: int) -> bytes:
    """The bytes to store for an item."""
    checked = _CHECKED.pack(size, timestamp_ms) + item_json
    return b"\x01" + crc32(checked).to_bytes(4, "big") + checked


def decode_row(row: bytes) -> Row:
    """The row's fields; raises `CorruptRow` if the checksum, the length or the version does not fit."""
    if len(row) < _HEADER_SIZE:
        raise CorruptRow(f"row of {len(row)} bytes is shorter than its header")
    version, crc, size, timestamp_ms = _unpack(row)
    # A copy of a small row costs less than a view of it.
    if crc != crc32(row[_CHECKED_FROM:] if len(row) <= _SMALL else memoryview(row)[_CHECKED_FROM:]):
        raise CorruptRow(f"checksum of a row of {len(row)} bytes does not match")
    if version == FORMAT_VERSION:
        return _new(Row, (size, timestamp_ms, row[_HEADER_SIZE:]))
    if version != INDEX_VERSION or len(row) < _INDEX_HEADER_SIZE:
        raise CorruptRow(f"row format {version} is unknown (this version writes {FORMAT_VERSION}, {INDEX_VERSION})")
    return _new(Row, (size, timestamp_ms, row[_INDEX_HEADER_SIZE:]))


def item_of(row: bytes | None) -> Item | None:
    """The item of a row of a table; None: there is none. Raises CorruptRow."""
    if row is None:
        return None
    item: Item = orjson.loads(decode_row(row).item_json)
    return item


def version_of(row: bytes, own: str) -> Version:
    """Which write made it what it is: of a row from before its table was global one of this region (`own`), at the
    row's time. Raises CorruptRow."""
    time = decode_row(row).timestamp_ms * TICKS_PER_MS
    return Version(Stamp(time, own), {own: time})


def row_size(row: bytes) -> int:
    """The item size that the header says, unchecked: of a row that was just decided or applied."""
    size: int = _SIZE.unpack_from(row, _CHECKED_FROM)[0]
    return size


def item_json(row: bytes) -> bytes:
    """The item, unchecked, likewise."""
    return row[_HEADER_SIZE:]


def encode_index_row(item_json: bytes, size: int, timestamp_ms: int, source: Source) -> bytes:
    """The bytes to store in a global secondary index; without `item_json`, and of size 0, a tombstone."""
    checked = _CHECKED.pack(size, timestamp_ms) + source.encode() + item_json
    return b"\x02" + crc32(checked).to_bytes(4, "big") + checked


def source_of(row: bytes) -> Source:
    """Of a row of a global secondary index; raises `CorruptRow` as `decode_row` does, and for a table's row."""
    decode_row(row)
    if row[0] != INDEX_VERSION:
        raise CorruptRow("a row of a table lies in an index")
    return Source(*_SOURCE.unpack_from(row, _HEADER_SIZE))


def is_tombstone(row: bytes) -> bool:
    """Whether no item is there: of a row that was just decided, applied or decoded."""
    return row[0] == INDEX_VERSION and len(row) == _INDEX_HEADER_SIZE


def items_in(row: bytes | None) -> int:
    """By how many a row is counted among items: 1, or 0 of no row and of a tombstone."""
    return 0 if row is None or is_tombstone(row) else 1
