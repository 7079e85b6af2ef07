"""The cluster as the planner sees it: nodes and groups, from heartbeats and the admin log.

A node's silence counts only while others are heard. When Kafka stands still nobody is heard, and when it is back some
speak up a moment before the others; those others have not been silent, they had no chance to speak.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.placement import moves, nodes
from dynabus.auto_admin.placement.nodes import NodeState
from dynabus.auto_admin.placement.replanner import Group, Machine, Policy
from dynabus.auto_admin.splitting.splits import ACTIVE, state_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import NODE_SILENT_MS, ClusterView
from dynabus.core.replication.store import Reader

CLOSE_RECORDS = 256
"""A member this close to the log's end may be made its leader."""


class Inventory:
    """Fed with heartbeats by way of the view."""

    def __init__(self, view: ClusterView, store: Reader) -> None:
        self._view, self._store = view, store
        self._heard_ms = float("-inf")
        self._hearing_since_ms = 0.0

    def heard(self, now_ms: float) -> None:
        """A storage node's heartbeat came."""
        if now_ms - self._heard_ms > NODE_SILENT_MS:
            self._hearing_since_ms = now_ms
        self._heard_ms = now_ms

    def rows(self) -> dict[str, NodeState]:
        """Nodes by name, as decided."""
        return nodes.known_nodes(self._store)

    def unregistered(self) -> list[tuple[str, str]]:
        """(name, zone) of nodes that are heard and have no row."""
        rows = self.rows()
        return [(node.name, node.zone) for node in self._view.nodes.values() if node.name not in rows]

    def machines(self, now_ms: float) -> list[Machine]:
        """All nodes that were not removed."""
        return [self._machine(row, now_ms) for row in self.rows().values() if row.state != nodes.REMOVED]

    def _machine(self, row: NodeState, now_ms: float) -> Machine:
        node = self._view.nodes.get(row.name)
        barred = ""
        if node is not None and node.zone != row.zone:
            barred = f"it says that it is in zone {node.zone} now, and was in zone {row.zone}: give it its zone back"
        alive, draining = self._view.alive(row.name, now_ms), row.state == nodes.DRAINING
        silent_ms = 0.0 if alive else self._silent_ms(row.name, now_ms)
        return Machine(row.name, row.zone, alive, silent_ms, draining, barred)

    def _silent_ms(self, name: str, now_ms: float) -> float:
        """Nothing while nobody is heard at all."""
        if now_ms - self._heard_ms > NODE_SILENT_MS:
            return 0.0
        node = self._view.nodes.get(name)
        return now_ms - max(self._hearing_since_ms, node.heard_ms if node is not None else 0.0)

    def groups(self, states: Mapping[str, TableState]) -> list[Group]:
        """The replication groups of all tables."""
        return [self._group(state, each) for state in states.values() for each in state.partitions]

    def _group(self, state: TableState, partition: Mapping[str, object]) -> Group:
        number, members = int(str(partition["number"])), moves.target(partition)
        led = self._view.leader(state.id, number)
        return Group(
            state.name,
            number,
            moves.plan_of(partition),
            tuple(members),
            str(partition["preferred"]),
            None if led is None else led[1],
            "move" in partition and "frozen" not in partition,  # that one rests until an operator recovers it
            state.status not in moves.MOVABLE or state_of(partition) != ACTIVE or "frozen" in partition,
            frozenset(node for node in members if self._is_able(node, state.id, number)),
        )

    def _is_able(self, node: str, log: str, number: int) -> bool:
        said = self._view.said(node, log, number)
        return said is not None and said["state"] == "active" and 0 <= said["lag"] <= CLOSE_RECORDS


def policy_of(settings: AutoAdminSettings) -> Policy:
    """The planner's, from settings."""
    return Policy(settings.replicas, settings.repair_after_ms, settings.moves_most, settings.double_up)
