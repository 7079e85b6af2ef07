"""Who is waited for: streams that begin or end when log propagators have, and are written only while one runs.

What is said in the log once, and in `dynabus status` while it lasts (`lines`):

| what                        | when                                                  |
|-----------------------------|-------------------------------------------------------|
| stream ENABLING, DISABLING  | propagators have not done their part in some log      |
| stream ENABLED              | no propagator was in the group for a while            |

For a while: one that runs joins the group when the first table has a stream, and sits out a rebalance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import StepFailed, Steps
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.streams.view import ENABLED

COUNT_MS = 5000.0
"""Between two questions for the group's members, while there are streams."""

COMPLAIN_MS = 10_000.0
"""To the log; a group's rebalance, a look for a place and a commit take seconds, and so does a restart. So long the
group must be empty before it is said that no propagator runs, too."""


class Wait(NamedTuple):
    """A stream, and the partitions in which propagators have yet to begin or to end it."""

    table_id: str
    table: str
    label: str
    status: str
    partitions: tuple[int, ...]


class Waiting:
    """`lines` may be read by another thread."""

    def __init__(self, steps: Steps) -> None:
        self.lines: list[dict[str, Any]] = []
        """For `status`."""
        self.propagators: int | None = None
        """In their group; None: not known, or none for too short a time."""
        self._steps = steps
        self._job: Future[int] | None = None
        self._count_ms = 0.0
        self._empty_since_ms: float | None = None
        self._since_ms: dict[tuple[str, str, str], float] = {}
        self._told: set[tuple[str, str, str]] = set()

    def step(self, waits: Sequence[Wait], followed: Sequence[TableState], now_ms: float) -> None:
        """`followed`: tables with streams that are written, or shall be."""
        self._count(bool(followed), now_ms)
        known = {(each.table_id, each.label) for each in waits}
        found = [*waits, *(each for each in self._unwritten(followed) if (each.table_id, each.label) not in known)]
        keys = [(each.table_id, each.label, each.status) for each in found]
        self._since_ms = {key: self._since_ms.get(key, now_ms) for key in keys}
        self._told &= set(keys)
        lines = [self._line(wait, now_ms - self._since_ms[key]) for wait, key in zip(found, keys, strict=True)]
        for key, line in zip(keys, lines, strict=True):
            self._complain(key, line, now_ms)
        self.lines = lines

    def _count(self, matters: bool, now_ms: float) -> None:
        if self._job is not None and self._job.done():
            try:
                self._counted(self._job.result(), now_ms)
            except StepFailed:
                # librdkafka's mock cannot tell.
                self._counted(None, now_ms)
            self._job = None
        if matters and self._job is None and now_ms >= self._count_ms:
            self._count_ms = now_ms + COUNT_MS
            self._job = self._steps.propagators()

    def _counted(self, count: int | None, now_ms: float) -> None:
        if count != 0:
            self.propagators, self._empty_since_ms = count, None
            return
        if self._empty_since_ms is None:
            self.propagators, self._empty_since_ms = None, now_ms
        if now_ms - self._empty_since_ms >= COMPLAIN_MS:
            self.propagators = 0

    def _unwritten(self, followed: Iterable[TableState]) -> list[Wait]:
        """Streams that nobody writes; what they lack the logs keep."""
        if self.propagators != 0:
            return []
        return [
            Wait(state.id, state.name, each["label"], each["status"], ())
            for state in followed
            for each in state.streams
            if each["status"] == ENABLED
        ]

    def _line(self, wait: Wait, for_ms: float) -> dict[str, Any]:
        return {
            "table": wait.table,
            "label": wait.label,
            "status": wait.status,
            "partitions": list(wait.partitions),
            "propagators": self.propagators,
            "for_s": int(for_ms / 1000),
        }

    def _complain(self, key: tuple[str, str, str], line: dict[str, Any], now_ms: float) -> None:
        if key not in self._told and now_ms - self._since_ms[key] >= COMPLAIN_MS:
            self._told.add(key)
            logger().warning("a stream waits for log propagators: does one run, has status an alarm?", **line)
