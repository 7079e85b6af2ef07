"""Metrics of a log propagator, in Prometheus' form."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dynabus.core.propagation.outputs import Stage
from dynabus.log_propagator.service import LogPropagator
from dynabus.log_propagator.status import indexes


class PropagatorMetrics(Collector):
    """Read when they are asked for, in the thread that asks."""

    def __init__(self, propagator: LogPropagator) -> None:
        self._propagator = propagator

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        propagator = self._propagator
        for name, text, value in (
            ("records", "Records of replication logs that were read", propagator.reader.records),
            ("outputs", "Stream records that were delivered, repeats too", propagator.sender.sent),
            ("commits", "Commits of checkpoints", propagator.commits),
            ("index_writes", "Writes that were sent to indexes, repeats too", propagator.deliveries.sent),
            ("index_sent_again", "Of those, what was sent once more", propagator.deliveries.repeated),
            ("index_needless", "Of those, what the index had already", propagator.deliveries.needless),
            ("index_throttled", "Of those, what an index's throughput refused", propagator.deliveries.throttled),
            ("index_failures", "Of those, what an index's leader could not do", propagator.deliveries.failed),
            ("table_records", "Records of table topics that were committed", propagator.topic_writer.sent),
            ("transactions", "Transactions of table topics", propagator.topic_writer.transactions),
            ("transactions_failed", "Those that were given up and repeated", propagator.topic_writer.replaced),
            ("failures", "Deliveries that failed and were repeated", propagator.sender.replaced),
        ):
            yield CounterMetricFamily(f"dynabus_propagator_{name}", text, value=value)
        yield from _amplification(propagator)
        conflicts = CounterMetricFamily(
            "dynabus_propagator_conflicts",
            "Writes of global tables that lost without having been known of, as told, repeats too",
            labels=["table"],
        )
        for table, count in [*propagator.sender.conflicts.items()]:
            conflicts.add_metric([table], count)
        yield conflicts
        held = sum(log.uncommitted for log in [*propagator.brain.logs.values()])
        yield GaugeMetricFamily("dynabus_propagator_table_held", "Changes that table topics have yet to get", held)
        logs = GaugeMetricFamily("dynabus_propagator_logs", "Logs that are this process's", labels=["state"])
        found = [log.follower.stage for log in [*propagator.brain.logs.values()]]
        for stage in Stage:
            logs.add_metric([stage.value], found.count(stage))
        yield logs


def _amplification(propagator: LogPropagator) -> Iterator[Metric]:
    """Write amplification by index (`core.propagation.amplification`)."""
    found = indexes(propagator)
    for name, text in (
        ("changes", "Changes of items of an index's table that were read"),
        ("records", "Log records of an index that they made"),
        ("unchanged", "Of those, what left the row as it was"),
        ("repeats", "Writes that an index knew already"),
    ):
        family = CounterMetricFamily(f"dynabus_propagator_index_{name}", text, labels=["table", "index"])
        for each in found:
            family.add_metric([each["table"], each["index"]], each[name])
        yield family
