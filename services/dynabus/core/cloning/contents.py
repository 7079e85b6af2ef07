"""What was received of a snapshot, counted as it comes: it must be what the manifest says.

Rows: number, bytes, contents checksum, and each row's own CRC, so that a damaged source spreads nothing. Index
entries: number and bytes of each index. Request ids: their form and number. Keys must rise, so none comes twice.
"""

from __future__ import annotations

import orjson

from dynabus.core.checksum import MASK, change
from dynabus.core.cloning.messages import CloneManifest
from dynabus.core.cloning.position import Pair, Section
from dynabus.core.contents import encode_totals
from dynabus.core.replication.request_ids import is_outcome
from dynabus.core.rows import CorruptRow, decode_row, items_in


class NotWhole(Exception):
    """What came is not what the manifest says, or is damaged."""


class Received:
    """`totals[0]` is [items, bytes] of rows, `totals[n]` of the entries of index number n."""

    def __init__(self, indexes: int) -> None:
        self.totals, self.checksum, self.requests = [[0, 0] for _ in range(1 + indexes)], 0, 0
        self._section, self._last_key = Section.ROWS, b""

    def add(self, section: Section, pairs: list[Pair]) -> None:
        """Pairs that came. Raises NotWhole."""
        if section is not self._section:
            self._section, self._last_key = section, b""
        for key, value in pairs:
            if key <= self._last_key:
                raise NotWhole(f"keys of {section.name.lower()} do not rise")
            self._last_key = key
            if section is Section.REQUESTS:
                self._request(key, value)
            else:
                self._row(section, key, value)

    def _row(self, section: Section, key: bytes, row: bytes) -> None:
        """Under number 0 of the entries lie the sizes of item collections, which are no entries."""
        number = 0 if section is Section.ROWS else key[0]
        if section is Section.ENTRIES and number == 0:
            return
        try:
            size = decode_row(row).size
        except CorruptRow as error:
            raise NotWhole(f"a row of its source is damaged: {error}") from error
        if number >= len(self.totals):
            raise NotWhole(f"an entry of index {number}, which the table does not have")
        self.totals[number][0] += items_in(row)
        self.totals[number][1] += size
        if section is Section.ROWS:
            self.checksum += change(key, None, row)

    def _request(self, key: bytes, value: bytes) -> None:
        if not is_outcome(key, value):
            raise NotWhole("a request id has not the form of one")
        self.requests += 1

    def check(self, manifest: CloneManifest) -> bytes:
        """What is to be stored beside the place. Raises NotWhole."""
        counted = encode_totals(self.totals, self.checksum & MASK, manifest["place"])
        if counted != manifest["totals"]:
            raise NotWhole("rows or index entries are not those that its source has counted")
        if self.requests != manifest["requests"]:
            raise NotWhole(f"{self.requests} request ids came of {manifest['requests']}")
        return counted

    def check_rows(self, manifest: CloneManifest) -> None:
        """For whoever wants the rows alone. Raises NotWhole."""
        counted = orjson.loads(manifest["totals"])
        if (counted["totals"][0], counted["checksum"]) != (self.totals[0], self.checksum & MASK):
            raise NotWhole("rows are not those that its source has counted")
