"""What RepOut can tell of a source's older changes: that there are none any more which were not acknowledged.

A leader *promises* that its shard ends here and that no later write of it has a time at or below this one (its log's
time: whoever leads next goes on from it). Once all before that end is acknowledged, the promise is a floor of the
shard's keys. The floor of the table is the lowest of its shards, where a sealed one, acknowledged to its end, is
replaced by its children: until each of them has a floor, its own last one stands for theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Promise(NamedTuple):
    """Of a shard that ends at `end`: later writes have times above `time`."""

    end: int
    time: int


@dataclass(slots=True)
class Promises:
    """Of one table's shards, by number."""

    _waiting: dict[int, Promise] = field(default_factory=dict)
    _kept: dict[int, int] = field(default_factory=dict)

    def given(self, shard: int, promise: Promise) -> None:
        """By its leader; one at a time is waited for."""
        self._waiting.setdefault(shard, promise)

    def acknowledged(self, shard: int, offset: int) -> None:
        """All of it before this offset."""
        promise = self._waiting.get(shard)
        if promise is not None and offset >= promise.end:
            del self._waiting[shard]
            self._kept[shard] = max(self._kept.get(shard, -1), promise.time)

    def forget(self, shard: int) -> None:
        """Another process has it."""
        self._waiting.pop(shard, None)
        self._kept.pop(shard, None)

    def floor(self, roots: Sequence[int], children: Mapping[int, Sequence[int]]) -> int:
        """`children`: of shards that are sealed and acknowledged to their ends. -1: not known."""
        return min((self._floor(root, children) for root in roots), default=-1)

    def _floor(self, shard: int, children: Mapping[int, Sequence[int]]) -> int:
        own = self._kept.get(shard, -1)
        heirs = children.get(shard)
        return own if not heirs else max(own, min(self._floor(each, children) for each in heirs))
