"""What the group of a destination commits beside the offset of a shard, as JSON:

progress     how far the shard is, as for other readers of streams
acked_ms     milliseconds since 1970 of the newest change that its destination has acknowledged
latency_ms   of the last second, the median of how long changes took; null: there was none
gap          retention was faster: changes were lost, ReplAdmin has all items copied again
since        `created_ms` of the link for which it was read up to there
own          what this region wrote was acknowledged up to that offset, which lies behind
word         the last one that counts of the shard (`core.global_tables.promises`)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from dynabus.core.global_tables.floors import Word, read_word
from dynabus.core.global_tables.rep_out import Shard
from dynabus.core.streams.consuming import Progress, read_metadata, write_metadata


def is_lost(gap: int | None, created_ms: int) -> bool:
    """Whether the gap is one since the link began, or began again: then all items are copied."""
    return gap is not None and gap >= created_ms


class Told(NamedTuple):
    """What there is to say of a destination, and the words that count of some shards."""

    acked_ms: int | None
    latency_ms: float | None
    words: Mapping[Shard, Word] = {}


class Found(NamedTuple):
    """What the group has."""

    progress: Progress
    beside: Mapping[str, object]

    def number(self, name: str) -> int | None:
        """One of those beside."""
        value = self.beside.get(name)
        return value if isinstance(value, int) else None

    @property
    def own_behind(self) -> int:
        """What this region wrote was acknowledged up to this offset, too."""
        return self.number("own") or 0

    @property
    def word(self) -> Word | None:
        """The shard's."""
        try:
            return read_word(self.beside["word"])
        except (KeyError, TypeError, ValueError):
            return None


def write(progress: Progress, told: Told, since: int, gap: int | None, own: int | None, word: Word | None) -> str:
    """The members as above; those that are None are left out."""
    others = {"gap": gap, "own": own, "word": None if word is None else word.told()}
    beside = {"progress": write_metadata(progress), "acked_ms": told.acked_ms, "latency_ms": told.latency_ms}
    there = {name: value for name, value in others.items() if value is not None}
    return orjson.dumps({**beside, "since": since, **there}).decode()


def read(offset: int, text: str) -> Found:
    """Nothing beside, where somebody else has committed."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        found = {}
    beside = found if isinstance(found, dict) else {}
    return Found(read_metadata(offset, str(beside.get("progress", ""))), beside)


def words(told: Mapping[int, tuple[int, str] | None], created_ms: int) -> dict[int, Word]:
    """Those of one stream's shards; none where changes were lost since its link was made."""
    found = {number: read(*each) for number, each in told.items() if each is not None}
    if any(is_lost(each.number("gap"), created_ms) for each in found.values()):
        return {}
    return {number: word for number, each in found.items() if (word := each.word) is not None}
