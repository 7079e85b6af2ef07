"""Metrics of pruning: how much of each log is kept, and for whom."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dynabus.auto_admin.pruning.holds import Pruning


def families(pruning: Pruning) -> Iterator[Metric]:
    """For Prometheus; the last look at each log counts."""
    yield CounterMetricFamily("dynabus_log_records_pruned", "Records deleted from logs", pruning.records)
    labels = ("log", "partition")
    kept = GaugeMetricFamily("dynabus_log_records", "Records in a replication log", labels=labels)
    held = GaugeMetricFamily(
        "dynabus_log_held_records", "Records that only this reader still needs", labels=(*labels, "by")
    )
    for each in list(pruning.held.values()):
        of = (each.log, str(each.number))
        kept.add_metric(of, each.high - each.low)
        held.add_metric((*of, each.by), each.held)
    yield from (kept, held)
