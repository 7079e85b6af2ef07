"""What a router counts, for Prometheus. Counting is two additions; text is made when somebody asks for it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the latency histogram: from the bare bus's millisecond to the deadline of a request."""

Counts = Callable[[], Mapping[str, tuple[str, float]]]
"""name -> (what it counts, value) of what others count."""


class Metrics:
    """A Prometheus collector. Labels are bounded: the operations there are, and HTTP statuses that they answer."""

    def __init__(self, counts: Counts, gauges: Counts, more: Callable[[], Iterator[Metric]]) -> None:
        self._counts, self._gauges, self._more = counts, gauges, more
        self._requests: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """One API request; `operation` is empty where the request did not name one that exists."""
        key = (operation, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        buckets = self._buckets.get(operation)
        if buckets is None:
            buckets = self._buckets[operation] = [0] * (len(SECONDS) + 1)
            self._sums[operation] = 0.0
        buckets[bisect_left(SECONDS, seconds)] += 1
        self._sums[operation] += seconds

    def collect(self) -> Iterator[Metric]:
        """All of it, as families; called in any thread."""
        requests = CounterMetricFamily(
            "dynabus_router_requests", "API requests answered, by HTTP status", labels=("operation", "status")
        )
        for (operation, status), count in list(self._requests.items()):
            requests.add_metric((operation, str(status)), count)
        yield requests
        yield self._latency()
        for name, (text, value) in self._counts().items():
            yield CounterMetricFamily(f"dynabus_router_{name}", text, value)
        for name, (text, value) in self._gauges().items():
            yield GaugeMetricFamily(f"dynabus_router_{name}", text, value)
        yield from self._more()

    def _latency(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "dynabus_router_latency_seconds", "From the head of a request to its answer", labels=("operation",)
        )
        for operation, buckets in list(self._buckets.items()):
            total, cumulated = 0, []
            for bound, count in zip((*map(str, SECONDS), "+Inf"), buckets, strict=True):
                total += count
                cumulated.append((bound, total))
            family.add_metric((operation,), cumulated, self._sums[operation])
        return family
