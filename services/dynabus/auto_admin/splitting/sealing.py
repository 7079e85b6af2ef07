"""When a partition that is being split may be sealed, and the order to do it.

Every living member must be ready, and those that are must be a majority: then nobody's disk is waited for once the
partition has stopped, and a member that is dead, or whose heir failed, holds nothing up (it replays later).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.orders import LeaderOrders, Tell
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView

ORDER_MS = 500.0
"""Between two orders: the leader may still defer, or have changed."""

READY = frozenset({"heir", "opening", "active"})
"""States of a child's replica in which its member is ready: the last two say that it has gone over already."""


class Sealing:
    """Looks at heartbeats, and orders."""

    def __init__(self, view: ClusterView, tell: Tell) -> None:
        self._view, self._orders = view, LeaderOrders(view, tell, ORDER_MS)

    def begun(self, state: TableState, parent: Mapping[str, Any]) -> bool:
        """All its children have leaders."""
        return all(self._view.leader(state.id, number) is not None for number in parent["children"])

    def ready(self, state: TableState, parent: Mapping[str, Any], now_ms: float) -> bool:
        """The parent may be sealed now."""
        said = [self._said(state, name, parent["children"], now_ms) for name in parent["members"]]
        ready = said.count("ready")
        return "waiting" not in said and 2 * ready > len(said)

    def _said(self, state: TableState, node: str, children: list[int], now_ms: float) -> str:
        """Of one member: dead, failed, waiting or ready."""
        if not self._view.alive(node, now_ms):
            return "dead"
        said = [self._view.said(node, state.id, number) for number in children]
        states = {"" if each is None else each["state"] for each in said}
        if "failed" in states:
            return "failed"
        return "ready" if states <= READY else "waiting"

    def order(self, state: TableState, parent: Mapping[str, Any], now_ms: float) -> None:
        """To the leader, again and again until the children are heard."""
        children = [splits.ordered(heir) for heir in splits.heirs_of(state, parent)]
        node = self._orders.send("seal", state.id, parent, now_ms, children=children)
        if node is not None:
            logger().info("order to seal", table=state.name, partition=parent["number"], node=node)
