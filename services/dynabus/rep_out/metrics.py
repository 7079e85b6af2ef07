"""Metrics of a RepOut, in Prometheus' form."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from dynabus.rep_out.service import RepOutService


class RepOutMetrics(Collector):
    """Read when they are asked for, in the thread that asks."""

    def __init__(self, rep_out: RepOutService) -> None:
        self._rep_out = rep_out

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        latency = HistogramMetricFamily(
            "dynabus_replication_latency_seconds",
            "From a write until its destination has acknowledged it (ReplicationLatency)",
            labels=["table", "destination"],
        )
        backlog = GaugeMetricFamily(
            "dynabus_replication_backlog",
            "Stream records that are not acknowledged yet, as far as they were seen; none before it is reached",
            labels=["destination"],
        )
        alarms = GaugeMetricFamily("dynabus_replication_alarm", "1: somebody should look", labels=["destination"])
        resent = CounterMetricFamily("dynabus_replication_resent", "Batches sent again", labels=["destination"])
        passed = CounterMetricFamily(
            "dynabus_replication_passed",
            "Changes that had arrived by replication, and were not sent on",
            labels=["destination"],
        )
        for name, destination in sorted(self._rep_out.destinations.items()):
            told = destination.status()
            for table, histogram in [*destination.latencies.tables.items()]:
                latency.add_metric([table, name], histogram.buckets(), histogram.sum_ms / 1000)
            if told["backlog"] is not None:
                backlog.add_metric([name], told["backlog"])
            alarms.add_metric([name], float("alarm" in told))
            resent.add_metric([name], told["resent"])
            passed.add_metric([name], told["passed"])
        yield from (latency, backlog, alarms, resent, passed)
