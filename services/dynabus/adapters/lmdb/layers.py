"""Rows in the layout of `dynabus.core.keys.layers`, read and written within one LMDB transaction."""

from __future__ import annotations

from collections.abc import Iterator

from lmdb import Cursor, Transaction, _Database

from dynabus.core.keys import prefix_successor
from dynabus.core.keys.layers import CHUNK_BYTES, LAYER_ID_BYTES, MARK, depth, layer_id, marker, stored_key

Rows = Iterator[tuple[bytes, bytes]]


class LayeredRows:
    """The databases `rows` and `overflow` in one transaction.

    Its iterators hold LMDB cursors: they must not be advanced after a change (the store starts a new one).
    """

    __slots__ = ("_overflow", "_rows", "_txn")

    def __init__(self, txn: Transaction[bytes], rows: _Database, overflow: _Database) -> None:
        self._txn = txn
        self._rows = rows
        self._overflow = overflow

    def get(self, key: bytes) -> bytes | None:
        """The row of a key of any length: one lookup."""
        if len(key) <= CHUNK_BYTES:
            return self._txn.get(key, None, self._rows)
        return self._txn.get(stored_key(key), None, self._overflow)

    def put(self, key: bytes, row: bytes) -> None:
        """Insert or replace; the markers above a new layer are set from the deepest one up."""
        if len(key) <= CHUNK_BYTES:
            self._txn.put(key, row, db=self._rows)
            return
        self._txn.put(stored_key(key), row, db=self._overflow)
        for level in range(depth(key), 0, -1):
            if not self._txn.put(marker(key, level), b"", overwrite=False, db=self._parent(level)):
                return  # a marker implies all those above it

    def delete(self, key: bytes) -> None:
        """Remove a row if it is there, and the markers of layers that are empty then."""
        if len(key) <= CHUNK_BYTES:
            self._txn.delete(key, db=self._rows)
            return
        if not self._txn.delete(stored_key(key), db=self._overflow):
            return
        for level in range(depth(key), 0, -1):
            if self._has_entries(layer_id(key[: level * CHUNK_BYTES])):
                return
            self._txn.delete(marker(key, level), db=self._parent(level))

    def forward(self, lower: bytes, prefix: bytes = b"") -> Rows:
        """Rows from `prefix ‖ lower` on in key order, of the layer of this prefix."""
        with self._cursor(prefix) as cursor:
            layer = layer_id(prefix)
            seek = layer + lower if len(lower) <= CHUNK_BYTES else layer + lower[:CHUNK_BYTES] + MARK
            if not (cursor.set_range(seek) if seek else cursor.first()):
                return
            for stored, row in cursor.iternext():
                entry = _entry(stored, layer)
                if entry is None:
                    return
                if len(entry) <= CHUNK_BYTES:
                    yield prefix + entry, row
                else:
                    head = entry[:CHUNK_BYTES]
                    yield from self.forward(lower[CHUNK_BYTES:] if lower.startswith(head) else b"", prefix + head)

    def backward(self, upper: bytes | None, prefix: bytes = b"") -> Rows:
        """Rows before `prefix ‖ upper` (None: all) in reverse key order, of the layer of this prefix."""
        with self._cursor(prefix) as cursor:
            layer = layer_id(prefix)
            if not _seek_before(cursor, _stored_bound(layer, upper)):
                return
            for stored, row in cursor.iterprev():
                entry = _entry(stored, layer)
                if entry is None:
                    return
                if len(entry) <= CHUNK_BYTES:
                    yield prefix + entry, row
                else:
                    head = entry[:CHUNK_BYTES]
                    cut = upper[CHUNK_BYTES:] if upper is not None and upper.startswith(head) else None
                    yield from self.backward(cut, prefix + head)

    def _cursor(self, prefix: bytes) -> Cursor[bytes]:
        return self._txn.cursor(self._overflow if prefix else self._rows)

    def _parent(self, level: int) -> _Database:
        return self._rows if level == 1 else self._overflow

    def _has_entries(self, layer: bytes) -> bool:
        with self._txn.cursor(self._overflow) as cursor:
            return cursor.set_range(layer) and cursor.key().startswith(layer)


def _entry(stored: bytes, layer: bytes) -> bytes | None:
    """What follows the layer's id, or None if the cursor has left the layer."""
    if not layer:
        return stored
    return stored[LAYER_ID_BYTES:] if stored.startswith(layer) else None


def _stored_bound(layer: bytes, upper: bytes | None) -> bytes | None:
    """The stored key before which a layer's entries below `upper` end; None: at the database's end.

    A bound that cuts through a deeper layer stands just behind that layer's marker.
    """
    if upper is None:
        return prefix_successor(layer)
    if len(upper) <= CHUNK_BYTES:
        return layer + upper
    return layer + upper[:CHUNK_BYTES] + MARK + b"\0"


def _seek_before(cursor: Cursor[bytes], bound: bytes | None) -> bool:
    """Put the cursor on the last entry before `bound`; False if there is none."""
    if bound is None:
        return cursor.last()
    if not bound:
        return False
    return cursor.prev() if cursor.set_range(bound) else cursor.last()
