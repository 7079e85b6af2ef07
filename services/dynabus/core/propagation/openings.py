"""Which streams, indexes and table topics are written from one log, and from where to where. "Stream" is said of
all of them here.

| label is open here         | metadata say        | then                                                            |
|----------------------------|---------------------|-----------------------------------------------------------------|
| no                         | ENABLING            | begun once the log is folded to where it ended at that news     |
| no, log has no checkpoint  | made with its table | begun with the log (`core.propagation.propagator`)              |
| no, log has no checkpoint  | the parent had it   | the same                                                        |
| no                         | ENABLED             | lost: it was begun once, and nobody knows where                 |
| yes                        | ENABLING, ENABLED   | each change becomes a record                                    |
| yes                        | DISABLING           | ended once the log is folded to where it ended at that news     |
| yes                        | DISABLED, or none   | nothing more: it was closed wherever it was begun               |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dynabus.core.global_indexes.view import Index
from dynabus.core.propagation.view import Derived
from dynabus.core.streams.reading import CLOSED, OPENED
from dynabus.core.streams.view import DISABLED, DISABLING, ENABLED, ENABLING, Stream
from dynabus.core.table_topics.view import TableTopic


@dataclass(slots=True)
class _Begin:
    """`at`: offset to which the log is folded first; None: not known yet."""

    stream: Derived
    at: int | None = None


@dataclass(slots=True)
class Openings:
    """Labels come from a checkpoint, a parent or a new table, streams from metadata; those of unknown labels wait."""

    number: int
    _open: dict[str, Derived | None] = field(default_factory=dict)
    _begins: dict[str, _Begin] = field(default_factory=dict)
    _ends: dict[str, int | None] = field(default_factory=dict)

    def restore(self, labels: Iterable[str]) -> None:
        """These are open, and nothing else is under way."""
        self._open = dict.fromkeys(labels)
        self._begins.clear()
        self._ends.clear()

    @property
    def labels(self) -> tuple[str, ...]:
        """Of what is open, for a checkpoint."""
        return tuple(self._open)

    @property
    def streams(self) -> list[Stream]:
        """What is open and known."""
        return [stream for stream in self._open.values() if isinstance(stream, Stream)]

    @property
    def indexes(self) -> list[Index]:
        """The same of indexes."""
        return [index for index in self._open.values() if isinstance(index, Index)]

    @property
    def table_topics(self) -> list[TableTopic]:
        """And of table topics."""
        return [topic for topic in self._open.values() if isinstance(topic, TableTopic)]

    @property
    def key_names(self) -> list[str] | None:
        """Of the table's key, as whatever is open says it; None where nothing is."""
        for each in self._open.values():
            if each is not None:
                return each.key_names
        return None

    @property
    def is_changing(self) -> bool:
        """Something begins or ends."""
        return bool(self._begins or self._ends)

    @property
    def wants_end(self) -> bool:
        """It must be known how far the log reaches now."""
        return None in self._ends.values() or any(begin.at is None for begin in self._begins.values())

    def know(self, streams: Sequence[Derived], *, meet: bool) -> str | None:
        """What metadata say; `meet`: streams may begin here. What is lost, if something is."""
        known = {stream.label: stream for stream in streams}
        for label in self.labels:
            stream = self._open[label] = known.get(label)
            if stream is None or stream.status == DISABLED:
                del self._open[label]
                self._ends.pop(label, None)
            elif stream.status == DISABLING:
                self._ends.setdefault(label, None)
        for label, begin in [*self._begins.items()]:
            if label not in known or known[label].status != ENABLING:
                del self._begins[label]
            else:
                begin.stream = known[label]
        new = [each for each in streams if each.label not in self._open and each.label not in self._begins]
        return self._meet([each for each in new if meet and self.number in each.shards])

    def _meet(self, streams: Sequence[Derived]) -> str | None:
        """Streams that have no shard here yet."""
        self._begins.update({each.label: _Begin(each) for each in streams if each.status == ENABLING})
        lost = [each.label for each in streams if each.status == ENABLED]
        return f"stream {lost[0]} was begun here, and the checkpoint does not say where" if lost else None

    def told_end(self, end: int) -> None:
        """The log reached so far after the last `know`."""
        for begin in self._begins.values():
            begin.at = end if begin.at is None else begin.at
        self._ends = {label: end if at is None else at for label, at in self._ends.items()}

    def settle(self, next_offset: int, *, ends: bool) -> list[tuple[Derived, str]]:
        """What begins and what ends, now that the log is folded so far; `ends`: something may end here."""
        said: list[tuple[Derived, str]] = []
        for label, begin in [*self._begins.items()]:
            if begin.at is not None and next_offset >= begin.at:
                del self._begins[label]
                self._open[label] = begin.stream
                said.append((begin.stream, OPENED))
        for label, at in [*self._ends.items()]:
            if ends and at is not None and next_offset >= at:
                del self._ends[label]
                stream = self._open.pop(label)
                assert stream is not None
                said.append((stream, CLOSED))
        return said
