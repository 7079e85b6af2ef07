"""Successes over time in bins of a quarter of a second, how fast throughput comes back after a fault, and a
histogram of durations. All of a fixed size for a run of given length."""

from __future__ import annotations

import math
from collections.abc import Sequence

BIN_S = 0.25
WINDOW_S = 2.0
"""Throughput is what is done in so long: shorter ones show each fsync and collection of garbage as an outage."""

BEFORE_S = 10.0
"""What throughput was before a fault: the mean over so long."""

BACK = 0.9
_FINEST_S, _STEP = 1e-5, 1.02
"""Durations are kept to 2 %, from 10 µs on."""


def rate(bins: Sequence[int], start_s: float, length_s: float) -> float:
    """Successes a second, from whole bins."""
    first, count = int(start_s / BIN_S), max(1, int(length_s / BIN_S))
    return sum(bins[max(0, first) : first + count]) / (count * BIN_S)


def back_after_s(bins: Sequence[int], fault_s: float, since_s: float, until_s: float) -> float | None:
    """Seconds from `since_s` until a window begins in which throughput is at least `BACK` of what it was before the
    fault. None: not before `until_s`."""
    wanted = BACK * rate(bins, fault_s - BEFORE_S, BEFORE_S)
    steps = int((until_s - WINDOW_S - since_s) / BIN_S)
    after = (step * BIN_S for step in range(max(0, steps) + 1))
    return next((each for each in after if rate(bins, since_s + each, WINDOW_S) >= wanted), None)


def per_second(bins: Sequence[int]) -> list[int]:
    width = int(1 / BIN_S)
    return [sum(bins[start : start + width]) for start in range(0, len(bins), width)]


class Timeline:
    """How many events came when, from `started` on."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.bins: list[int] = []

    def add(self, now: float) -> None:
        number = int((now - self.started) / BIN_S)
        while number >= len(self.bins):
            self.bins.append(0)
        self.bins[number] += 1


class Histogram:
    """Durations in seconds."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.longest_s = 0.0

    def add(self, seconds: float) -> None:
        step = max(0, int(math.log(max(seconds, _FINEST_S) / _FINEST_S) / math.log(_STEP)))
        self._counts[step] = self._counts.get(step, 0) + 1
        self.count += 1
        self.longest_s = max(self.longest_s, seconds)

    def percentile_ms(self, share: float) -> float:
        rank, passed = share * self.count, 0
        for step in sorted(self._counts):
            passed += self._counts[step]
            if passed >= rank:
                return float(1000 * _FINEST_S * _STEP ** (step + 0.5))
        return 0.0
