"""Figures of one measurement, and what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """One operation on one system at one concurrency. `errors` are answers other than 200 and lost connections."""

    ops_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    count: int


def percentile_ms(seconds: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of durations in seconds, in milliseconds. `share` from 0 to 1."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measured(seconds: Sequence[float], took_s: float, errors: int = 0) -> Measured:
    """From each success's duration in seconds and how long all took together."""
    if not seconds:
        return Measured(0.0, 0.0, 0.0, errors, 0)
    return Measured(
        len(seconds) / took_s, percentile_ms(seconds, 0.5), percentile_ms(seconds, 0.99), errors, len(seconds)
    )


def ratio(ours: float, theirs: float) -> float | None:
    """None where there is nothing to compare with."""
    return ours / theirs if theirs else None
