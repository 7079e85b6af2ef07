"""A store in memory, with the contract of the LMDB one: for the admin log's state and for tests.

A sorted list of keys beside a dictionary; what changed since the last commit is kept, so that `abandon` is what a
crash is to the real store. Nothing survives the process.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator


class _Table:
    """An ordered map of bytes that can return to its last commit."""

    __slots__ = ("_before", "keys", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: dict[bytes, bytes] = {}
        self._before: dict[bytes, bytes | None] = {}

    def put(self, key: bytes, value: bytes) -> None:
        self._before.setdefault(key, self.values.get(key))
        if key not in self.values:
            insort(self.keys, key)
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        if key in self.values:
            self._before.setdefault(key, self.values[key])
            del self.values[key]
            del self.keys[bisect_left(self.keys, key)]

    def commit(self) -> None:
        self._before.clear()

    def roll_back(self) -> None:
        before, self._before = self._before, {}
        for key, value in before.items():
            if value is None:
                self.delete(key)
            else:
                self.put(key, value)
        self._before.clear()

    def scan(self, lower: bytes, upper: bytes | None, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """Live: each step looks anew."""
        keys, values = self.keys, self.values
        while True:
            start = bisect_left(keys, lower)
            end = len(keys) if upper is None else bisect_left(keys, upper)
            if start >= end:
                return
            key = keys[end - 1] if reverse else keys[start]
            yield key, values[key]
            if reverse:
                upper = key
            else:
                lower = key + b"\0"


class MemoryStore:
    """Implements `dynabus.core.replication.store.Store`; scans are live, as those of `LmdbStore`."""

    __slots__ = ("_entries", "_place", "_requests", "_rows", "_totals")

    def __init__(self) -> None:
        self._rows = _Table()
        self._entries = _Table()
        self._requests = _Table()
        self._place: bytes | None = None
        self._totals: bytes | None = None

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""
        return self._rows.values.get(key)

    def put(self, key: bytes, row: bytes) -> None:
        """Insert or replace a row."""
        self._rows.put(key, row)

    def delete(self, key: bytes) -> None:
        """Remove a row; nothing happens where there is none."""
        self._rows.delete(key)

    def scan(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows with lower <= key < upper (None: to the end) in key order, or in reverse key order."""
        return self._rows.scan(lower, upper, reverse)

    def get_entry(self, key: bytes) -> bytes | None:
        """The row of a key in the second key space, or None."""
        return self._entries.values.get(key)

    def put_entry(self, key: bytes, row: bytes) -> None:
        """Insert or replace in the second key space."""
        self._entries.put(key, row)

    def delete_entry(self, key: bytes) -> None:
        """Remove from the second key space; nothing happens where there is none."""
        self._entries.delete(key)

    def scan_entries(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """As `scan`, in the second key space."""
        return self._entries.scan(lower, upper, reverse)

    def remember(self, request_id: bytes, value: bytes) -> None:
        """Keep the outcome of a request id."""
        self._requests.put(request_id, value)

    def forget(self, request_id: bytes) -> None:
        """Drop a request id."""
        self._requests.delete(request_id)

    def remembered(self, request_id: bytes) -> bytes | None:
        """The outcome of a request id, or None."""
        return self._requests.values.get(request_id)

    def first_remembered(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The smallest request id with this prefix and its outcome, or None."""
        keys = self._requests.keys
        index = bisect_left(keys, prefix)
        if index == len(keys) or not keys[index].startswith(prefix):
            return None
        return keys[index], self._requests.values[keys[index]]

    def commit(self, place: bytes, totals: bytes = b"") -> None:
        """Keep everything up to here, with this place and these totals."""
        self._rows.commit()
        self._entries.commit()
        self._requests.commit()
        self._place = place
        self._totals = totals or self._totals

    def totals(self) -> bytes | None:
        """The totals of the last commit that had some, or None."""
        return self._totals

    def place(self) -> bytes | None:
        """The place of the last commit, or None for a new store."""
        return self._place

    def close(self, place: bytes, totals: bytes = b"") -> None:
        """Commit; the object can be used as the one that is opened next."""
        self.commit(place, totals)

    def abandon(self) -> None:
        """Forget what came after the last commit, as a crash does; the object can be used as the next one."""
        self._rows.roll_back()
        self._entries.roll_back()
        self._requests.roll_back()
