"""Leases: the log is the lease (I7).

A leader may answer strong reads until D after the clock read before the *first* send of its last *accepted* record.
A new leader waits until every earlier leader's lease has ended for certain, clocks that drift included. There are no
renewal messages: a leader that cannot append loses its lease by itself.

Times are milliseconds of one process's own clock, which must go on counting while the machine is suspended. They are
never compared between processes and never stored: what is restored counts as seen now.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """D, the drift between two clocks that is still safe, and room for rounding."""

    duration_ms: float = 3000.0
    drift: float = 0.02
    margin_ms: float = 50.0

    @property
    def deferral_ms(self) -> float:
        """How long a new leader waits: the slowest clock's D as seen by the fastest clock."""
        return self.duration_ms * (1 + 2 * self.drift) + self.margin_ms


class Lease:
    """One leader's lease, bound to its term."""

    __slots__ = ("_timing", "_until_ms", "term")

    def __init__(self, timing: LeaseTiming, term: int) -> None:
        self._timing = timing
        self._until_ms = float("-inf")
        self.term = term

    def renew(self, first_sent_ms: float) -> None:
        """A record of this term, first sent then, was accepted."""
        self._until_ms = max(self._until_ms, first_sent_ms + self._timing.duration_ms)

    def holds(self, now_ms: float) -> bool:
        return now_ms < self._until_ms
