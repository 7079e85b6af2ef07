"""What a change of an item means for an index. Pure: the same images give the same writes, whoever asks.

| old image has | new image has | and                        | writes                                    |
|---------------|---------------|----------------------------|-------------------------------------------|
| no row        | no row        |                            | none                                      |
| no row        | a row         |                            | put                                       |
| a row         | no row        |                            | delete                                    |
| a row         | a row         | same key, same projection  | none                                      |
| a row         | a row         | same key                   | put                                       |
| a row         | a row         | another key                | delete of the old one, put of the new one |

Costs follow from it as DynamoDB documents them: 1, 1, 0, 1 and 2 writes.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from dynabus.core.global_indexes.definition import GlobalIndex
from dynabus.core.rows import Source
from dynabus.core.values import Item, equal, item_size


class IndexWrite(NamedTuple):
    """A put of a row, or its deletion (`item_json` empty, size 0). `source`: the mutation that it comes from."""

    key: bytes
    item_json: bytes
    size: int
    source: Source


class _Row(NamedTuple):
    key: bytes
    item: Item


def project(index: GlobalIndex, item: Item) -> Item:
    """What the index shows of an item that it holds."""
    if index.projected is None:
        return item
    return {name: value for name, value in item.items() if name in index.projected}


def writes_of(index: GlobalIndex, old: Item | None, new: Item | None, source: Source) -> list[IndexWrite]:
    """From one image to the other (None: no item): a delete comes first."""
    gone, come = _row(index, old), _row(index, new)
    if come is None:
        return [] if gone is None else [_delete(gone, source)]
    if gone is None:
        return [_put(come, source)]
    if gone.key != come.key:
        return [_delete(gone, source), _put(come, source)]
    return [] if equal({"M": gone.item}, {"M": come.item}) else [_put(come, source)]


def _row(index: GlobalIndex, item: Item | None) -> _Row | None:
    if item is None or not index.holds(item):
        return None
    return _Row(index.row_key(item), project(index, item))


def _put(row: _Row, source: Source) -> IndexWrite:
    return IndexWrite(row.key, orjson.dumps(row.item), item_size(row.item), source)


def _delete(row: _Row, source: Source) -> IndexWrite:
    return IndexWrite(row.key, b"", 0, source)
