"""Which replicas need a tick by time alone, among a thousand of which next to none does.

Ten times a second is how exact elections are; to ask a thousand replicas so often costs a percent of a core. So those
that will be due within two seconds are gathered every two seconds, and only they are asked. A tick may set an earlier
time, and who was ticked is looked at again; anything else that does so without a tick is noticed two seconds late.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynabus.storage_node.replicas.hosted import Hosted

LOOK_MS = 100.0
"""Between two looks at who is due: how exact elections are."""

GATHER_MS = 2000.0

SWEEP_MS = 10_000.0
"""Between two ticks of a replica of which nothing is heard or due: what may wait for seconds happens then."""


class DueReplicas:
    """Of one node."""

    def __init__(self) -> None:
        self._soon: dict[Hosted, None] = {}
        self._gather_due_ms = self._sweep_due_ms = 0.0

    def take(self, replicas: Mapping[tuple[str, int], Hosted], now_ms: float) -> list[Hosted]:
        """Those of the node's replicas that need a tick now."""
        if now_ms >= self._gather_due_ms:
            self._gather_due_ms = until_ms = now_ms + GATHER_MS
            self._soon = {hosted: None for hosted in replicas.values() if hosted.replica.due_ms <= until_ms}
        if now_ms >= self._sweep_due_ms:
            self._sweep_due_ms = now_ms + SWEEP_MS
            return [*replicas.values()]
        due = [hosted for hosted in self._soon if hosted.replica.due_ms <= now_ms]
        return [hosted for hosted in due if replicas.get(hosted.log) is hosted]

    def ticked(self, hosted: Hosted) -> None:
        """It may be due at another time now."""
        if hosted.replica.due_ms <= self._gather_due_ms:
            self._soon[hosted] = None
