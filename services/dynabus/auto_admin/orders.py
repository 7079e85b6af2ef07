"""Orders to partitions' leaders, given again and again until heartbeats show that they are done, but not too often.

A leader may have changed meanwhile, or still defer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dynabus.core.cluster_view import ClusterView
from dynabus.core.messages import Order, OrderedChild

Tell = Callable[[str, Order], None]
"""Send an order to a node."""


def order(
    kind: str,
    log: str,
    number: int,
    generation: int,
    *,
    children: Sequence[OrderedChild] = (),
    plan: int = 0,
    members: Sequence[str] = (),
) -> Order:
    """As it travels; what a kind does not need stays empty."""
    return {
        "log": log,
        "partition": number,
        "generation": generation,
        "kind": kind,
        "children": list(children),
        "plan": plan,
        "members": list(members),
    }


class LeaderOrders:
    """Orders of one sort, and when each partition's leader got the last one."""

    def __init__(self, view: ClusterView, tell: Tell, every_ms: float) -> None:
        self._view, self._tell, self._every_ms = view, tell, every_ms
        self._sent_ms: dict[tuple[str, int], float] = {}

    def send(self, kind: str, log: str, partition: Mapping[str, Any], now_ms: float, **more: Any) -> str | None:
        """Tell the leader of a row's partition. Its node; None where nobody leads, or one was sent just now."""
        place = (log, partition["number"])
        led = self._view.leader(*place)
        if led is None or now_ms < self._sent_ms.get(place, float("-inf")) + self._every_ms:
            return None
        self._sent_ms[place] = now_ms
        self._tell(led[1], order(kind, *place, partition["generation"], **more))
        return led[1]
