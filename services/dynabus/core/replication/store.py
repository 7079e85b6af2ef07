"""What a replica's brain needs of its B-tree, and what it is told to decide. Both LMDB and memory stores fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dynabus.core.messages import ReplyPart, ReplyStatus


class Reader(Protocol):
    """Reading the applied state of one replica. Keys are encoded keys, rows are opaque bytes (`core.rows`)."""

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""

    def scan(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows with lower <= key < upper (None: to the end) in key order, or in reverse key order."""

    def get_entry(self, key: bytes) -> bytes | None:
        """The same in the second key space, which `core.local_indexes` derives from the rows."""

    def scan_entries(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The same as `scan` in the second key space."""


class Store(Reader, Protocol):
    """A replica's B-tree. Changes since the last `commit` are visible at once and become durable together."""

    def put(self, key: bytes, row: bytes) -> None:
        """Insert or replace a row."""

    def delete(self, key: bytes) -> None:
        """Remove a row; nothing happens where there is none."""

    def put_entry(self, key: bytes, row: bytes) -> None:
        """Insert or replace in the second key space."""

    def delete_entry(self, key: bytes) -> None:
        """Remove from the second key space; nothing happens where there is none."""

    def remember(self, request_id: bytes, value: bytes) -> None:
        """Keep the outcome of a request id (I10)."""

    def forget(self, request_id: bytes) -> None:
        """Drop a request id."""

    def remembered(self, request_id: bytes) -> bytes | None:
        """The outcome of a request id, or None."""

    def first_remembered(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The smallest request id with this prefix and its outcome, or None."""

    def commit(self, place: bytes, totals: bytes = b"") -> None:
        """Make all changes, the place and what `core.contents` counts durable in one transaction (I6)."""

    def totals(self) -> bytes | None:
        """What was counted at the last commit that told it, or None."""

    def place(self) -> bytes | None:
        """The place of the last commit, or None for a new store."""


@dataclass(slots=True)
class Outcome:
    """What the asker is told: the fields of a `ReplyPart` that the operation decides, and what its leader says of it.

    `provisional`: nothing was written and nothing is remembered, so another copy of the request may come to another
    outcome. It counts only for who has sent no other copy. Of a write without an id any copy's answer will do.
    """

    status: int = ReplyStatus.OK
    body: bytes = b""
    size: int = 0
    count: int = 0
    scanned: int = 0
    last: bytes = b""
    provisional: bool = False
    place: bytes = b""

    def part(self, index: int) -> ReplyPart:
        """As it travels: the answer to this part of a request."""
        return {
            "index": index,
            "status": int(self.status),
            "body": self.body,
            "size": self.size,
            "count": self.count,
            "scanned": self.scanned,
            "last": self.last,
            "provisional": self.provisional,
            "place": self.place,
        }


@dataclass(slots=True)
class Decision:
    """A write evaluated against the previous row. `write=False`: nothing is appended (a refusal or no change).

    `losing`: as of a `Mutation`.
    """

    write: bool
    row: bytes | None
    outcome: Outcome
    losing: bytes | None = None


Evaluate = Callable[[bytes | None, int], Decision]
"""(previous row, timestamp in ms) -> decision; pure, and may be called twice."""

Follow = Callable[[bytes, bytes | None, bytes | None], None]
"""(key, old row, new row) of a mutation that was just applied: what is derived from the rows changes with them."""


def no_more(_key: bytes, _old: bytes | None, _new: bytes | None) -> None:
    """A `Follow` where nothing is derived from the rows."""


Read = Callable[[Reader], Outcome]
"""Reads from one state of the replica; pure."""
