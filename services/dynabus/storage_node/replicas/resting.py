"""Whether a log that is led here rests: which consumer reads it then, and when it goes back (`readers` says why).

| the log | then                                                                                   | next    |
|---------|----------------------------------------------------------------------------------------|---------|
| written | nothing was appended for `REST_MS`, and nothing is unresolved                          | resting |
| resting | `WAKE_APPENDS` appends, each within `TOGETHER_MS` of the one before                    | written |
| resting | an append while its consumer may not have it in a fetch yet                            | written |

A single append is read back through the consumer of resting logs, whose parked fetch the broker answers at once. To
go over costs the records that are under way a parked fetch of the other consumer: it pays only where many follow.
"""

from __future__ import annotations

REST_MS = 10_000.0
"""A table that is used by somebody is written every few seconds: it stays where read-backs cost least."""

WAKE_APPENDS = 8
"""Fewer are over before it would have gone over."""

TOGETHER_MS = 500.0


class Rest:
    """Of one log. `now`: it rests."""

    __slots__ = ("_count", "_last_ms", "now")

    def __init__(self) -> None:
        self.now = False
        self._count = 0
        self._last_ms = float("-inf")

    def appended(self, now_ms: float, *, fetched: bool) -> bool:
        """Something is being appended; `fetched`: its consumer has it in a fetch. Returns whether it still rests."""
        self._count = self._count + 1 if now_ms - self._last_ms < TOGETHER_MS else 1
        self._last_ms = now_ms
        self.now = self.now and fetched and self._count < WAKE_APPENDS
        return self.now

    def look(self, now_ms: float, *, leads: bool, idle: bool) -> None:
        """Time has passed; `idle`: nothing is unresolved, and nobody waits."""
        if not leads:
            self.now = False
        elif idle and now_ms - self._last_ms >= REST_MS:
            self.now = True
