"""Percentiles, rates over time, and the time until throughput is back."""

from __future__ import annotations

import pytest
from bench.figures import measured, percentile_ms, ratio
from bench.timeline import BIN_S, Histogram, Timeline, back_after_s, per_second, rate


def test_percentiles_are_of_the_nearest_rank() -> None:
    seconds = [n / 1000 for n in range(100, 0, -1)]
    assert percentile_ms(seconds, 0.5) == pytest.approx(51)
    assert percentile_ms(seconds, 0.99) == pytest.approx(100)
    assert percentile_ms([0.002], 0.99) == pytest.approx(2)


def test_measured_without_a_success_has_only_errors() -> None:
    assert measured([], 1.0, errors=3).errors == 3
    assert measured([], 1.0).ops_per_s == 0


def test_measured_counts_successes_over_the_time_of_all() -> None:
    figures = measured([0.001, 0.003], 0.5)
    assert (figures.ops_per_s, figures.count) == (4.0, 2)


def test_ratio_to_nothing_is_none() -> None:
    assert ratio(3, 0) is None
    assert ratio(3, 2) == 1.5


def _bins(*levels: tuple[float, int]) -> list[int]:
    """Bins of (seconds, successes a second) one after the other."""
    return [int(per_s * BIN_S) for seconds, per_s in levels for _ in range(int(seconds / BIN_S))]


def test_rate_is_successes_a_second() -> None:
    assert rate(_bins((10, 400), (10, 800)), 10, 5) == 800
    assert rate(_bins((10, 400)), -5, 15) == pytest.approx(400 * 10 / 15)


def test_throughput_is_back_when_a_whole_window_is_at_90_percent() -> None:
    bins = _bins((10, 400), (4, 0), (3, 200), (20, 380))
    assert back_after_s(bins, 10, 10, 37) == pytest.approx(7, abs=0.3)


def test_a_fault_without_effect_takes_no_time_to_come_back_from() -> None:
    assert back_after_s(_bins((30, 400)), 10, 10, 30) == 0


def test_throughput_that_stays_low_is_not_back() -> None:
    assert back_after_s(_bins((10, 400), (20, 300)), 10, 10, 30) is None


def test_a_burst_shorter_than_the_window_is_no_recovery() -> None:
    bins = _bins((10, 400), (2, 0), (0.5, 500), (3, 0), (10, 400))
    assert back_after_s(bins, 10, 10, 25) == pytest.approx(5.5, abs=0.3)


def test_timeline_counts_by_time() -> None:
    timeline = Timeline(100.0)
    for now in (100.0, 100.1, 100.9, 102.0):
        timeline.add(now)
    assert per_second(timeline.bins) == [3, 0, 1]


def test_histogram_keeps_two_percent() -> None:
    histogram = Histogram()
    for n in range(1, 1001):
        histogram.add(n / 1000)
    assert histogram.percentile_ms(0.5) == pytest.approx(500, rel=0.02)
    assert histogram.percentile_ms(0.99) == pytest.approx(990, rel=0.02)
    assert histogram.longest_s == 1.0
