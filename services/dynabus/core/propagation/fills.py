"""How far indexes that were added to a table are filled from one of its partitions.

An index that begins in a log that has begun before it is filled with what is older: pages of rows in key order. The
position of the next page stands in the checkpoint, so that whoever takes over goes on there, and children of a split
from where their parent was. A position may be any key not behind the next one: what is read twice changes nothing.

Beside them stands how far an index is swept of what a recovered partition left (`sweeps`).

Where an index begins is committed before anything is written for it. Were that begin forgotten, by a crash, another
reader would begin later, and what changed in between would stay as the first one wrote it. A stream that is switched
on waits likewise, though nothing is filled: else its readers would find the first one's changes, and then a gap. A
table topic is filled like an index; its records are committed together with the checkpoint, so nothing is written
that could be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.propagation.sweeps import index_of, is_topic

POSITION_BYTES = 128
"""Of a key in a checkpoint, whose room is bounded: a prefix lies before all that it begins. One index of a table is
filled at a time."""


class Fill(NamedTuple):
    """`position`: of the next page; `at_least`: the offset that its replica must have applied all before."""

    position: bytes
    at_least: int


@dataclass(slots=True)
class Fills:
    """By label; an index that is open and not here is filled."""

    _fills: dict[str, Fill] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    """Those that were begun here, which no committed checkpoint says yet."""

    def restore(self, positions: Iterable[tuple[str, bytes]], at_least: int, uncommitted: Iterable[str] = ()) -> None:
        """Go on from a checkpoint. What its place has passed is written by the log: no page needs to be older.

        `uncommitted`: what is open by it and not by the one that the group has; this one was only confirmed then.
        """
        self._fills = {label: Fill(position, at_least) for label, position in positions}
        self._begun = {label for label in uncommitted if not is_topic(label)}

    def begin(self, label: str, at_least: int, *, is_filled: bool) -> None:
        """Here, with what the log writes from this offset on."""
        if is_filled:
            self._fills[label] = Fill(b"", at_least)
        if not is_topic(label):
            self._begun.add(label)

    def sweep(self, labels: Iterable[str]) -> None:
        """Begin these. Nothing depends on where: whoever reads the genesis anew begins them anew."""
        self._fills |= {label: Fill(b"", 0) for label in labels}

    def committed(self, labels: Iterable[str]) -> None:
        """The group has a checkpoint with these."""
        self._begun.difference_update(labels)

    @property
    def holds(self) -> bool:
        """Nothing may be written yet."""
        return bool(self._begun)

    def keep_only(self, labels: Iterable[str]) -> None:
        """Others have ended."""
        kept = set(labels)
        self._fills = {label: fill for label, fill in self._fills.items() if index_of(label) in kept}
        self._begun &= kept

    @property
    def next(self) -> tuple[str, Fill] | None:
        """One is filled at a time."""
        return next(iter(self._fills.items()), None)

    def awaits(self, label: str, position: bytes) -> bool:
        """The page from this position on is what comes next."""
        fill = self._fills.get(label)
        return fill is not None and fill.position == position

    def moved(self, label: str, position: bytes, behind: bytes | None) -> bool:
        """The page from a position on was written. False: it is not the one that is waited for."""
        if not self.awaits(label, position):
            return False
        if behind is None:
            del self._fills[label]
        else:
            self._fills[label] = self._fills[label]._replace(position=behind)
        return True

    @property
    def positions(self) -> tuple[tuple[str, bytes], ...]:
        """For a checkpoint."""
        return tuple((label, fill.position[:POSITION_BYTES]) for label, fill in self._fills.items())
