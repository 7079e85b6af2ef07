"""What a router tells of admission: throttled requests, and its shares of tables' throughput, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dynabus.adapters.admission_metrics import KINDS, throttled_requests
from dynabus.core.admission.admission import Admission


def families(admission: Admission) -> Iterator[Metric]:
    """Labels are bounded by tables that were used. Units are capacity units. Called in any thread."""
    yield throttled_requests("dynabus_throttled_requests", "table's throughput", admission.throttled)
    labels = ("table", "kind")
    consumed = CounterMetricFamily("dynabus_consumed_units", "Capacity units used through this router", labels=labels)
    capacity = GaugeMetricFamily("dynabus_table_units", "Capacity units of the table, a second", labels=labels)
    share = GaugeMetricFamily("dynabus_share_units", "This router's part of them, a second", labels=labels)
    left = GaugeMetricFamily("dynabus_lease_units", "Capacity units left of this router's lease", labels=labels)
    for shares in list(admission.tables.values()):
        for kind, each in zip(KINDS, shares.shares, strict=True):
            of = (shares.table.name, kind)
            consumed.add_metric(of, each.spent / 2)
            capacity.add_metric(of, each.capacity / 2)
            share.add_metric(of, each.rate / 2)
            left.add_metric(of, each.left / 2)
    yield from (consumed, capacity, share, left)
