"""A snapshot: what a store's last commit holds, read in another thread while the store goes on (I6).

A read transaction of LMDB sees one commit, so rows, request ids, totals and place belong together. It is read in
chunks, each under a lock, so that the store can be closed at any time: it waits for one chunk at most. A snapshot
that is kept for long lets the file grow, since the pages that it sees are not used again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from threading import Lock

import lmdb
from lmdb import Environment, _Database

from dynabus.adapters.lmdb.errors import store_error
from dynabus.adapters.lmdb.layers import LayeredRows

Pairs = list[tuple[bytes, bytes]]
_DEEPER = {"rows": "overflow", "entries": "entries_overflow"}
"""Where the rows of long keys lie."""


class SnapshotClosed(Exception):
    """The store was closed meanwhile; whatever was copied is not whole."""


class Snapshot:
    """Of one store. Raises `SnapshotClosed`, or `StoreError` for whatever LMDB refuses."""

    def __init__(self, env: Environment, databases: dict[str, _Database]) -> None:
        self._lock, self._databases = Lock(), databases
        self._closed = False
        try:
            self._txn = env.begin()
            meta = databases["meta"]
            self.place: bytes | None = self._txn.get(b"place", None, meta)
            self.totals: bytes | None = self._txn.get(b"totals", None, meta)
        except lmdb.Error as error:
            raise store_error(error, f"snapshot: {error}") from error

    def rows(self, lower: bytes, upper: bytes | None, most: int) -> Pairs:
        """Up to `most` rows with lower <= key < upper, in key order."""
        return self._layered("rows", "overflow", lower, upper, most)

    def entries(self, lower: bytes, upper: bytes | None, most: int) -> Pairs:
        """The same in the second key space."""
        return self._layered("entries", "entries_overflow", lower, upper, most)

    def bounded(self, space: str, after: bytes, most: int, bytes_most: int) -> tuple[Pairs, bool]:
        """Pairs behind `after` of "rows", "entries" or "requests", and whether those are the last.

        At most so many pairs and, but for the first one, so many bytes.
        """
        with self._lock:
            self._check()
            found: Pairs = []
            size = 0
            try:
                for key, value in self._from(space, after + b"\0" if after else b""):
                    size += len(key) + len(value)
                    if found and (len(found) == most or size > bytes_most):
                        return found, False
                    found.append((key, value))
            except lmdb.Error as error:
                raise store_error(error, f"snapshot: {error}") from error
            return found, True

    def _from(self, space: str, lower: bytes) -> Iterator[tuple[bytes, bytes]]:
        if space != "requests":
            yield from LayeredRows(self._txn, self._databases[space], self._databases[_DEEPER[space]]).forward(lower)
            return
        with self._txn.cursor(self._databases[space]) as cursor:
            if cursor.set_range(lower) if lower else cursor.first():
                yield from cursor.iternext()

    @property
    def request_count(self) -> int:
        """How many request ids there are."""
        with self._lock:
            self._check()
            return int(self._txn.stat(self._databases["requests"])["entries"])

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""
        return self._find("rows", "overflow", key)

    def get_entry(self, key: bytes) -> bytes | None:
        """The same in the second key space."""
        return self._find("entries", "entries_overflow", key)

    def requests(self, after: bytes, most: int) -> Pairs:
        """Up to `most` request ids behind `after`, with their outcomes."""
        with self._lock:
            self._check()
            try:
                with self._txn.cursor(self._databases["requests"]) as cursor:
                    if not cursor.set_range(after + b"\0"):
                        return []
                    return list(islice(cursor.iternext(), most))
            except lmdb.Error as error:
                raise store_error(error, f"snapshot: {error}") from error

    @property
    def closed(self) -> bool:
        """Nothing can be read of it any more."""
        return self._closed

    def close(self) -> None:
        """Let go; may be called by either thread, and twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._txn.abort()

    def _find(self, first: str, deeper: str, key: bytes) -> bytes | None:
        with self._lock:
            self._check()
            try:
                return LayeredRows(self._txn, self._databases[first], self._databases[deeper]).get(key)
            except lmdb.Error as error:
                raise store_error(error, f"snapshot: {error}") from error

    def _layered(self, first: str, deeper: str, lower: bytes, upper: bytes | None, most: int) -> Pairs:
        with self._lock:
            self._check()
            layered = LayeredRows(self._txn, self._databases[first], self._databases[deeper])
            found: Pairs = []
            try:
                for key, value in islice(layered.forward(lower), most):
                    if upper is not None and key >= upper:
                        break
                    found.append((key, value))
            except lmdb.Error as error:
                raise store_error(error, f"snapshot: {error}") from error
            return found

    def _check(self) -> None:
        if self._closed:
            raise SnapshotClosed
