"""How long changes take: the median of the last second, and a histogram of all."""

from __future__ import annotations

from dynabus.rep_out.latency import BOUNDS_MS, Latencies


def test_the_median_is_that_of_the_last_second() -> None:
    latencies = Latencies()
    assert latencies.median_ms(0) is None
    for number in range(5):
        latencies.note("music", 10_000 - 10 * number, 10_000)
    assert latencies.median_ms(10_500) == 20
    latencies.note("music", 10_900, 11_500)
    assert latencies.median_ms(11_500) == 600
    assert latencies.acked_ms == 10_900


def test_the_histogram_counts_up_to_each_bound_and_clocks_that_are_behind_count_nothing() -> None:
    latencies = Latencies()
    for written_ms in (1000, 990, 989, 900, 2000):
        latencies.note("music", written_ms, 1000)
    buckets = dict(latencies.tables["music"].buckets())
    assert (buckets["0.01"], buckets["0.025"], buckets["0.1"], buckets["+Inf"]) == (3, 4, 5, 5)
    assert len(buckets) == len(BOUNDS_MS) + 1
    assert latencies.tables["music"].sum_ms == 10 + 11 + 100
