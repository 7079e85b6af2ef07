"""A stored row: an item in the encoding in which it is answered, behind a fixed header.

Rows are opaque to the replica and to the store; only the code that looks into an item decodes them.

    offset  size  field
    0       1     format version, 1
    1       4     CRC-32 of everything after this field, big endian
    5       4     item size in bytes by DynamoDB's rule (`core.values.item_size`), big endian
    9       8     time of the write in milliseconds since 1970, big endian
    17      …     the item, JSON in UTF-8: `{"name": {"S": "…"}, …}`

The CRC is checked here and nowhere else: a store hands out bytes, whoever reads the item calls `decode_row`,
so each read checks exactly once, and a row that only passes through is never checked twice.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

FORMAT_VERSION = 1

_HEADER = struct.Struct(">BIIQ")
_CHECKED = struct.Struct(">IQ")
_CHECKED_FROM = _HEADER.size - _CHECKED.size
_HEADER_SIZE, _unpack = _HEADER.size, _HEADER.unpack_from
_SMALL = 4096


_SIZE = struct.Struct(">I")


class CorruptRow(Exception):
    """A row's bytes are not those that were written. Operational: the owner quarantines this replica."""


class Row(NamedTuple):
    """A decoded row: `size` in bytes by DynamoDB's rule, `item_json` as it is answered."""

    size: int
    timestamp_ms: int
    item_json: bytes


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
    if version != FORMAT_VERSION:
        raise CorruptRow(f"row format {version} is unknown (this version writes {FORMAT_VERSION})")
    return _new(Row, (size, timestamp_ms, row[_HEADER_SIZE:]))


def row_size(row: bytes) -> int:
    """The item size that the header says, unchecked: of a row that was just decided or applied."""
    size: int = _SIZE.unpack_from(row, _CHECKED_FROM)[0]
    return size


def item_json(row: bytes) -> bytes:
    """The item, unchecked, likewise."""
    return row[_HEADER_SIZE:]
