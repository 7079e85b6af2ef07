"""How long changes take, from their stamp until their destination has acknowledged them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000, 3_600_000)
"""Of the histogram."""

WINDOW_MS = 1_000.0
"""The median is that of so long."""

SAMPLES_MOST = 5_000


@dataclass(slots=True)
class Histogram:
    """`counts`: of each bound, and above all of them; `sum_ms`: of all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    sum_ms: float = 0.0

    def note(self, latency_ms: float) -> None:
        self.counts[bisect_left(BOUNDS_MS, latency_ms)] += 1
        self.sum_ms += latency_ms

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: upper bound in seconds, how many are not above it."""
        total, found = 0, []
        for bound, count in zip(BOUNDS_MS, self.counts, strict=False):
            total += count
            found.append((str(bound / 1000), float(total)))
        return [*found, ("+Inf", float(total + self.counts[-1]))]


@dataclass(slots=True)
class Latencies:
    """Of one destination, by table."""

    tables: dict[str, Histogram] = field(default_factory=dict)
    acked_ms: int = 0
    """Milliseconds since 1970 of the newest change that is acknowledged."""
    _recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES_MOST))

    def note(self, table: str, written_ms: int, wall_ms: int) -> None:
        """A change was acknowledged now."""
        latency_ms = max(0.0, wall_ms - written_ms)
        self.tables.setdefault(table, Histogram()).note(latency_ms)
        self._recent.append((wall_ms, latency_ms))
        self.acked_ms = max(self.acked_ms, written_ms)

    def median_ms(self, wall_ms: float) -> float | None:
        """Of the last second; None: nothing was acknowledged. Another thread may ask."""
        found = sorted(latency for at_ms, latency in [*self._recent] if at_ms >= wall_ms - WINDOW_MS)
        return found[len(found) // 2] if found else None
