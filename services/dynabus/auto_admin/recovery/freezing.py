"""Which partitions are frozen, and which recoveries have restored all, by what heartbeats say.

| a replica of the partition's generation says | then the partition                                              |
|----------------------------------------------|-----------------------------------------------------------------|
| frozen                                       | is frozen by a decision, for those too that are away now        |
| doubtful, and nothing else for `PATIENCE_MS` | the same: it may have died meanwhile, with the only copy        |

The replicas stop by themselves, by heartbeats and by the fence in the log; the decision keeps it so, lets routers
answer at once, and keeps moves, splits and repairs away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dynabus.adapters.logs import logger
from dynabus.auto_admin.recovery import decisions as recoveries
from dynabus.auto_admin.splitting.splits import ACTIVE, SPLITTING, state_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.replication.restoration import RESTORED_PLAN
from dynabus.core.replication.store import Evaluate

LOOK_MS = 1500.0
"""Between two looks at all partitions: as often as heartbeats come."""

PATIENCE_MS = 30_000.0
"""Three times what a replica takes to be sure, and far more than a new Kafka leader takes to learn its own end."""


class Loss(NamedTuple):
    """To be decided: this partition is frozen."""

    state: TableState
    number: int
    evaluate: Evaluate


class Freezing:
    """Looks at all partitions, and remembers since when a replica doubts."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._doubts: dict[tuple[str, int, str], float] = {}
        self._due_ms = 0.0

    def forget(self) -> None:
        """Another term."""
        self._doubts.clear()

    def due(self, states: Mapping[str, TableState], now_ms: float) -> Iterator[Loss]:
        """What is to be decided now; again until it is."""
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + LOOK_MS
        for state in states.values():
            for partition in state.partitions:
                if state_of(partition) in (ACTIVE, SPLITTING) and not recoveries.is_frozen(partition):
                    yield from self._of_partition(state, partition, now_ms)

    def _of_partition(self, state: TableState, partition: Mapping[str, Any], now_ms: float) -> Iterator[Loss]:
        number = partition["number"]
        for node in self._view.nodes:
            said = self._view.said(node, state.id, number)
            key = (state.id, number, node)
            if said is None or said["generation"] != partition["generation"] or said["state"] == "opening":
                continue
            if said["state"] == "doubtful":
                lost = now_ms - self._doubts.setdefault(key, now_ms) >= PATIENCE_MS
            else:
                self._doubts.pop(key, None)
                lost = said["state"] == "frozen"
            if lost:
                logger().error("frozen", table=state.name, partition=number, node=node, reason=said["alarm"])
                yield Loss(state, number, recoveries.freeze(state.id, number, node, said["alarm"]))
                return

    def restored(self, state: TableState) -> int | None:
        """The number of a successor that holds all."""
        for successor in recoveries.recovering(state):
            number = successor["number"]
            said = self._view.said(successor["members"][0], state.id, number)
            if said is not None and said["plan"] >= RESTORED_PLAN and said["leading"]:
                return int(number)
        return None
