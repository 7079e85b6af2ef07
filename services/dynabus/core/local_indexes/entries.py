"""Entries: which ones an item has, what a change of the item does to them, and to the size of its collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from dynabus.core.keys import encode_partition_key
from dynabus.core.local_indexes.definition import LocalIndex, LocalIndexes, stored_key
from dynabus.core.replication.store import Reader, Store
from dynabus.core.rows import Row, encode_row, live_row
from dynabus.core.values import Item, item_size

NO_TIME_MS = 0
"""An entry's time of writing: its row has one, and an entry that stays the same is not written again."""

_SIZE_BYTES = 8
_SIZES = b"\0"


class Entry(NamedTuple):
    """One entry: `size` in bytes by DynamoDB's rule, `item_json` what the index projects."""

    key: bytes
    size: int
    item_json: bytes


class Image(NamedTuple):
    """A row as the indexes see it; entries by the number of their index."""

    row: Row
    item: Item
    entries: Mapping[int, Entry]

    @property
    def size(self) -> int:
        """What it adds to its item collection."""
        return self.row.size + sum(entry.size for entry in self.entries.values())


def image(indexes: LocalIndexes, raw: bytes | None) -> Image | None:
    """A stored row with its entries; None where there is no item."""
    row = live_row(raw)
    if row is None:
        return None
    item: Item = orjson.loads(row.item_json)
    return Image(row, item, {index.number: _entry(index, row, item) for index in indexes.all if index.holds(item)})


def _entry(index: LocalIndex, row: Row, item: Item) -> Entry:
    key = stored_key(index.number, index.entry_key(item))
    if index.projected is None:
        return Entry(key, row.size, row.item_json)
    seen = index.entry_of(item)
    return Entry(key, item_size(seen), orjson.dumps(seen))


def write_entries(
    store: Store, indexes: LocalIndexes, old: bytes | None, new: bytes | None
) -> dict[int, tuple[int, int]]:
    """What a mutation from `old` to `new` (rows, None for absent) does besides the row itself.

    Returns by how many entries and bytes each index has grown, by its number.
    """
    before, after = image(indexes, old), image(indexes, new)
    gone = before.entries if before is not None else {}
    come = after.entries if after is not None else {}
    for number, entry in gone.items():
        if number not in come or come[number].key != entry.key:
            store.delete_entry(entry.key)
    for number, entry in come.items():
        if gone.get(number) != entry:
            store.put_entry(entry.key, encode_row(entry.item_json, entry.size, NO_TIME_MS))
    _resize(store, indexes, before, after)
    return {number: _growth(gone.get(number), come.get(number)) for number in gone.keys() | come.keys()}


def _growth(gone: Entry | None, come: Entry | None) -> tuple[int, int]:
    items = (come is not None) - (gone is not None)
    return items, (come.size if come is not None else 0) - (gone.size if gone is not None else 0)


def _resize(store: Store, indexes: LocalIndexes, before: Image | None, after: Image | None) -> None:
    some = after or before
    grown = (after.size if after else 0) - (before.size if before else 0)
    if some is None or grown == 0:
        return
    key = _size_key(indexes, some.item)
    size = _size(store, key) + grown
    if size > 0:
        store.put_entry(key, size.to_bytes(_SIZE_BYTES, "big"))
    else:
        store.delete_entry(key)


def collection_size(store: Reader, indexes: LocalIndexes, item: Item) -> int:
    """Bytes of all items of this item's collection and of their entries."""
    return _size(store, _size_key(indexes, item))


def _size(store: Reader, key: bytes) -> int:
    return int.from_bytes(store.get_entry(key) or b"", "big")


def _size_key(indexes: LocalIndexes, item: Item) -> bytes:
    return _SIZES + encode_partition_key(item[indexes.partition_key])
