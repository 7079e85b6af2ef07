"""Streams that begin, end and are over: what propagators have committed decides.

| stream    | is done when                                                                     | then             |
|-----------|----------------------------------------------------------------------------------|------------------|
| ENABLING  | the checkpoint of each partition names it                                        | FINISH: ENABLED  |
| DISABLING | no partition's checkpoint names it, each written by one that knew                | FINISH: DISABLED |
| DISABLED  | its retention is over                                                            | topic, row go    |

An heir that has no checkpoint yet takes over what its parent's says.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import Checkpoints, StepFailed, Steps
from dynabus.auto_admin.splitting.splits import HEIR, state_of
from dynabus.auto_admin.tables.decisions import TableState, drop_streams
from dynabus.core.replication.store import Evaluate
from dynabus.core.streams.view import DISABLED, DISABLING, ENABLING
from dynabus.core.tables.streams import are_changing

LOOK_MS = 200.0
"""Between two questions to Kafka while a stream begins or ends; it takes a second or two, mostly the group's."""

COMPLAIN_MS = 30_000.0
"""A group's rebalance, a look for a place and a commit take seconds."""

EXPIRE_MS = 60_000.0
"""Between two looks for what is over: retention is hours."""


class Streaming:
    """Asks what is committed while it matters; `done` answers from what was found last."""

    def __init__(self, steps: Steps, retention_ms: float) -> None:
        self._steps, self._retention_ms = steps, retention_ms
        self._found: Checkpoints = {}
        self._job: Future[Checkpoints] | None = None
        self._drops: dict[str, Future[None]] = {}
        self._due_ms = self._expire_ms = 0.0
        self._waits_since_ms: float | None = None

    def step(self, states: Mapping[str, TableState], now_ms: float) -> None:
        """Look, if a stream begins or ends and it is time."""
        if self._job is not None and self._job.done():
            try:
                self._found = self._job.result()
            except StepFailed as error:
                logger().warning("checkpoints not read, tried again", reason=str(error))
            self._job = None
        if self._job is None and now_ms >= self._due_ms:
            logs = [log for each in states.values() if are_changing(each.streams) for log in _logs(each)]
            if logs:
                self._due_ms = now_ms + LOOK_MS
                self._job = self._steps.checkpoints(logs)
            self._complain(bool(logs), now_ms)

    def _complain(self, waits: bool, now_ms: float) -> None:
        """Once, if propagators take long: perhaps there are none."""
        if not waits:
            self._waits_since_ms = None
        elif self._waits_since_ms is None:
            self._waits_since_ms = now_ms
        elif now_ms - self._waits_since_ms > COMPLAIN_MS:
            self._waits_since_ms = float("inf")
            logger().warning("streams wait for log propagators: is one running, and does status show an alarm?")

    def done(self, state: TableState, version: int) -> bool:
        """Nothing begins or ends any more in its logs. `version`: of the metadata that say what shall."""
        return all(
            _has(state, partition, self._found, each, version)
            for each in state.streams
            if each["status"] in (ENABLING, DISABLING)
            for partition in state.partitions
        )

    def expired(self, state: TableState, wall_ms: int) -> Evaluate | None:
        """What drops streams whose topics are gone; deleting those topics is begun here."""
        over = [
            each["label"]
            for each in state.streams
            if each["status"] == DISABLED and wall_ms - each["closed_ms"] > self._retention_ms
        ]
        job = self._drops.get(state.id)
        if not over:
            return None
        if job is None:
            logger().info("streams are over", table=state.name, labels=over)
            self._drops[state.id] = self._steps.drop_streams(state.name, over)
            return None
        if not job.done():
            return None
        del self._drops[state.id]
        return drop_streams(state.id, over) if job.exception() is None else None

    def looks_for_expired(self, now_ms: float) -> bool:
        """Once a minute, and at each turn while topics are being deleted."""
        if not self._drops and now_ms < self._expire_ms:
            return False
        self._expire_ms = now_ms + EXPIRE_MS
        return True


def _logs(state: TableState) -> set[tuple[str, int]]:
    """Whose checkpoints tell: its partitions', and those that heirs come from."""
    parents = [int(each["lineage"][-1]) for each in state.partitions if state_of(each) == HEIR]
    return {(state.id, number) for number in (*parents, *(int(each["number"]) for each in state.partitions))}


def _has(
    state: TableState, partition: Mapping[str, Any], found: Checkpoints, stream: Mapping[str, Any], version: int
) -> bool:
    stated = found.get((state.id, int(partition["number"])))
    if stated is None and state_of(partition) == HEIR:
        stated = found.get((state.id, int(partition["lineage"][-1])))
        return stated is not None and (stream["label"] in stated.open) == (stream["status"] == ENABLING)
    if stated is None:
        return False
    if stream["status"] == ENABLING:
        return stream["label"] in stated.open
    return stated.version >= version and stream["label"] not in stated.open
