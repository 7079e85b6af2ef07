"""A move on its way: whether the joining node is ready, the orders to the leader, and what ends it.

| the joining replica                  | the log's plan, as any replica says | then                                  |
|--------------------------------------|-------------------------------------|---------------------------------------|
| any                                  | the row's                           | finish: the members are what they are |
| open, no member, close to the end    | older                               | order the leader to configure         |
| its node silent for `repair_after`   | older                               | undo; another node may be chosen      |
| failed or frozen                     | older                               | the same                              |
| anything else                        | older                               | wait: it replays                      |

The leader may be the one that is to leave: it hands over, and its successor gets the next order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin import moves
from dynabus.auto_admin.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.messages import Order, ReplicaState
from dynabus.core.replication.store import Evaluate

ORDER_MS = 500.0
"""Between two orders: the leader may have changed, or still defer."""

CLOSE_RECORDS = 256
"""As a replica's own idea of being caught up: the rest is read before its first claim would come back."""


class Moving:
    """Orders, and remembers when it did and since when a joining node is not heard."""

    def __init__(self, view: ClusterView, tell: Callable[[str, Order], None], patience_ms: float) -> None:
        self._view, self._tell, self._patience_ms = view, tell, patience_ms
        self._ordered_ms: dict[tuple[str, int], float] = {}
        self._missed_ms: dict[tuple[str, int], float] = {}

    def forget(self) -> None:
        """Another term: whoever is silent now is given its time again."""
        self._missed_ms.clear()

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
        place = (state.id, partition["number"])
        led = self._view.leader(*place)
        if led is None or now_ms < self._ordered_ms.get(place, float("-inf")) + ORDER_MS:
            return
        self._ordered_ms[place] = now_ms
        logger().info(f"order to {kind}", table=state.name, partition=place[1], node=led[1], nodes=nodes)
        plan, generation = moves.plan_of(partition), partition["generation"]
        order: Order = {
            "log": state.id,
            "partition": place[1],
            "generation": generation,
            "kind": kind,
            "children": [],
            "plan": plan,
            "members": nodes,
        }
        self._tell(led[1], order)

    # -- what heartbeats say ----------------------------------------------------------------------------------

    def _said(self, log: str, number: int, node: str) -> ReplicaState | None:
        known = self._view.nodes.get(node)
        return known.replicas.get((log, number)) if known is not None else None

    def _folded(self, log: str, number: int) -> int:
        """The newest plan that any replica has folded: readers agree, so one is enough."""
        said = [node.replicas.get((log, number)) for node in self._view.nodes.values()]
        return max((each["plan"] for each in said if each is not None), default=0)

    def _ready(self, log: str, number: int, node: str, now_ms: float) -> bool:
        said = self._said(log, number, node)
        close = said is not None and 0 <= said["lag"] <= CLOSE_RECORDS and said["state"] == "joining"
        return close and self._view.alive(node, now_ms)

    def _lost(self, state: TableState, partition: Mapping[str, Any], now_ms: float) -> str:
        """Why a joining node is not waited for any more; empty while it is."""
        place = (state.id, partition["number"])
        for node in moves.joining(partition):
            said = self._said(*place, node)
            if said is not None and said["state"] in ("failed", "frozen"):
                return f"{node} cannot replay it: {said['alarm']}"
            if self._view.alive(node, now_ms):
                self._missed_ms.pop(place, None)
            elif now_ms - self._missed_ms.setdefault(place, now_ms) >= self._patience_ms:
                return f"{node} is not heard any more"
        return ""
