"""What a node tells of admission: its partitions' caps, and the buckets of tables that it owns, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dynabus.adapters.admission_metrics import KINDS, throttled_requests
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.replicas.hosted import Hosted


def families(admission: NodeAdmission, replicas: Iterable[Hosted]) -> Iterator[Metric]:
    """Labels are bounded by the node's replicas and tables. Units are capacity units."""
    yield throttled_requests("dynabus_partition_throttled_requests", "partition's cap", admission.throttled)
    yield from _partitions(replicas)
    yield from _tables(admission)
    lag = GaugeMetricFamily(
        "dynabus_index_lag_seconds",
        "Age of the oldest write that an index does not have yet, of the logs that this node leads",
        labels=("table", "index"),
    )
    for each in admission.lags.shown:
        lag.add_metric((each.table, each.index), each.lag_s)
    yield lag
    imports = CounterMetricFamily(
        "dynabus_global_table_imports",
        "Writes of other regions of a global table, by what became of them",
        labels=("log", "outcome"),
    )
    for (log, outcome), count in [*admission.regions.decided.items()]:
        imports.add_metric((log, outcome), count)
    yield imports


def _partitions(replicas: Iterable[Hosted]) -> Iterator[Metric]:
    labels = ("log", "partition", "kind")
    served = CounterMetricFamily("dynabus_partition_units", "Capacity units that a replica served", labels=labels)
    cap = GaugeMetricFamily("dynabus_partition_cap_units", "Its cap, a second", labels=labels)
    level = GaugeMetricFamily(
        "dynabus_partition_level_units", "Units in its bucket at the last request", labels=labels
    )
    refused = CounterMetricFamily(
        "dynabus_partition_refused_units", "Capacity units that its cap refused, as estimated", labels=labels
    )
    watched = GaugeMetricFamily(
        "dynabus_partition_watched_keys", "Keys in the samples of a hot partition", labels=labels[:2]
    )
    for hosted in replicas:
        if hosted.meter is None:
            continue
        log, number = hosted.partition
        meter = hosted.meter.meter
        for kind, bucket, units in zip(KINDS, meter.buckets, list(meter.served), strict=True):
            of = (log, str(number), kind)
            served.add_metric(of, units / 2)
            cap.add_metric(of, bucket.rate / 2)
            level.add_metric(of, bucket.level / 2)
        for kind, units in zip(KINDS, list(meter.refused), strict=True):
            refused.add_metric((log, str(number), kind), units / 2)
        heat = meter.heat
        if heat is not None:
            watched.add_metric((log, str(number)), sum(len(sample.keys) for sample in heat.samples))
    yield from (served, cap, level, refused, watched)


def _tables(admission: NodeAdmission) -> Iterator[Metric]:
    labels = ("log", "kind")
    rate = GaugeMetricFamily("dynabus_bucket_rate_units", "Refill of a table's bucket, a second", labels=labels)
    depth = GaugeMetricFamily("dynabus_bucket_depth_units", "Units that it holds at most", labels=labels)
    level = GaugeMetricFamily("dynabus_bucket_level_units", "Units in it at the last lease", labels=labels)
    for log, owned in list(admission.owned.items()):
        for kind, pool in zip(KINDS, owned.authority.pools, strict=True):
            of = (log, kind)
            rate.add_metric(of, pool.bucket.rate / 2)
            depth.add_metric(of, pool.bucket.depth / 2)
            level.add_metric(of, pool.bucket.level / 2)
    yield from (rate, depth, level)
