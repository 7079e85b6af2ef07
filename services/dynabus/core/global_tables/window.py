"""Batches under way to one destination: a few, each sent again until it is acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

BATCHES_MOST = 4
"""Under way at once: more of them wait in Kafka and not here."""

SLOW_MOST = 2
"""The same once one was not acknowledged in time, until one is: the topic there has other tables' batches, too."""

RESEND_MS, RESEND_MOST_MS = 5_000.0, 60_000.0
"""Until a batch is sent again, doubled each time: a destination whose Kafka lives while nobody reads it must not be
filled with repeats. An acknowledgement, of any batch, says that somebody reads: then the shorter one counts again."""

T = TypeVar("T")


@dataclass(slots=True)
class Sent(Generic[T]):
    """A batch on its way, the last time since `at_ms`."""

    number: int
    batch: T
    at_ms: float
    first_ms: float
    pause_ms: float = RESEND_MS
    is_acknowledged: bool = False


@dataclass(slots=True)
class Window(Generic[T]):
    """Pure bookkeeping. `T`: what is kept of a batch."""

    sent: deque[Sent[T]] = field(default_factory=deque)
    resent: int = 0
    is_slow: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.sent) >= (SLOW_MOST if self.is_slow else BATCHES_MOST)

    def add(self, number: int, batch: T, now_ms: float) -> None:
        """It is sent now."""
        self.sent.append(Sent(number, batch, now_ms, now_ms))

    def overdue(self, now_ms: float) -> list[T]:
        """To be sent again now."""
        late = [each for each in self.sent if not each.is_acknowledged and now_ms - each.at_ms >= each.pause_ms]
        for each in late:
            each.at_ms, each.pause_ms = now_ms, min(2 * each.pause_ms, RESEND_MOST_MS)
        self.resent += len(late)
        self.is_slow |= bool(late)
        return [each.batch for each in late]

    def acknowledged(self, number: int) -> T | None:
        """The batch, if it was under way and is acknowledged for the first time."""
        found = None
        for each in self.sent:
            each.pause_ms = RESEND_MS
            if each.number == number and not each.is_acknowledged:
                each.is_acknowledged, found = True, each.batch
                self.is_slow &= each.at_ms != each.first_ms
        return found

    def take_done(self) -> list[T]:
        """In order, those before which nothing is under way any more; they are forgotten."""
        done = []
        while self.sent and self.sent[0].is_acknowledged:
            done.append(self.sent.popleft().batch)
        return done
