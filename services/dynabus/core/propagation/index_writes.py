"""Index writes that come of a log: of a change, and of a page of rows that an index is filled with. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynabus.core.global_indexes import IndexWrite, writes_of
from dynabus.core.global_indexes.view import Index
from dynabus.core.ids import LogId
from dynabus.core.rows import Source
from dynabus.core.streams.changes import Change
from dynabus.core.values import Item


class ForIndex(NamedTuple):
    """A write for an index, by the id of its logs."""

    log: LogId
    write: IndexWrite


def of_change(indexes: Iterable[Index], change: Change, source: Source) -> list[ForIndex]:
    """From the old image to the new one, in each index."""
    return [
        ForIndex(each.log, write)
        for each in indexes
        for write in writes_of(each.index, change.old, change.new, source)
    ]


def of_items(index: Index, items: Iterable[Item], source: Source) -> tuple[list[ForIndex], int]:
    """Puts of items as they were at the source; how many have all key attributes, but not as keys can have them."""
    found: list[ForIndex] = []
    skipped = 0
    for item in items:
        writes = writes_of(index.index, None, item, source)
        skipped += not writes and index.index.is_violated(item)
        found += [ForIndex(index.log, write) for write in writes]
    return found, skipped
