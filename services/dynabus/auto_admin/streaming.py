"""Streams that begin, end and are over: what propagators have committed decides.

| stream    | is done when                                                                     | then             |
|-----------|----------------------------------------------------------------------------------|------------------|
| ENABLING  | the checkpoint of each partition names it (an index: and it is filled from it)   | FINISH: ENABLED  |
| DISABLING | no partition's checkpoint names it, each written by one that knew                | FINISH: DISABLED |
| DISABLED  | its retention is over                                                            | topic, row go    |

DISABLING are those of a table that is being deleted, too; DISABLED, they stay as others do (`tables.kept`). An
heir that has no checkpoint yet takes over what its parent's says.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import Checkpoints, StepFailed, Steps
from dynabus.auto_admin.splitting.splits import HEIR, state_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.auto_admin.waiting import Wait, Waiting
from dynabus.core.global_indexes.view import label_of
from dynabus.core.streams.view import DISABLED, DISABLING, ENABLING
from dynabus.core.table_topics.view import label_of as topic_label
from dynabus.core.tables.index_changes import are_changing as are_filling
from dynabus.core.tables.streams import are_changing, are_followed
from dynabus.core.tables.table_topics import is_changing

LOOK_MS = 200.0
"""Between two questions to Kafka while a stream begins or ends; it takes a second or two, mostly the group's."""

EXPIRE_MS = 60_000.0
"""Between two looks for what is over: retention is hours."""


class Drop(NamedTuple):
    """Topics that are being deleted, by the labels of their streams."""

    labels: list[str]
    job: Future[None]


class Streaming:
    """Asks what is committed while it matters; `done` answers from what was found last."""

    def __init__(self, steps: Steps, retention_ms: float) -> None:
        self._steps, self._retention_ms = steps, retention_ms
        self.waiting = Waiting(steps)
        self._found: Checkpoints = {}
        self._job: Future[Checkpoints] | None = None
        self._drops: dict[str, Drop] = {}
        self._due_ms = self._expire_ms = 0.0

    def step(self, states: Mapping[str, TableState], now_ms: float) -> None:
        """Look, if a stream begins or ends and it is time; and tell who is waited for."""
        if self._job is not None and self._job.done():
            try:
                self._found = self._job.result()
            except StepFailed as error:
                logger().warning("checkpoints not read, tried again", reason=str(error))
            self._job = None
        if self._job is not None or now_ms < self._due_ms:
            return
        self._due_ms = now_ms + LOOK_MS
        changing = [each for each in states.values() if _is_changing(each)]
        if changing:
            self._job = self._steps.checkpoints([log for each in changing for log in _logs(each)])
        waits = [wait for each in changing for wait in self._waits_of(each)]
        self.waiting.step(waits, [each for each in states.values() if _is_followed(each)], now_ms)

    def _waits_of(self, state: TableState) -> list[Wait]:
        """What propagators have yet to begin or to end, as the last look found it."""
        return [
            Wait(state.id, state.name, each["label"], each["status"], tuple(missing))
            for each in (*_derived(state), *_topics(state))
            if each["status"] in (ENABLING, DISABLING)
            and (missing := [int(p["number"]) for p in state.partitions if not _has(state, p, self._found, each, -1)])
        ]

    def done(self, state: TableState, version: int) -> bool:
        """No stream and no index begins or ends any more in its logs. `version`: of the metadata that say what
        shall."""
        return self._done(state, _derived(state), version)

    def topic_done(self, state: TableState, version: int) -> bool:
        """The same of its topic, for which the table does not wait."""
        return self._done(state, _topics(state), version)

    def _done(self, state: TableState, derived: list[dict[str, Any]], version: int) -> bool:
        return all(
            _has(state, partition, self._found, each, version)
            for each in derived
            if each["status"] in (ENABLING, DISABLING)
            for partition in state.partitions
        )

    def expired(self, state: TableState, wall_ms: int) -> list[str]:
        """Labels of streams whose topics are gone, to be dropped; deleting those topics is begun here."""
        over = [
            each["label"]
            for each in state.streams
            if each["status"] == DISABLED and wall_ms - each["closed_ms"] > self._retention_ms
        ]
        drop = self._drops.get(state.id)
        if not over:
            return []
        if drop is None:
            logger().info("streams are over", table=state.name, labels=over)
            self._drops[state.id] = Drop(over, self._steps.drop_streams(state.name, over))
            return []
        if not drop.job.done():
            return []
        del self._drops[state.id]
        return drop.labels if drop.job.exception() is None else []

    def looks_for_expired(self, now_ms: float) -> bool:
        """Once a minute, and at each turn while topics are being deleted."""
        if not self._drops and now_ms < self._expire_ms:
            return False
        self._expire_ms = now_ms + EXPIRE_MS
        return True


def _is_changing(state: TableState) -> bool:
    return are_changing(state.streams) or are_filling(state.indexes) or is_changing(state.table_topic)


def _is_followed(state: TableState) -> bool:
    return are_followed(state.streams) or bool(state.table_topic)


def _derived(state: TableState) -> list[dict[str, Any]]:
    """Its streams, and its indexes as if they were some: one is begun where it is filled, too."""
    return [*state.streams, *({**each, "label": label_of(each["id"])} for each in state.indexes)]


def _topics(state: TableState) -> list[dict[str, Any]]:
    """And its topic."""
    return [{**state.table_topic, "label": topic_label(state.table_topic["id"])}] if state.table_topic else []


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
        return stated is not None and (stream["label"] in stated.begun) == (stream["status"] == ENABLING)
    if stated is None:
        return False
    if stream["status"] == ENABLING:
        return stream["label"] in stated.begun
    return stated.version >= version and stream["label"] not in stated.open
