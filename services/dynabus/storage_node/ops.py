"""What the node says over HTTP: health, readiness, metrics, status. Called in the ops server's threads.

The loop's objects are read, never changed, and only whole values that the loop replaces in one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dynabus.adapters.clock import monotonic_ms
from dynabus.adapters.ops_server import Checks
from dynabus.storage_node.service import StorageNode
from dynabus.storage_node.start import Start

STUCK_MS = 10_000
"""A turn takes at most tenths of a second; a loop that has not ended one for so long does not work."""


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
        return Checks(self.health, self.readiness, self.status, registry)

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
        if not node.heard_itself:
            return "waiting for the own heartbeat"
        opening = sum(state == "opening" for state in node.states())
        return f"{opening} replicas are catching up" if opening else None

    def status(self) -> Mapping[str, Any]:
        """The cluster as this node sees it."""
        return {"tables": []}

    def collect(self) -> Iterator[Metric]:
        """Prometheus metrics; labels are bounded by the replicas of this node."""
        node = self._node
        if node is None:
            return
        for name, text, value in node.counts():
            yield CounterMetricFamily(f"dynabus_node_{name}", text, value)
        lag = GaugeMetricFamily(
            "dynabus_replica_lag", "Records between the place and the log's end", labels=("log", "partition")
        )
        term = GaugeMetricFamily("dynabus_replica_term", "Current term", labels=("log", "partition"))
        leads = GaugeMetricFamily("dynabus_replica_leads", "1 while this node leads", labels=("log", "partition"))
        for (log, partition), replica in node.replicas():
            labels = (log, str(partition))
            lag.add_metric(labels, replica.lag)
            term.add_metric(labels, replica.place.reign.term)
            leads.add_metric(labels, float(replica.leader is not None))
        yield from (lag, term, leads)
