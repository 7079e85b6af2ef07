"""The store of one replica: a long-lived LMDB write transaction that is also read from.

    database            key                     value
    rows                `core.keys.layers`      a row (`core.rows`)
    overflow            `core.keys.layers`      a row
    entries             `core.keys.layers`      what is derived from the rows (`core.local_indexes`)
    entries_overflow    `core.keys.layers`      the same
    deadlines           `core.keys.layers`      nothing (`storage_node.expiry`: time ‖ key of items that expire)
    deadlines_overflow  `core.keys.layers`      nothing
    requests            request id              outcome (I10)
    meta                "place"                 the place of the last commit (I6)
    meta                "totals"                what it holds (`core.contents`)
    meta                "deadlines"             what is in them (`storage_node.expiry`)

LMDB's writer sees its own changes, so applied records are visible at once and cost no commit each. `commit` ends
the transaction together with its place and begins the next. A process that dies loses what came after the last
commit, and reads it again from the log.

Durability, chosen at open: `sync=False` (default) leaves writing to the kernel, and `directory` refuses the
environment after a host crash; `sync=True` syncs data pages at each commit, so that it survives one. Never
WRITEMAP: with it even a process crash could tear pages.

After any error the store stays failed: every further call raises, until it is abandoned and opened again.
Used by one thread, as LMDB's write transactions demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import NoReturn

import lmdb

from dynabus.adapters.lmdb import directory
from dynabus.adapters.lmdb.errors import store_error
from dynabus.adapters.lmdb.layers import LayeredRows
from dynabus.adapters.lmdb.snapshot import Snapshot
from dynabus.adapters.volume import with_remedy
from dynabus.core.errors import InvariantError

MAP_BYTES = 32 << 30
"""Virtual size of the map: more than a partition ever holds (10 GB, and copy-on-write slack). It costs address
space only; a full map would roll back applied records, and it cannot grow inside a transaction."""

_DATABASES = 8
_PLACE, _TOTALS, _DEADLINES = b"place", b"totals", b"deadlines"
_ROWS, _ENTRIES = 0, 1
"""The two key spaces."""

open_stores: dict[Path, LmdbStore] = {}
"""Of this process, until they are closed or abandoned. LMDB must not open a directory twice; and a store that is only
dropped is freed by the thread that collects garbage, which cannot give its transaction's mutex back: the thread that
began it then writes to memory that is gone, at its next transaction in any store (a robust mutex is in a list)."""


class LmdbStore:
    """One replica's rows, request ids and place in a directory of its own.

    A scan is live: a change while it runs is allowed, each key is yielded at most once, in order, with the row
    that it has at that moment (after a change the scan seeks again behind the last key that it gave out).
    Raises `StoreError` for whatever LMDB or the file system refuses.
    """

    def __init__(self, path: Path, sync: bool = False, boot_id: str | None = None) -> None:
        """Open or create. Raises `StoreLostError` (discard it, rebuild) or `StoreVersionError`.

        `boot_id` stands for another boot in tests.
        """
        self._path = path
        self._boot = directory.boot_id() if boot_id is None else boot_id
        self._changes = 0
        self._snapshots: list[Snapshot] = []
        state = directory.SYNCED if sync else directory.DIRTY
        if path in open_stores:
            raise InvariantError(f"{path} is open in this process: close or abandon that store first")
        try:
            unsynced = directory.claim(path, state, self._boot)
            self._open(sync)
            if unsynced:
                self._env.sync(True)
                directory.mark(path, state, self._boot)
            self._begin()
        except (lmdb.Error, OSError) as error:
            raise store_error(error, f"{path}: {with_remedy(error, path)}") from error
        open_stores[path] = self

    def _open(self, sync: bool) -> None:
        self._env = lmdb.open(
            str(self._path),
            map_size=MAP_BYTES,
            max_dbs=_DATABASES,
            sync=sync,
            metasync=False,
            readahead=False,  # keys are hashed: what lies beside a page is not read next
        )
        self._rows_db = self._env.open_db(b"rows")
        self._overflow_db = self._env.open_db(b"overflow")
        self._entries_db = self._env.open_db(b"entries")
        self._entries_overflow_db = self._env.open_db(b"entries_overflow")
        self._deadlines_db = self._env.open_db(b"deadlines")
        self._deadlines_overflow_db = self._env.open_db(b"deadlines_overflow")
        self._requests_db = self._env.open_db(b"requests")
        self._meta_db = self._env.open_db(b"meta")

    def _begin(self) -> None:
        self._changes += 1
        self._txn = self._env.begin(write=True)
        self._rows = LayeredRows(self._txn, self._rows_db, self._overflow_db)
        self._entries = LayeredRows(self._txn, self._entries_db, self._entries_overflow_db)
        self._deadlines = LayeredRows(self._txn, self._deadlines_db, self._deadlines_overflow_db)
        self._spaces = (self._rows, self._entries)

    def get(self, key: bytes) -> bytes | None:
        """The row of a key, or None."""
        try:
            return self._rows.get(key)
        except lmdb.Error as error:
            self._fail(error)

    def put(self, key: bytes, row: bytes) -> None:
        """Insert or replace a row."""
        self._changes += 1
        try:
            self._rows.put(key, row)
        except lmdb.Error as error:
            self._fail(error)

    def delete(self, key: bytes) -> None:
        """Remove a row; nothing happens where there is none."""
        self._changes += 1
        try:
            self._rows.delete(key)
        except lmdb.Error as error:
            self._fail(error)

    def scan(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows with lower <= key < upper (None: to the end) in key order, or in reverse key order."""
        return self._scan(_ROWS, lower, upper, reverse)

    def get_entry(self, key: bytes) -> bytes | None:
        """The row of a key in the second key space, or None."""
        try:
            return self._entries.get(key)
        except lmdb.Error as error:
            self._fail(error)

    def put_entry(self, key: bytes, row: bytes) -> None:
        """Insert or replace in the second key space."""
        self._changes += 1
        try:
            self._entries.put(key, row)
        except lmdb.Error as error:
            self._fail(error)

    def delete_entry(self, key: bytes) -> None:
        """Remove from the second key space; nothing happens where there is none."""
        self._changes += 1
        try:
            self._entries.delete(key)
        except lmdb.Error as error:
            self._fail(error)

    def scan_entries(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """As `scan`, in the second key space."""
        return self._scan(_ENTRIES, lower, upper, reverse)

    # -- what is known by time: of this replica alone, neither cloned nor counted -------------------------------

    def put_deadline(self, key: bytes) -> None:
        """Insert; nothing happens where it is there."""
        try:
            self._deadlines.put(key, b"")
        except lmdb.Error as error:
            self._fail(error)

    def delete_deadline(self, key: bytes) -> None:
        """Remove; nothing happens where it is not there."""
        try:
            self._deadlines.delete(key)
        except lmdb.Error as error:
            self._fail(error)

    def deadlines(self, lower: bytes, upper: bytes, most: int) -> list[bytes]:
        """The first of those with lower <= key < upper, in key order."""
        try:
            found = takewhile(lambda key: key < upper, (key for key, _ in self._deadlines.forward(lower)))
            return [*islice(found, most)]
        except lmdb.Error as error:
            self._fail(error)

    def clear_deadlines(self) -> None:
        """Remove all."""
        try:
            for database in (self._deadlines_db, self._deadlines_overflow_db):
                self._txn.drop(database, delete=False)
        except lmdb.Error as error:
            self._fail(error)

    def note_deadlines(self, note: bytes) -> None:
        """Keep a note of what is in them, with them."""
        try:
            self._txn.put(_DEADLINES, note, db=self._meta_db)
        except lmdb.Error as error:
            self._fail(error)

    def noted_deadlines(self) -> bytes | None:
        """That note, or None where there never was one."""
        try:
            return self._txn.get(_DEADLINES, None, self._meta_db)
        except lmdb.Error as error:
            self._fail(error)

    def _scan(self, space: int, lower: bytes, upper: bytes | None, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        try:
            if reverse:
                yield from self._scan_backward(space, lower, upper)
            else:
                yield from self._scan_forward(space, lower, upper)
        except lmdb.Error as error:
            self._fail(error)

    def _scan_forward(self, space: int, lower: bytes, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        position: bytes | None = lower
        while position is not None:
            changes, start, position = self._changes, position, None
            for key, row in self._spaces[space].forward(start):
                if upper is not None and key >= upper:
                    return
                yield key, row
                if self._changes != changes:
                    position = key + b"\0"
                    break

    def _scan_backward(self, space: int, lower: bytes, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        running = True
        while running:
            changes, running = self._changes, False
            for key, row in self._spaces[space].backward(upper):
                if key < lower:
                    return
                yield key, row
                if self._changes != changes:
                    upper, running = key, True
                    break

    def remember(self, request_id: bytes, value: bytes) -> None:
        """Keep the outcome of a request id (at most 511 bytes)."""
        try:
            self._txn.put(request_id, value, db=self._requests_db)
        except lmdb.Error as error:
            self._fail(error)

    def forget(self, request_id: bytes) -> None:
        """Drop a request id."""
        try:
            self._txn.delete(request_id, db=self._requests_db)
        except lmdb.Error as error:
            self._fail(error)

    def remembered(self, request_id: bytes) -> bytes | None:
        """The outcome of a request id, or None."""
        try:
            return self._txn.get(request_id, None, self._requests_db)
        except lmdb.Error as error:
            self._fail(error)

    def first_remembered(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The smallest request id with this prefix and its outcome, or None."""
        try:
            with self._txn.cursor(self._requests_db) as cursor:
                found = cursor.set_range(prefix) if prefix else cursor.first()
                return cursor.item() if found and cursor.key().startswith(prefix) else None
        except lmdb.Error as error:
            self._fail(error)

    def commit(self, place: bytes, totals: bytes = b"") -> None:
        """End the transaction with this place and these totals (none: they stay), and begin the next."""
        try:
            self._end(place, totals)
            self._begin()
        except lmdb.Error as error:
            self._fail(error)

    def place(self) -> bytes | None:
        """The place of the last commit, or None for a new store."""
        try:
            return self._txn.get(_PLACE, None, self._meta_db)
        except lmdb.Error as error:
            self._fail(error)

    def totals(self) -> bytes | None:
        """The totals of the last commit that had some, or None."""
        try:
            return self._txn.get(_TOTALS, None, self._meta_db)
        except lmdb.Error as error:
            self._fail(error)

    def _end(self, place: bytes, totals: bytes) -> None:
        self._txn.put(_PLACE, place, db=self._meta_db)
        if totals:
            self._txn.put(_TOTALS, totals, db=self._meta_db)
        self._txn.commit()

    def snapshot(self) -> Snapshot:
        """What the last commit holds, for another thread; closed with the store at the latest."""
        databases = {
            "rows": self._rows_db,
            "overflow": self._overflow_db,
            "entries": self._entries_db,
            "entries_overflow": self._entries_overflow_db,
            "requests": self._requests_db,
            "meta": self._meta_db,
        }
        made = Snapshot(self._env, databases)
        self._snapshots = [each for each in self._snapshots if not each.closed] + [made]
        return made

    def _close_snapshots(self) -> None:
        for each in self._snapshots:
            each.close()
        self._snapshots.clear()

    def close(self, place: bytes, totals: bytes = b"") -> None:
        """Commit, sync and mark the directory clean: it is trusted even after a host restart."""
        self._close_snapshots()
        try:
            self._end(place, totals)
            self._env.sync(True)
            self._env.close()
            del open_stores[self._path]
            directory.mark(self._path, directory.CLEAN, self._boot)
        except (lmdb.Error, OSError) as error:
            self._fail(error)

    def abandon(self) -> None:
        """Close without committing, as if the process had died; for a replica that is quarantined or removed."""
        self._close_snapshots()
        with suppress(lmdb.Error):
            self._txn.abort()
        self._env.close()
        open_stores.pop(self._path, None)

    def _fail(self, error: Exception) -> NoReturn:
        """LMDB's transaction is not usable after an error; drop it, so that nothing half done is committed."""
        with suppress(lmdb.Error):
            self._txn.abort()
        raise store_error(error, f"{self._path}: {with_remedy(error, self._path)}") from error
