"""Metrics of a RepIn, in Prometheus' form."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dynabus.rep_in.service import RepInService


class RepInMetrics(Collector):
    """Read when they are asked for, in the thread that asks."""

    def __init__(self, rep_in: RepInService) -> None:
        self._rep_in = rep_in

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        rep_in = self._rep_in
        imports = CounterMetricFamily(
            "dynabus_rep_in_changes",
            "Changes of other regions by what they met: repeat, news, won and lost (conflicts), parked",
            labels=["source", "table", "outcome"],
        )
        for (source, table, meeting), count in [*rep_in.driving.meetings.items()]:
            imports.add_metric([source, table, meeting.value], count)
        for (source, table), count in [*rep_in.telling.parked.items()]:
            imports.add_metric([source, table, "parked"], count)
        yield imports
        unreadable = CounterMetricFamily("dynabus_rep_in_unreadable", "Batches that were none", labels=["source"])
        for source, count in [*rep_in.telling.unreadable.items()]:
            unreadable.add_metric([source], count)
        yield unreadable
        again = "Tries of changes that decided nothing: throttled, no leader"
        yield CounterMetricFamily("dynabus_rep_in_again", again, value=rep_in.driving.again)
        passed = "Changes for a table that was here before, in batches that are not acknowledged"
        yield CounterMetricFamily("dynabus_rep_in_passed", passed, value=rep_in.driving.passed)
        told = "Words of other regions about what they wrote before, told to all leaders of their tables"
        yield CounterMetricFamily("dynabus_rep_in_words", told, value=rep_in.words.told)
        failed = "Acknowledgements and parked changes that were sent again"
        yield CounterMetricFamily("dynabus_rep_in_deliveries_failed", failed, value=rep_in.telling.failed)
        yield GaugeMetricFamily("dynabus_rep_in_alarms", "What somebody should look at", len(rep_in.alarms()))
