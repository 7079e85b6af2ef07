"""How much of the past may be under way to a leader: LEDBAT (RFC 6817), counted in changes instead of bytes.

A region that was away has more to bring than its destination can do beside its own clients. Whoever brings it watches
how long its requests take: what they take above the shortest of the last minutes is time that somebody waits in a
queue, clients' requests too. The window grows while that is below a target, and shrinks in proportion when it is
above, so what waits yields to clients, and takes what they leave. It is never below `LEAST`: it goes on, slowly, even
where clients alone fill the leader.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LEAST, MOST = 32.0, 800.0
"""Changes under way to one partition."""

GAIN = 0.25
"""By how much of its own size the window grows with an answer while nobody waits. RFC 6817 grows by no more than TCP
does; beginning anew must not take minutes here. Twice as much begins to swing, since `RECENT` answers tell late."""

HISTORY_MS, HISTORY = 60_000.0, 10
"""RFC 6817's base history: the least of each of so many minutes."""

RECENT = 4
"""RFC 6817's current filter: the least of so many answers is the delay of now."""


@dataclass(slots=True)
class Delays:
    """What requests of one process take, in milliseconds; pure."""

    _minima: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _since_ms: float = 0.0

    def note(self, delay_ms: float, now_ms: float) -> None:
        """An answer came after so long."""
        if not self._minima or now_ms - self._since_ms >= HISTORY_MS:
            self._minima.append(delay_ms)
            self._since_ms = now_ms
        else:
            self._minima[-1] = min(self._minima[-1], delay_ms)

    @property
    def base_ms(self) -> float:
        """Of a request that waits for nobody. Something must have been noted."""
        return min(self._minima)


@dataclass(slots=True)
class Ledbat:
    """The window of one leader's partition; pure. `target_ms`: how long others may wait because of it."""

    target_ms: float
    size: float = LEAST
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def answered(self, changes: int, delay_ms: float, base_ms: float) -> None:
        """So many were under way together, and took so long."""
        self._recent.append(delay_ms)
        waited_ms = max(0.0, min(self._recent) - base_ms)
        room = max(-1.0, (self.target_ms - waited_ms) / self.target_ms)
        self.size = min(MOST, max(LEAST, self.size + GAIN * room * changes))

    def refused(self) -> None:
        """Throttled, or nobody answers: RFC 6817's loss."""
        self.size = max(LEAST, self.size / 2)
