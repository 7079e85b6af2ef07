"""When the items of one replica expire: a list by time, kept in the transaction that applies their rows.

    key of the list     8 bytes of unix seconds, big endian ‖ key of the row

It is of this replica alone: not in the log, not cloned, not counted. So it may begin at any time: what is there then
is read once, some rows at a time, while each row that changes is entered by itself. It only says where to look: who
finds an item by it looks at the item, and an entry that no row stands behind is taken away then.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from dynabus.adapters.lmdb import LmdbStore
from dynabus.core.contents import Contents
from dynabus.core.time_to_live import checked_expiry_s, due_between, expiry_s

_SECONDS_BYTES = 8


class Note(NamedTuple):
    """Kept in the store. `after`: the last row that was read; None: all were. No attribute: the list is empty."""

    attribute: str = ""
    after: bytes | None = None

    def encode(self) -> bytes:
        return orjson.dumps([self.attribute, None if self.after is None else self.after.hex()])


def _noted(stored: bytes | None) -> Note:
    if stored is None:
        return Note()
    attribute, after = orjson.loads(stored)
    return Note(attribute, None if after is None else bytes.fromhex(after))


class Deadlines:
    """Of one replica. Raises StoreError as its store does."""

    __slots__ = ("_contents", "_note", "_store")

    def __init__(self, store: LmdbStore, contents: Contents) -> None:
        self._store, self._contents = store, contents
        self._note = _noted(store.noted_deadlines())
        self._follow_or_not()

    @property
    def attribute(self) -> str:
        """By which items expire; empty: none does."""
        return self._note.attribute

    @property
    def is_whole(self) -> bool:
        """All rows are in it."""
        return self._note.after is None

    def use(self, attribute: str) -> None:
        """Items expire by this attribute from now on (empty: none does)."""
        if attribute != self._note.attribute:
            self._store.clear_deadlines()
            self._write(Note(attribute, b"" if attribute else None))
            self._follow_or_not()

    def read_on(self, most: int, bytes_most: int) -> None:
        """Enter what so many more rows say, one at least; fewer where they come to so many bytes. Raises CorruptRow.

        What is entered and how far that is come to be committed together, whoever commits.
        """
        attribute, after = self._note
        if after is None:
            return
        found: list[tuple[bytes, int | None]] = []
        size, last = 0, False
        for key, row in self._store.scan(after + b"\0" if after else b"", None):
            if len(found) == most or size >= bytes_most:
                break
            found.append((key, checked_expiry_s(row, attribute)))
            size += len(row)
        else:
            last = True
        # Entered only now: nothing changes under the scan.
        for key, expiry in found:
            self._enter(key, expiry)
        self._write(Note(attribute, None if last else found[-1][0]))

    def due(self, now_s: int, most: int) -> list[bytes]:
        """Keys of rows whose items are over, the oldest first. Entries without a row behind them are taken away.

        Raises CorruptRow.
        """
        first, behind = due_between(now_s)
        found = self._store.deadlines(_seconds(first), _seconds(behind), most)
        return [entry[_SECONDS_BYTES:] for entry in found if self._stands(entry)]

    def oldest(self, now_s: int) -> int | None:
        """Unix seconds of the first item that is over and still there."""
        first, behind = due_between(now_s)
        found = self._store.deadlines(_seconds(first), _seconds(behind), 1)
        return int.from_bytes(found[0][:_SECONDS_BYTES], "big") if found else None

    def _stands(self, entry: bytes) -> bool:
        key = entry[_SECONDS_BYTES:]
        row = self._store.get(key)
        stands = row is not None and _entry(key, checked_expiry_s(row, self.attribute)) == entry
        if not stands:
            self._store.delete_deadline(entry)
        return stands

    def _follow_or_not(self) -> None:
        self._contents.besides = self._follow if self.attribute else None

    def _follow(self, key: bytes, old: bytes | None, new: bytes | None) -> None:
        before = None if old is None else expiry_s(old, self.attribute)
        after = None if new is None else expiry_s(new, self.attribute)
        if before != after:
            if before is not None:
                self._store.delete_deadline(_seconds(before) + key)
            self._enter(key, after)

    def _enter(self, key: bytes, expiry: int | None) -> None:
        entry = _entry(key, expiry)
        if entry is not None:
            self._store.put_deadline(entry)

    def _write(self, note: Note) -> None:
        self._note = note
        self._store.note_deadlines(note.encode())


def _entry(key: bytes, expiry: int | None) -> bytes | None:
    return None if expiry is None else _seconds(expiry) + key


def _seconds(seconds: int) -> bytes:
    return seconds.to_bytes(_SECONDS_BYTES, "big")
