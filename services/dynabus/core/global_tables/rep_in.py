"""RepIn: takes batches of other regions in the order of their topic, drives each change to its leader, acknowledges.

    1. `read`: a batch of a topic partition      4. `acknowledgements`: produce them, then `acknowledged`
    2. `wanted`: changes to be sent              5. `due`: commit these offsets, then `committed`
    3. `decided`, or `refused` for now

A change of a batch is sent through the request path of this region, and sent again until it is decided: applied, lost
against what was here, known already, or parked since it can never be (a table with another key, a clock that is off
by hours). A batch is acknowledged when all of it is decided, and its offset is committed with or after
the acknowledgement and never before: a batch that is read again is decided again, which changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.global_tables.rep_out import Batch, Export

CHANGES_MOST = 1_000
"""Under way of one topic partition; beyond it batches wait in Kafka."""

BYTES_MOST = 4 * 1024 * 1024
"""The same of keys and items: a batch may have nearly a megabyte."""

Topic = tuple[str, int]
"""(source region, partition of its topic)."""


class Acknowledgement(NamedTuple):
    """To the source: who sent the batch, and its number. `offset`: where it was read."""

    topic: Topic
    sender: str
    number: int
    offset: int


class Import(NamedTuple):
    """A change that is to be sent, by the number it has in this process. `replica`: id of the table that it is for;
    empty: whichever has its name."""

    number: int
    export: Export
    replica: str = ""


@dataclass(slots=True)
class _Open:
    topic: Topic
    offset: int
    sender: str | None
    """None: nobody is told."""
    batch: int
    undecided: set[int]
    replica: str = ""

    @property
    def name(self) -> tuple[Topic, str | None, int]:
        """What it has in common with a copy of it."""
        return self.topic, self.sender, self.batch


@dataclass(slots=True)
class RepIn:
    """Fed by one thread."""

    _open: dict[Topic, deque[_Open]] = field(default_factory=dict)
    _undecided: dict[int, tuple[_Open, Export]] = field(default_factory=dict)
    _bytes: int = 0
    """Of keys and items that are undecided."""
    _unsent: deque[int] = field(default_factory=deque)
    _under_way: set[tuple[Topic, str | None, int]] = field(default_factory=set)
    """Topic partition, sender and number of batches of which something is not decided."""
    _acknowledgements: list[Acknowledgement] = field(default_factory=list)
    _untold: dict[Topic, set[int]] = field(default_factory=dict)
    """Offsets of batches that are decided, and whose acknowledgements are not in Kafka."""
    _done: dict[Topic, int] = field(default_factory=dict)
    _committed: dict[Topic, int] = field(default_factory=dict)
    _numbers: int = 0

    def assigned(self, topic: Topic, offset: int) -> None:
        """The group gave it to this process."""
        self._open[topic], self._untold[topic] = deque(), set()
        self._done[topic] = self._committed[topic] = offset

    def revoked(self, topic: Topic) -> None:
        """Another process reads it again from what is committed; what is under way may still be decided."""
        for each in self._open.pop(topic, ()):
            for number in each.undecided:
                self._taken(number)
            self._under_way.discard(each.name)
        self._untold.pop(topic, None)
        self._done.pop(topic, None)
        self._committed.pop(topic, None)

    @property
    def share(self) -> float:
        """Of what may be undecided: from 1 on it is full."""
        return max(len(self._undecided) / CHANGES_MOST, self._bytes / BYTES_MOST)

    def _taken(self, number: int) -> _Open | None:
        """It is undecided no more; its batch, if it was."""
        opened, export = self._undecided.pop(number, (None, None))
        self._bytes -= export.size if export is not None else 0
        return opened

    def read(self, topic: Topic, offset: int, sender: str, batch: Batch, replica: str = "") -> None:
        """The next one of a topic partition; one without a change is decided at once. `replica`: as an import's."""
        if topic not in self._open:
            return
        if (topic, sender, batch.number) in self._under_way:
            # Sent again while it is under way: to ask for all of it a second time would slow down what is slow.
            self._open[topic].append(_Open(topic, offset, None, -1, set()))
            return
        opened = _Open(topic, offset, sender, batch.number, set(), replica)
        for export in batch.exports:
            self._numbers += 1
            opened.undecided.add(self._numbers)
            self._undecided[self._numbers] = (opened, export)
            self._bytes += export.size
            self._unsent.append(self._numbers)
        self._open[topic].append(opened)
        self._under_way.add(opened.name)
        self._settle(opened)

    def unreadable(self, topic: Topic, offset: int) -> Callable[[], None]:
        """A message that cannot be read: it is not acknowledged, so that its sender keeps it and sends it again; what
        comes back is called when it is parked, and then it is passed by."""
        self._numbers += 1
        opened = _Open(topic, offset, None, -1, {self._numbers})
        if topic in self._open:
            self._open[topic].append(opened)
        return opened.undecided.clear

    def wanted(self) -> list[Import]:
        """To be sent now, in order."""
        numbers, self._unsent = self._unsent, deque()
        found = [(number, *self._undecided[number]) for number in numbers if number in self._undecided]
        return [Import(number, export, opened.replica) for number, opened, export in found]

    def decided(self, number: int) -> None:
        """Accepted in its leader's log, or known to change nothing; or parked."""
        opened = self._taken(number)
        if opened is not None:
            opened.undecided.discard(number)
            self._settle(opened)

    def passed(self, number: int) -> None:
        """The batch of this change is for a table that is not here any more. It is not acknowledged: who still has
        its changes to send sends them for the table that is here, and if nobody has, nobody wants them."""
        opened, _ = self._undecided.get(number, (None, None))
        if opened is not None:
            for each in opened.undecided:
                self._taken(each)
            opened.undecided.clear()
            self._under_way.discard(opened.name)
            opened.sender = None

    def refused(self, number: int) -> None:
        """Throttled, or nobody leads: again, when the caller thinks it is time."""
        if number in self._undecided:
            self._unsent.append(number)

    def _settle(self, opened: _Open) -> None:
        if not opened.undecided and opened.sender is not None:
            self._under_way.discard(opened.name)
            self._untold[opened.topic].add(opened.offset)
            self._acknowledgements.append(Acknowledgement(opened.topic, opened.sender, opened.batch, opened.offset))

    def acknowledgements(self) -> list[Acknowledgement]:
        """To be produced; their offsets become due once they are there (`acknowledged`)."""
        taken, self._acknowledgements = self._acknowledgements, []
        return taken

    def acknowledged(self, told: Iterable[Acknowledgement] = ()) -> None:
        """Kafka has these; what is decided and not to be acknowledged counts, too. Each frees what is its own: where
        there is much to tell some are always on their way."""
        for each in told:
            self._untold.get(each.topic, set()).discard(each.offset)
        for topic, opened in self._open.items():
            untold = self._untold[topic]
            while opened and not opened[0].undecided and opened[0].offset not in untold:
                self._done[topic] = opened.popleft().offset + 1

    def due(self) -> dict[Topic, int]:
        """Offsets that the group does not have yet."""
        return {topic: offset for topic, offset in self._done.items() if offset > self._committed[topic]}

    def committed(self, offsets: dict[Topic, int]) -> None:
        """The group has them."""
        self._committed.update({topic: offset for topic, offset in offsets.items() if topic in self._committed})
