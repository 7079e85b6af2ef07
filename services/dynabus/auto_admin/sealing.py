"""When a partition that is being split may be sealed, and the order to do it.

Every living member must be ready, and those that are must be a majority: then nobody's disk is waited for once the
partition has stopped, and a member that is dead, or whose heir failed, holds nothing up (it replays later).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin import splits
from dynabus.auto_admin.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.messages import Order

ORDER_MS = 500.0
"""Between two orders: the leader may still defer, or have changed."""

READY = frozenset({"heir", "opening", "active"})
"""States of a child's replica in which its member is ready: the last two say that it has gone over already."""


class Sealing:
    """Orders, and remembers when it did."""

    def __init__(self, view: ClusterView, tell: Callable[[str, Order], None]) -> None:
        self._view, self._tell = view, tell
        self._ordered_ms: dict[tuple[str, int], float] = {}

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
        replicas = self._view.nodes[node].replicas
        states = {
            replicas[state.id, number]["state"] if (state.id, number) in replicas else "" for number in children
        }
        if "failed" in states:
            return "failed"
        return "ready" if states <= READY else "waiting"

    def order(self, state: TableState, parent: Mapping[str, Any], now_ms: float) -> None:
        """To the leader, again and again until the children are heard."""
        place = (state.id, parent["number"])
        led = self._view.leader(*place)
        if led is None or now_ms < self._ordered_ms.get(place, float("-inf")) + ORDER_MS:
            return
        self._ordered_ms[place] = now_ms
        logger().info("order to seal", table=state.name, partition=parent["number"], node=led[1])
        children = [splits.ordered(heir) for heir in splits.heirs_of(state, parent)]
        generation = parent["generation"]
        log, number = place
        self._tell(
            led[1],
            {
                "log": log,
                "partition": number,
                "generation": generation,
                "kind": "seal",
                "children": children,
                "plan": 0,
                "members": [],
            },
        )
