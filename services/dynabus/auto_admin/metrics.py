"""What an auto-admin tells Prometheus: heat, what its rules have decided, and who holds logs up."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dynabus.auto_admin.pruning.metrics import families
from dynabus.auto_admin.service import AutoAdmin

KINDS = ("read", "write")


class AdminMetrics(Collector):
    """Read in the ops server's thread; the loop replaces whole values."""

    def __init__(self, admin: AutoAdmin) -> None:
        self._admin = admin

    def collect(self) -> Iterator[Metric]:
        """Labels are bounded by causes, logs and nodes."""
        splits = CounterMetricFamily(
            "dynabus_splits", "Splits that a rule of this auto-admin decided", labels=("cause",)
        )
        for cause, count in list(self._admin.splits.items()):
            splits.add_metric((cause,), count)
        yield splits
        yield self._heat()
        scalings = CounterMetricFamily(
            "dynabus_scalings", "Changes of units that target tracking decided", labels=("kind", "direction")
        )
        for labels, count in list(self._admin.scaler.changes.items()):
            scalings.add_metric(labels, count)
        yield scalings
        yield from families(self._admin.pruning)

    def _heat(self) -> Metric:
        labels = ("log", "partition", "kind")
        heat = GaugeMetricFamily(
            "dynabus_partition_heat_percent", "Use of a partition's cap over the window of the rule", labels=labels
        )
        book = self._admin.heat
        for log, number in book.places():
            for kind, percent in zip(KINDS, book.levels((log, number)), strict=True):
                heat.add_metric((log, str(number), kind), percent)
        return heat
