"""What tables consume, minute by minute, from what nodes tell. Pure; time is passed in.

Kept for every table that is used, whether it is scaled or not: whoever sets a target finds the last minutes. A minute
in which nothing was told is one in which nothing was consumed, from the moment on at which this process began to
listen.

What writes cost an index is told by leaders of its table, at the time at which clients pay it; what propagators write
to the index's own partitions may come much later, or not at all while none runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from dynabus.core.admission.messages import NodeHeat
from dynabus.core.global_indexes import is_index_log
from dynabus.core.target_tracking import IN_MINUTES

MINUTE_MS = 60_000.0
LATE_MS = 6000.0
"""Nodes tell every 5 s what they served before: then a minute is known."""

KEPT_MINUTES = IN_MINUTES + 2


class Consumption:
    """Half units of reads and of writes by table and minute."""

    def __init__(self, now_ms: float) -> None:
        self._first = int(now_ms // MINUTE_MS) + 1
        """The first minute that is heard as a whole."""
        self._minutes: dict[str, dict[int, list[int]]] = {}
        self._swept = 0

    def told(self, message: NodeHeat, now_ms: float) -> None:
        """All replicas count: eventually consistent reads are spread over them. It was consumed before it is told."""
        minute = int((now_ms - message["period_ms"] / 2) // MINUTE_MS)
        for each in message["partitions"]:
            reads, writes = each["units"][:2]
            self._add(each["log"], minute, reads, 0 if is_index_log(each["log"]) else writes)
            for charge in each["charges"]:
                self._add(charge["index"], minute, 0, charge["units"])
        if minute != self._swept:
            self._swept = minute
            self._sweep(minute)

    def _add(self, log: str, minute: int, reads: int, writes: int) -> None:
        sums = self._minutes.setdefault(log, {}).setdefault(minute, [0, 0])
        sums[0] += reads
        sums[1] += writes

    def _sweep(self, minute: int) -> None:
        for log, minutes in list(self._minutes.items()):
            for old in [each for each in minutes if each < minute - KEPT_MINUTES]:
                del minutes[old]
            if not minutes:
                del self._minutes[log]

    def last_minute(self, now_ms: float) -> int:
        """The newest one of which all is told."""
        return int((now_ms - LATE_MS) // MINUTE_MS) - 1

    def minutes(self, log: str, kind: int, now_ms: float) -> Sequence[float]:
        """Capacity units a second of the last minutes, the newest last. `kind`: reads 0, writes 1."""
        last = self.last_minute(now_ms)
        first = max(self._first, last - IN_MINUTES + 1)
        known = self._minutes.get(log, {})
        return [known.get(minute, (0, 0))[kind] / 2 / 60 for minute in range(first, last + 1)]
