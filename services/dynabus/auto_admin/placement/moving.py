"""A move on its way: whether the joining node is ready, the orders to the leader, and what ends it.

| the joining replica                  | the log's plan, as any replica says | then                                  |
|--------------------------------------|-------------------------------------|---------------------------------------|
| any                                  | the row's                           | finish: the members are what they are |
| open, no member, close to the end    | older                               | order the leader to configure         |
| its node silent for `repair_after`   | older                               | undo; another node may be chosen      |
| failed or frozen                     | older                               | undo; not this one for ten minutes    |
| anything else                        | older                               | wait: it replays                      |

The leader may be the one that is to leave: it hands over, and its successor gets the next order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.orders import LeaderOrders, Tell
from dynabus.auto_admin.placement import moves
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.replication.store import Evaluate

ORDER_MS = 500.0
"""Between two orders: the leader may have changed, or still defer."""

CLOSE_RECORDS = 256
"""As a replica's own idea of being caught up: the rest is read before its first claim would come back."""


REFUSED_MS = 600_000.0
"""Until a node that could not make a replica may be asked again: whoever has the fewest replicas would be at once."""


class Moving:
    """Orders, and remembers since when a joining node is not heard, and which could not make a replica."""

    def __init__(self, view: ClusterView, tell: Tell, patience_ms: float) -> None:
        self._view, self._patience_ms = view, patience_ms
        self._orders = LeaderOrders(view, tell, ORDER_MS)
        self._missed_ms: dict[tuple[str, int], float] = {}
        self._refused_ms: dict[tuple[str, int, str], float] = {}

    def forget(self) -> None:
        """Another term: whoever is silent now is given its time again."""
        self._missed_ms.clear()

    def refused(self, table: str, number: int, now_ms: float) -> frozenset[str]:
        """Nodes that could not make a replica of this partition a moment ago."""
        if self._refused_ms:
            self._refused_ms = {at: ms for at, ms in self._refused_ms.items() if now_ms < ms + REFUSED_MS}
        return frozenset(node for name, at, node in self._refused_ms if (name, at) == (table, number))

    def decision(self, state: TableState, now_ms: float) -> Evaluate | None:
        """What ends one of the table's moves now."""
        for partition in moves.moving(state):
            number, plan = partition["number"], moves.plan_of(partition)
            if self._folded(state.id, number) >= plan:
                self._missed_ms.pop((state.id, number), None)
                return moves.finish(state.id, number, plan)
            why = self._lost(state, partition, now_ms)
            if why:
                logger().warning("move undone", table=state.name, partition=number, reason=why)
                return moves.undo(state.id, number, plan, why)
        return None

    def order(self, state: TableState, now_ms: float) -> None:
        """To the leaders of all groups whose new members are ready, again and again until one has folded it."""
        for partition in moves.moving(state):
            ready = all(self._ready(state.id, partition["number"], node, now_ms) for node in moves.joining(partition))
            if ready and self._folded(state.id, partition["number"]) < moves.plan_of(partition):
                self.tell(state, partition, "configure", moves.target(partition), now_ms)

    def tell(
        self, state: TableState, partition: Mapping[str, Any], kind: str, nodes: list[str], now_ms: float
    ) -> None:
        """An order about members to a partition's leader, at most every half second."""
        plan, number = moves.plan_of(partition), partition["number"]
        node = self._orders.send(kind, state.id, partition, now_ms, plan=plan, members=nodes)
        if node is not None:
            logger().info(f"order to {kind}", table=state.name, partition=number, node=node, nodes=nodes)

    # -- what heartbeats say ----------------------------------------------------------------------------------

    def _folded(self, log: str, number: int) -> int:
        """The newest plan that any replica has folded: readers agree, so one is enough."""
        said = [self._view.said(node, log, number) for node in self._view.nodes]
        return max((each["plan"] for each in said if each is not None), default=0)

    def _ready(self, log: str, number: int, node: str, now_ms: float) -> bool:
        said = self._view.said(node, log, number)
        close = said is not None and 0 <= said["lag"] <= CLOSE_RECORDS and said["state"] == "joining"
        return close and self._view.alive(node, now_ms)

    def _lost(self, state: TableState, partition: Mapping[str, Any], now_ms: float) -> str:
        """Why a joining node is not waited for any more; empty while it is."""
        place = (state.id, partition["number"])
        for node in moves.joining(partition):
            said = self._view.said(node, *place)
            if said is not None and said["state"] in ("failed", "frozen", "stopped"):
                self._refused_ms[state.name, partition["number"], node] = now_ms
                return f"{node} cannot replay it: {said['alarm']}"
            if self._view.alive(node, now_ms):
                self._missed_ms.pop(place, None)
            elif now_ms - self._missed_ms.setdefault(place, now_ms) >= self._patience_ms:
                return f"{node} is not heard any more"
        return ""
