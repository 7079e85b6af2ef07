"""The token bucket of DAT321 and of DynamoDB's ATC '22 paper, with a rule for what is known only afterwards."""

from __future__ import annotations

PARTS = 1000
"""The level is counted in thousandths of a half unit: a rate per second times milliseconds, without a remainder."""


class TokenBucket:
    """Full at the start. `rate` and `depth` are half units (per second).

    A request is admitted when the level is at least the smaller of its estimate and the depth. It may cost more than
    that, so the level may be below zero; refill repays the debt first.
    """

    __slots__ = ("_at_ms", "_parts", "depth", "rate")

    def __init__(self, rate: int, depth: int, now_ms: float) -> None:
        self.rate, self.depth = rate, depth
        self._parts = depth * PARTS
        self._at_ms = now_ms

    @property
    def level(self) -> int:
        """Half units, rounded down, as of the last `refill`."""
        return self._parts // PARTS

    def refill(self, now_ms: float) -> None:
        """Let time pass. A clock that stands still or goes back refills nothing."""
        if now_ms - self._at_ms >= 1:
            elapsed_ms = int(now_ms - self._at_ms)
            self._at_ms += elapsed_ms
            self._parts = min(self.depth * PARTS, self._parts + self.rate * elapsed_ms)

    def admits(self, estimate: int, now_ms: float) -> bool:
        """Whether a request of this estimated cost may go on; nothing is charged yet."""
        if now_ms - self._at_ms >= 1:
            self.refill(now_ms)
        return self._parts >= estimate * PARTS or self._parts >= self.depth * PARTS

    def charge(self, units: int) -> None:
        """What was used; below zero: what is given back. It never holds more than its depth."""
        self._parts -= units * PARTS
        if units < 0:
            self._parts = min(self.depth * PARTS, self._parts)

    def set_level(self, units: int) -> None:
        """What is known from elsewhere."""
        self._parts = min(self.depth, units) * PARTS

    def change(self, rate: int, depth: int, now_ms: float) -> None:
        """Another rate from now on. The filled fraction stays, so that no change makes tokens; so does a debt."""
        self.refill(now_ms)
        if self._parts > 0 and self.depth > 0:
            self._parts = self._parts * depth // self.depth
        self.rate, self.depth = rate, depth
