"""Writes of indexes that came together: at the end of a turn they become one record of the log.

Index rows come in hundreds, and a record of their own costs each of them an envelope, a checksum, a fold at every
reader and an answer to Kafka. What is gathered counts as sent: later writes are evaluated over it, and no record of
this leader comes before it (`Leader._append`).

Writes of tables have records of their own: the offset is the place of their change in streams and indexes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dynabus.core.replication.records import RowChange, RowChanges
from dynabus.core.replication.store import Outcome
from dynabus.core.replication.unresolved import Sender

ROWS_MOST, BYTES_MOST = 256, 1024 * 1024
"""Of one record: beyond some tens of rows what a record costs by itself is nothing, and a reader takes a record in
one turn. A larger row has a record of its own."""


@dataclass(slots=True)
class Gathered:
    """`now_ms`, `wall_ms`: when the first of them came."""

    rows: list[RowChange] = field(default_factory=list)
    told: list[tuple[Sender, Outcome]] = field(default_factory=list)
    now_ms: float = 0.0
    wall_ms: int = 0
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def has_room(self, length: int) -> bool:
        """Whether a row of so many bytes may be in the same record."""
        return not self.rows or (len(self.rows) < ROWS_MOST and self._bytes + length <= BYTES_MOST)

    def add(self, row: RowChange, length: int, told: tuple[Sender, Outcome], now_ms: float, wall_ms: int) -> None:
        """In order. `told`: who is answered what once this is accepted."""
        if not self.rows:
            self.now_ms, self.wall_ms = now_ms, wall_ms
        self.rows.append(row)
        self.told.append(told)
        self._bytes += length

    def take(self) -> tuple[RowChanges, list[tuple[Sender, Outcome]]]:
        """What the record says, and who is told; nothing is left."""
        taken = RowChanges(self.wall_ms, tuple(self.rows)), self.told
        self.rows, self.told, self._bytes = [], [], 0
        return taken
