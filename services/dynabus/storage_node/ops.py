"""What the node says over HTTP: health, readiness, metrics, status. Called in the ops server's threads.

The loop's objects are read, never changed, and only whole values that the loop replaces in one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dynabus.adapters.clock import monotonic_ms
from dynabus.adapters.ops_server import Checks
from dynabus.core.admission.throttled import Throttled
from dynabus.core.cluster_status import tables_status
from dynabus.storage_node.capacity.metrics import families
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.service import StorageNode
from dynabus.storage_node.start import Start

STUCK_MS = 10_000
"""A turn takes at most tenths of a second; a loop that has not ended one for so long does not work."""

STATUS_TIMEOUT_S = 1.0
"""An idle loop turns ten times a second."""


class Ops:
    """Answers for a node that is being built, and then for the node."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._node: StorageNode | None = None

    def begin(self, node: StorageNode) -> None:
        """The node is built."""
        self._node = node
        if self._start.stopped:
            node.stop()

    def stop(self) -> None:
        """Asked to end, by a signal."""
        self._start.stop()
        if self._node is not None:
            self._node.stop()

    def checks(self) -> Checks:
        """For the ops server."""
        registry = CollectorRegistry()
        registry.register(self)
        return Checks(self.health, self.readiness, self.status, registry, self.throttled)

    def health(self) -> str | None:
        """None while the loop turns."""
        node = self._node
        if node is None:
            return None
        silent_ms = monotonic_ms() - node.turn_ended_ms
        return f"the loop has not turned for {silent_ms / 1000:.0f} s" if silent_ms > STUCK_MS else None

    def readiness(self) -> str | None:
        """None once the node hears itself and its replicas are open and caught up (or need a person)."""
        node = self._node
        if node is None:
            return self._start.stage
        if node.stopping:
            return "stopping"
        if not node.intake.heard_itself:
            return "waiting for the own heartbeat"
        states = [hosted.state for hosted in _hosted(node)] + [each["state"] for each in node.hosting.unopened()]
        opening = states.count("opening")
        return f"{opening} replicas are catching up" if opening else None

    def status(self) -> Mapping[str, Any]:
        """The cluster as this node sees it; no tables while it is being built or its loop does not turn.

        `late`: for how many seconds items of which tables are over that it has not deleted yet. `index_lags`: how far
        indexes are behind the logs that it leads.
        """
        node = self._node
        if node is None:
            return {"tables": [], "late": [], "index_lags": []}
        lags = [asdict(lag) for lag in node.admission.lags.shown]
        late = [{"log": log, "late_s": late_s} for log, late_s in node.sweeps.backlogs_s.items()]
        told: SimpleQueue[list[dict[str, Any]]] = SimpleQueue()
        node.run_in_loop(lambda: told.put(tables_status(node.intake.view)))
        try:
            tables = told.get(timeout=STATUS_TIMEOUT_S)
        except Empty:
            tables = []
        return {"tables": tables, "late": late, "index_lags": lags}

    def throttled(self) -> Mapping[str, Any]:
        """What this node's partitions refused for their caps, or would have."""
        return (Throttled() if self._node is None else self._node.admission.throttled).shown()

    def collect(self) -> Iterator[Metric]:
        """Prometheus metrics; labels are bounded by the replicas of this node."""
        node = self._node
        if node is None:
            return
        replicas = [(hosted.partition, hosted.replica) for hosted in _hosted(node)]
        for name, text, value in _counts(node, _hosted(node)):
            yield CounterMetricFamily(f"dynabus_node_{name}", text, value)
        preparing = sum(state["state"] in ("preparing", "heir") for state in node.hosting.unopened())
        yield GaugeMetricFamily("dynabus_node_heirs", "Heirs of partitions that are being split", preparing)
        yield GaugeMetricFamily(
            "dynabus_node_time_to_live_backlog_seconds",
            "For how long the first item is over that is still there, of partitions that it leads",
            max(node.sweeps.backlogs_s.values(), default=0),
        )
        unread = "Replicas whose rows are still read for items that expire"
        yield GaugeMetricFamily("dynabus_node_time_to_live_unread", unread, node.sweeps.unread)
        labels = ("log", "partition")
        lag = GaugeMetricFamily("dynabus_replica_lag", "Records between the place and the log's end", labels=labels)
        term = GaugeMetricFamily("dynabus_replica_term", "Current term", labels=labels)
        leads = GaugeMetricFamily("dynabus_replica_leads", "1 while this node leads", labels=labels)
        alarm = GaugeMetricFamily("dynabus_replica_alarm", "1 while it is frozen or failed", labels=labels)
        for (log, partition), replica in replicas:
            of = (log, str(partition))
            lag.add_metric(of, replica.lag)
            term.add_metric(of, replica.place.reign.term)
            leads.add_metric(of, float(replica.leader is not None))
            alarm.add_metric(of, float(replica.alarm is not None))
        yield from (lag, term, leads, alarm)
        yield from families(node.admission, _hosted(node))
        yield _scrub_ages(_hosted(node))
        yield from _tombstones(node)


