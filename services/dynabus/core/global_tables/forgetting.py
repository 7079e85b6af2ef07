"""At a leader of a global table's partition: when its log is told of floors, and which tombstones may go. Pure.

| when                                                   | what                                                 |
|--------------------------------------------------------|------------------------------------------------------|
| every so often (`Pace`), and when regions change       | a record of floors: what was heard, a promise, ...   |
| `forgotten` has risen, and there may be tombstones     | a walk from the first row to the last                |
| it comes to a tombstone that may go                    | a write that looks at it again: nothing is left      |

The record (`leading.note_of`) has the words that were heard since, a new promise, and how far tombstones may be
forgotten with both. All of it is of one term: the next leader hears words again, tells its log at once, and walks
from the first row. What is written while a walk is under way is found by the next one. A tombstone goes some time
(`Pace.least_ms`) after its write at the earliest: what nobody has thought of has as long to show.

    request's member of a word
    detail           JSON: `region` that says it, and the word's members (`floors.Word`)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from dynabus.core.global_tables.floors import NEVER, Floors, Word, read_word
from dynabus.core.global_tables.versions import TICKS_PER_MS
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Reader
from dynabus.core.rows import is_tombstone, version_of

FAR_MS = 3_600_000
"""What others have seen of a table that was here before is promised, too, unless it lies further ahead of the clock:
that was promised by a clock that was wrong, and it would be so for good. None of them forgets by it: what is
forgotten is no later than what each one has promised itself."""


class Pace(NamedTuple):
    """Milliseconds: between two records of floors, and the least age of what is forgotten."""

    every_ms: float
    least_ms: int


class Slice(NamedTuple):
    """Of a walk: keys of tombstones to take away, and how many rows were looked at."""

    over: tuple[bytes, ...] = ()
    rows: int = 0


def encode_word(region: str, word: Word) -> bytes:
    """As it travels to leaders."""
    return orjson.dumps({"region": region, **word.told()})


def decode_word(raw: bytes) -> tuple[str, Word]:
    """Raises ValueError."""
    try:
        told: Any = orjson.loads(raw)
        return str(told["region"]), read_word(told)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a word that is none: {error!r}") from error


@dataclass(slots=True)
class Forgetting:
    """`term` of the leader. `kept`: tombstones that the last whole walk has left. `alarm`: of its node's clock."""

    term: int
    kept: int = 0
    alarm: str = ""
    _words: dict[str, Word] = field(default_factory=dict)
    _told_ms: float = float("-inf")
    _with: int = NEVER
    """`forgotten` in the walk that is under way, or was the last one."""
    _buried: int = -1
    """How many tombstones were written until it began; -1: there was none."""
    _is_walking: bool = False
    _after: bytes | None = None
    """The last row that was passed."""
    _left: int = 0
    _over: int = 0
    """Of the last walk: left, and to be taken away, of which some may have been refused."""

    def hear(self, region: str, word: Word) -> None:
        """It counts from the next record on."""
        self._words[region] = word

    def note(
        self, known: Floors | None, own: str, others: frozenset[str], pace: Pace, now_ms: float, wall_ms: int | None
    ) -> Floors | None:
        """What is to be appended now. `known`: what the log says; `wall_ms`: a time that is sure, else nothing is
        promised or forgotten by it, since neither ever falls."""
        is_known = known is not None and (known.region, known.others) == (own, others)
        if is_known and now_ms - self._told_ms < pace.every_ms:
            return None
        self._told_ms = now_ms
        floors = (known or Floors(own, others)).with_regions(own, others)
        for region, word in self._words.items():
            floors.hear(region, word)
        if wall_ms is not None:
            floors.promise(wall_ms * TICKS_PER_MS - 1)
            # A table that was here before is known by others; what it promised them they go by.
            seen = max(floors.seen.values(), default=NEVER)
            floors.promise(seen if seen <= (wall_ms + FAR_MS) * TICKS_PER_MS else NEVER)
            floors.forget((wall_ms - pace.least_ms) * TICKS_PER_MS)
        return floors

    def look(self, store: Reader, floors: Floors, buried: int, rows_most: int, over_most: int) -> Slice:
        """The next rows. `buried`: tombstones that were written so far, by anybody's count. Raises CorruptRow."""
        if not self._is_walking and not self._begins(floors, buried):
            return Slice()
        over: list[bytes] = []
        last, rows = self._after, 0
        for key, row in store.scan(b"" if last is None else last + b"\0", None):
            if rows == rows_most or len(over) == over_most:
                break
            rows, last = rows + 1, key
            if is_tombstone(row):
                if version_of(row, floors.region).stamp.time <= self._with:
                    over.append(key)
                else:
                    self._left += 1
        else:
            self._is_walking, self.kept = False, self._left
            last = None
        self._after = last
        self._over += len(over)
        return Slice(tuple(over), rows)

    def _begins(self, floors: Floors, buried: int) -> bool:
        may_be_some = buried != self._buried or self._left or self._over
        if floors.forgotten == self._with or not may_be_some:
            return False
        self._is_walking, self._left, self._over = True, 0, 0
        self._with, self._buried = floors.forgotten, buried
        return True


def removal(floors: Floors) -> Evaluate:
    """Take away what is a tombstone that may go by then. Raises CorruptRow."""

    def evaluate(old: bytes | None, _wall_ms: int) -> Decision:
        goes = old is not None and is_tombstone(old) and floors.may_forget(version_of(old, floors.region).stamp)
        return Decision(goes, None, Outcome())

    return evaluate
