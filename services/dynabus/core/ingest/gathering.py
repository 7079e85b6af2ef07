"""A producer's side of ingest: commands that share a message, and those whose outcomes are awaited. Pure.

A *track* is a topic partition of the ingest topic, chosen by the item's key alone; its messages go in the order in
which its commands came.

| a command is | until                                                              |
|--------------|--------------------------------------------------------------------|
| gathered     | `linger_ms` after the first one of its message, or that one is full |
| under way    | its outcome comes, or its time is over                             |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

from dynabus.core.errors import ApiError
from dynabus.core.key_schema import KeySchema
from dynabus.core.values import Item, normalise_item

T = TypeVar("T")

MESSAGE_COMMANDS_MOST = 250
"""A quarter of what routers take in one message; more of them saves nothing that could be measured."""

MESSAGE_BYTES_MOST = 256 * 1024
"""Gathered beyond that a message leaves; one command may be larger."""

NEVER = float("inf")
AT_ONCE = float("-inf")


def track_of(schema: KeySchema, image: Item, tracks: int) -> int:
    """The topic partition of an item, by its key alone. `image`: the item, or its key, as a command has it.

    What has no key of this table goes anywhere: routers refuse it.
    """
    try:
        key = normalise_item({name: image[name] for name in schema.names})
        return crc32(schema.encode(key)) % tracks
    except (KeyError, ApiError):
        return 0


class Batch(NamedTuple):
    """A message: JSON of some commands, and their numbers. `serial`: in which order the messages were closed, which
    numbers do not tell where several threads add commands."""

    track: int
    value: bytes
    numbers: list[int]
    serial: int


@dataclass(slots=True)
class _Open:
    due_ms: float
    size: int = 0
    commands: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.commands) >= MESSAGE_COMMANDS_MOST or self.size >= MESSAGE_BYTES_MOST

    def batch(self, track: int, serial: int) -> Batch:
        return Batch(track, b"[" + b",".join(self.commands) + b"]", self.numbers, serial)


class Gathering:
    """Commands that are not sent yet. Times must not go back."""

    def __init__(self, linger_ms: float) -> None:
        self._linger_ms = linger_ms
        self._open: dict[int, _Open] = {}
        """By track; the first was begun first, and is due first."""
        self._full: deque[Batch] = deque()
        self._serials = count()

    def add(self, track: int, command: bytes, number: int, now_ms: float) -> bool:
        """A command as JSON. True: something is due earlier than before."""
        due_ms = self.due_ms
        message = self._open.get(track)
        if message is not None and message.size + len(command) > MESSAGE_BYTES_MOST:
            self._fill(track)
            message = None
        if message is None:
            message = self._open[track] = _Open(now_ms + self._linger_ms)
        message.commands.append(command)
        message.numbers.append(number)
        message.size += len(command) + 1
        if message.is_full:
            self._fill(track)
        return self.due_ms < due_ms

    def _fill(self, track: int) -> None:
        self._full.append(self._closed(track))

    def _closed(self, track: int) -> Batch:
        return self._open.pop(track).batch(track, next(self._serials))

    def take(self, now_ms: float) -> list[Batch]:
        """Messages that are full, or whose time has come (of infinity: all)."""
        due = [*self._full]
        self._full.clear()
        while self.due_ms <= now_ms and self._open:
            due.append(self._closed(next(iter(self._open))))
        return due

    @property
    def due_ms(self) -> float:
        """When something is to be taken."""
        if self._full:
            return AT_ONCE
        return next(iter(self._open.values())).due_ms if self._open else NEVER


@dataclass(slots=True)
class Awaited(Generic[T]):
    """A command under way. `delivered`: Kafka has it."""

    what: T
    size: int
    deadline_ms: float
    delivered: bool = False


class UnderWay(Generic[T]):
    """Commands that wait for their outcomes, by number; all of them for equally long, so the first is due first."""

    def __init__(self, limit_ms: float, commands_most: int, bytes_most: int) -> None:
        self._limit_ms = limit_ms
        self._commands_most, self._bytes_most = commands_most, bytes_most
        self._awaited: dict[int, Awaited[T]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._awaited)

    def __contains__(self, number: int) -> bool:
        return number in self._awaited

    def has_room(self, size: int) -> bool:
        """For one of so many bytes; there is always room for one alone."""
        if not self._awaited:
            return True
        return len(self._awaited) < self._commands_most and self._bytes + size <= self._bytes_most

    def add(self, number: int, what: T, size: int, now_ms: float) -> None:
        """One more."""
        self._awaited[number] = Awaited(what, size, now_ms + self._limit_ms)
        self._bytes += size

    def delivered(self, numbers: list[int]) -> None:
        """Kafka has them."""
        for number in numbers:
            if (awaited := self._awaited.get(number)) is not None:
                awaited.delivered = True

    def end(self, number: int) -> T | None:
        """Its outcome is there; None of one that is awaited no longer."""
        awaited = self._awaited.pop(number, None)
        if awaited is None:
            return None
        self._bytes -= awaited.size
        return awaited.what

    def overdue(self, now_ms: float) -> list[Awaited[T]]:
        """Those whose time is over (of infinity: all); they are awaited no longer."""
        late = []
        for number, awaited in [*self._awaited.items()] if self._is_late(now_ms) else ():
            if awaited.deadline_ms > now_ms:
                break
            self.end(number)
            late.append(awaited)
        return late

    def _is_late(self, now_ms: float) -> bool:
        return bool(self._awaited) and next(iter(self._awaited.values())).deadline_ms <= now_ms