def _hosted(node: StorageNode) -> list[Hosted]:
    """A copy made in one step: the loop goes on changing the original."""
    return list(node.hosting.hosted.values())


def _scrub_ages(replicas: list[Hosted]) -> Metric:
    """Of replicas that this process has scrubbed or opened."""
    ages = GaugeMetricFamily(
        "dynabus_replica_scrub_age_seconds",
        "Since it was last read as a whole, or since it was opened if it was not yet",
        labels=("log", "partition"),
    )
    now_ms = monotonic_ms()
    for hosted in replicas:
        since_ms = hosted.opened_ms if hosted.scrubbed_ms is None else hosted.scrubbed_ms
        ages.add_metric((hosted.partition.log, str(hosted.partition.number)), (now_ms - since_ms) / 1000)
    return ages


def _tombstones(node: StorageNode) -> Iterator[Metric]:
    """Of global tables."""
    forgettings = node.admission.regions.forgettings
    kept = GaugeMetricFamily(
        "dynabus_global_table_tombstones",
        "Deletions that the last walks through what this node leads have left, as they may be needed",
        labels=("log",),
    )
    for log, count in forgettings.kept(_hosted(node)).items():
        kept.add_metric((log,), count)
    removed = CounterMetricFamily(
        "dynabus_global_table_tombstones_removed",
        "Deletions that were forgotten, since all regions have them",
        labels=("log",),
    )
    for log, count in [*forgettings.removed.items()]:
        removed.add_metric((log,), count)
    yield from (kept, removed)


def _counts(node: StorageNode, replicas: list[Hosted]) -> list[tuple[str, str, int]]:
    intake, outbox = node.intake, node.outbox
    voids = sum(hosted.replica.voids for hosted in replicas)
    read = sum(hosted.read for hosted in replicas)
    return [
        ("turns", "Turns of the loop", node.turns),
        ("messages", "Messages read, of all kinds; by turns: the mean size of a batch", node.messages),
        ("requests", "Parts of requests", intake.inbox.requests),
        ("expired", "Parts of requests whose budget had run out", intake.inbox.expired),
        ("strays", "Parts of requests for partitions that are not here", intake.inbox.strays),
        ("accepted_records", "Log records that count, of the replicas that are open", read - voids),
        ("void_records", "Log records that do not count, of the replicas that are open", voids),
        ("undecodable", "Messages outside of replication logs that were skipped", intake.mistakes.undecodable),
        ("consumer_errors", "Errors about a topic partition", intake.mistakes.errors),
        ("commits", "LMDB commits", node.commits),
        ("sent", "Replies, heartbeats and other messages sent", outbox.producer.sent),
        ("dropped", "The same, given up", outbox.producer.dropped),
        ("producer_replacements", "Times that the log producer failed", node.replacements),
        ("scrubbed_pairs", "Rows, index entries and request ids that scrubs read", node.scrubs.pairs),
        ("scrubbed_bytes", "Bytes that scrubs read", node.scrubs.size),
        ("scrubs", "Replicas that were read as a whole", node.scrubs.passes),
        ("scrubs_with_damage", "Scrubs that found damage", node.scrubs.damage),
        ("time_to_live_deletions", "Deletions of items whose time to live was over", node.sweeps.deleted),
        ("tombstones_removed", "Tombstones of indexes that were not needed any more", node.clearing.removed),
        ("tombstone_rows", "Rows of indexes that were looked at for such tombstones", node.clearing.rows),
        ("repairs", "Damaged stores that were moved aside", node.hosting.repairs.done),
        ("checkpoints", "Synced copies of replicas", node.checkpoints.made),
        ("checkpoints_failed", "The same, given up", node.checkpoints.failed),
        ("clones", "Replicas that were cloned from other nodes", node.hosting.clones.done),
        ("clones_failed", "Clones that were given up", node.hosting.clones.failed),
        ("clone_bytes_received", "Bytes of clones that were received", node.hosting.clones.receiving.bytes_received),
        ("clone_bytes_sent", "Bytes of clones that were sent to other nodes", node.sending.bytes_sent),
        ("snapshots_given", "Snapshots that were opened for other nodes", node.sending.snapshots),
        ("message_producer_replacements", "Times that the other producer could not send", outbox.producer.replaced),
    ]
