"""What this node has on disk for certain, told to auto-admin, which prunes no log further (I8)."""

from __future__ import annotations

from collections.abc import Iterable

from dynabus.core.ids import PartitionId, Writer
from dynabus.core.pruning import NOTHING, Durable, DurablePlace, DurablePlaces
from dynabus.storage_node.replicas.hosted import Hosted

SAY_MS = 3000.0
"""Between two statements. Pruning a little later costs nothing."""

ALL_MS = 60_000.0
"""All again, changed or not: a new auto-admin knows nothing and prunes nothing until it has heard."""


class DurableStatements:
    """Composes what is new since the last one."""

    def __init__(self, me: Writer) -> None:
        self._me = me
        self._said: dict[PartitionId, Durable] = {}
        self._due_ms = self._all_due_ms = 0.0

    def due(self, replicas: Iterable[Hosted], now_ms: float) -> DurablePlaces | None:
        """What is to be sent now."""
        if now_ms < self._due_ms:
            return None
        self._due_ms = now_ms + SAY_MS
        if now_ms >= self._all_due_ms:
            self._all_due_ms = now_ms + ALL_MS
            self._said.clear()
        durable = {hosted.partition: hosted.durable for hosted in replicas if not hosted.failed}
        new = {where: at for where, at in durable.items() if at != NOTHING and self._said.get(where) != at}
        if not new:
            return None
        self._said.update(new)
        places: list[DurablePlace] = [
            {"log": log, "partition": number, "offset": at.offset, "plan": at.plan}
            for (log, number), at in new.items()
        ]
        return {"node": self._me.node, "incarnation": self._me.incarnation, "places": places}
