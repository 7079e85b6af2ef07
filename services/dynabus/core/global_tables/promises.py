"""What RepOut can tell of a source's older changes: that there are none any more which were not acknowledged.

A leader's record of floors is in its shard, too, in its place. It *promises* that what comes behind it has later
times (whoever leads next has applied it). Once all before it is acknowledged its word counts: it is committed beside
the shard's offset, so that whoever has the shard next, or asks for all of the table's, knows it. The table's word is
the least of what its shards say; a shard that was split stands for those of its children that say nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.global_tables.floors import Word


class Promise(NamedTuple):
    """A word that lies in its shard at the offset `end`."""

    end: int
    word: Word


@dataclass(slots=True)
class Promises:
    """Of one table's shards, by number: words that wait, one of each at a time."""

    _waiting: dict[int, Promise] = field(default_factory=dict)

    def given(self, shard: int, promise: Promise) -> None:
        """It was read."""
        self._waiting.setdefault(shard, promise)

    def acknowledged(self, shard: int, offset: int) -> Word | None:
        """All of it before this offset; what counts by that, if anything does."""
        promise = self._waiting.get(shard)
        return self._waiting.pop(shard).word if promise is not None and offset >= promise.end else None

    def forget(self, shard: int) -> None:
        """Another process has it, or it is read from elsewhere."""
        self._waiting.pop(shard, None)


def word_of(parents: Mapping[int, int | None], words: Mapping[int, Word]) -> Word | None:
    """Of a table, by its shards' parents and words; None: one of them says nothing yet."""
    children: dict[int, list[int]] = {}
    roots = []
    for shard, parent in parents.items():
        if parent in parents and parent is not None:
            children.setdefault(parent, []).append(shard)
        else:
            roots.append(shard)

    def word(shard: int, of_parent: Word | None) -> Word | None:
        own = words.get(shard, of_parent)
        heirs = children.get(shard)
        return own if not heirs else _least(word(each, own) for each in heirs)

    return _least(word(root, None) for root in roots)


def _least(words: Iterable[Word | None]) -> Word | None:
    found: list[Word] = []
    for each in words:
        if each is None:
            return None
        found.append(each)
    if not found:
        return None
    regions = frozenset().union(*(each.regions for each in found))
    return Word(min(each.time for each in found), min(each.seen for each in found), regions)
