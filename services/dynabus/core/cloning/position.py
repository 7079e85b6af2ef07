"""Where a chunk begins: in which section, behind which key. Order of sections is order of sending."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

CHUNK_BYTES = 256 * 1024
"""Of keys and values, at least one pair: some milliseconds of either side, far below the limit of a message."""

CHUNK_PAIRS = 500
"""Of small rows: what Python takes a millisecond or two for, so that the loop gets its turn."""

Pair = tuple[bytes, bytes]


class Section(IntEnum):
    """Of a snapshot. `END`: behind all of them."""

    ROWS = 0
    ENTRIES = 1
    REQUESTS = 2
    END = 3


class Position(NamedTuple):
    """`after`: the last key that was read of the section, empty at its begin."""

    section: Section = Section.ROWS
    after: bytes = b""

    def behind(self, keys: list[bytes], *, last: bool) -> Position:
        """Where the next chunk begins."""
        if last:
            return Position(Section(self.section + 1))
        return Position(self.section, keys[-1]) if keys else self
