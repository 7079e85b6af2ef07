"""The initial copy of a table to another region: its rows, in key order, in batches that wait for acknowledgement.

    1. `wants`: where the next page begins       3. `batches`: produce them
    2. `took`: a page's rows                     4. `acknowledged`; `is_done` once nothing is left

Rows are sent as the stream's changes are, with their versions, so what is sent twice, or is older than what the
stream has brought, changes nothing. Nothing of it is kept: a copy that is given up begins anew. A region that began
the change sends every row, all others only what they wrote themselves: the rest comes from who did. Where a member
is gone, each sends what it has of that one's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from dynabus.core.global_tables.rep_out import (
    BATCH_CHANGES,
    WAITING_BYTES,
    WAITING_CHANGES,
    Batch,
    Export,
    taken_from,
)
from dynabus.core.global_tables.window import Window
from dynabus.core.rows import decode_row, version_of


@dataclass(slots=True)
class Copy:
    """Of one table, by one region (`own`). `rows`: those that these regions wrote; None: every one."""

    table: str
    own: str
    rows: frozenset[str] | None
    position: bytes | None = b""
    """Where the next page begins; None: all was read."""
    window: Window[Batch] = field(default_factory=Window)
    sent: int = 0
    """Items that are acknowledged."""
    _waiting: deque[Export] = field(default_factory=deque)
    _bytes: int = 0
    """Of what waits."""
    _numbers: int = 0

    @property
    def wants(self) -> bytes | None:
        """Where the next page begins, if one is wanted now."""
        is_full = len(self._waiting) >= WAITING_CHANGES or self._bytes >= WAITING_BYTES
        return None if is_full else self.position

    def took(self, rows: Iterable[tuple[bytes, bytes]], behind: bytes | None) -> None:
        """A page, and where the next one begins (None: there is none). Raises CorruptRow."""
        for key, row in rows:
            version = version_of(row, self.own)
            if self.rows is None or version.stamp.region in self.rows:
                export = Export(self.table, key, decode_row(row).item_json or None, version)
                self._waiting.append(export)
                self._bytes += export.size
        self.position = behind

    def batches(self, now_ms: float, most: float = float("inf")) -> list[Batch]:
        """To be produced now, those that are overdue first, and then no more than `most` rows."""
        wanted = self.window.overdue(now_ms)
        while most >= 1 and self._waiting and not self.window.is_full:
            exports = taken_from(self._waiting, lambda export: export.size, min(BATCH_CHANGES, most))
            self._bytes -= sum(export.size for export in exports)
            self._numbers += 1
            batch = Batch(self._numbers, exports)
            self.window.add(batch.number, batch, now_ms)
            wanted.append(batch)
            most -= len(exports)
        return wanted

    def acknowledged(self, number: int) -> None:
        """The destination has decided each row of it."""
        batch = self.window.acknowledged(number)
        self.window.take_done()
        self.sent += len(batch.exports) if batch is not None else 0

    @property
    def is_done(self) -> bool:
        return self.position is None and not self._waiting and not self.window.sent
