"""Replicas that hold different rows at one offset: the alarm, and what is done about it.

Each node that hears itself in a difference scrubs that replica at once, and repairs what it finds. If the difference
is still heard after `SCRUBBED_MS`, the rows are what their replica thinks they should be, so a checksum or what was
applied is wrong somewhere. No majority decides that: those that differ are built anew from the log, one at a time.

| the next one to be rebuilt                               | why                                                  |
|----------------------------------------------------------|------------------------------------------------------|
| differs, was not rebuilt for this difference             | who was is what the log says, by definition          |
| leads: last                                              | it would have to resign                              |
| among the others: of the smallest side first             | most likely the wrong one: time is saved, not truth  |

Only while all other members of its group are active, so that two are left at three. It is repeated by whoever is
active: an order that comes twice rebuilds twice, which costs time only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.orders import Tell, order
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.agreement import Difference
from dynabus.core.cluster_view import ClusterView

LOOK_MS = 2000.0
"""Between two looks; heartbeats come every 1.5 s."""

SCRUBBED_MS = 120_000.0
"""Since it was first heard: scrubs of small replicas are long over, and those of large ones have found most."""

ORDER_MS = 120_000.0
"""Between two orders for one partition: a rebuild that is not heard of by then was not begun."""

Where = tuple[str, int]


@dataclass(slots=True)
class _Case:
    since_ms: float
    ordered_ms: float = float("-inf")
    rebuilt: set[str] = field(default_factory=set)


class Differences:
    """Of all partitions."""

    def __init__(self, view: ClusterView, tell: Tell) -> None:
        self._view, self._tell = view, tell
        self._cases: dict[Where, _Case] = {}
        self._due_ms = 0.0

    def step(self, states: Mapping[str, TableState], now_ms: float) -> None:
        """Look, tell, order."""
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + LOOK_MS
        found = {(each.log, each.partition): each for each in self._view.agreement.differences()}
        for where in [where for where in self._cases if where not in found]:
            del self._cases[where]
            logger().info("replicas agree again", partition=f"{where[0]}/{where[1]}")
        for where, difference in found.items():
            case = self._cases.get(where)
            if case is None:
                case = self._cases[where] = _Case(now_ms)
                logger().error("replicas differ", partition=f"{where[0]}/{where[1]}", reason=str(difference))
            state = states.get(where[0])
            if state is not None and now_ms >= max(case.since_ms + SCRUBBED_MS, case.ordered_ms + ORDER_MS):
                self._order(state, difference, case, now_ms)

    def _order(self, state: TableState, difference: Difference, case: _Case, now_ms: float) -> None:
        partition = next((each for each in state.partitions if each["number"] == difference.partition), None)
        node = None if partition is None else self._next(partition, difference, case, now_ms)
        if node is None:
            return
        case.ordered_ms = now_ms
        case.rebuilt.add(node)
        logger().warning("order to rebuild", table=state.name, partition=difference.partition, node=node)
        self._tell(node, order("rebuild", difference.log, difference.partition, difference.generation))

    def _next(self, partition: Mapping[str, Any], difference: Difference, case: _Case, now_ms: float) -> str | None:
        """Whose turn it is; None while somebody of the group is missing, or nobody is left."""
        log, number, sums = difference.log, difference.partition, list(difference.sums.values())
        if not all(self._view.serves(member, log, number, now_ms) for member in partition["members"]):
            return None
        led = self._view.leader(log, number)
        left = [node for node in difference.sums if node not in case.rebuilt and node in partition["members"]]

        def turn(node: str) -> tuple[bool, int, str]:
            return led is not None and led[1] == node, sums.count(difference.sums[node]), node

        return min(left, key=turn, default=None)
