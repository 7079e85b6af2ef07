"""What a log propagator tells nodes with replicas of tables' logs: how far indexes are, and which of their partitions
are over their cap. Pure.

All members of a group are told, since each may lead next, what is news to them, and all of it now and then, since
they may have begun anew. A log that stopped, waits, or is nobody's is told of by nobody: its leader sees lag grow.
Of a child's log nothing is told before its parent's is acknowledged as a whole, since it is not read before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.messages import IndexPartitions, IndexProgress, LogProgress
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.outputs import Stage
from dynabus.core.propagation.owned_log import Log

TELL_MS = 250.0
"""A limit on lag is seconds, and a partition over its cap must not wait for long."""

AGAIN_MS = 1000.0
"""What is no news is told so often: a node that was restarted knows nothing."""

SUSTAINED_MS = 300.0
"""Refusals for so long are no burst: a partition's bucket holds a second of its cap, and writes wait here too."""

PAUSE_MS = 250.0
"""Without a refusal for so long a partition is well again; what it refused comes again after 50 ms."""


class OverCaps:
    """Partitions of indexes that refuse writes for their cap."""

    def __init__(self) -> None:
        self._refusals: dict[tuple[LogId, int], tuple[float, float]] = {}
        """Time of the first one without a pause since, and of the last one."""

    def refused(self, where: tuple[LogId, int], now_ms: float) -> None:
        """A leader said so."""
        first_ms, last_ms = self._refusals.get(where, (now_ms, now_ms))
        self._refusals[where] = (now_ms if now_ms - last_ms > PAUSE_MS else first_ms, now_ms)

    def partitions(self, now_ms: float) -> dict[LogId, list[int]]:
        """Those that have for some time, by index."""
        found: dict[LogId, list[int]] = {}
        for where, (first_ms, last_ms) in [*self._refusals.items()]:
            if now_ms - last_ms > PAUSE_MS:
                del self._refusals[where]
            elif last_ms - first_ms >= SUSTAINED_MS:
                found.setdefault(where[0], []).append(where[1])
        return found


class _Told(NamedTuple):
    nodes: Sequence[str]
    progress: LogProgress
    at_ms: float


class Telling:
    """Of one process, by its name."""

    def __init__(self, asker: str, view: ClusterView) -> None:
        self._asker, self._view = asker, view
        self._told: dict[PartitionId, _Told] = {}
        self._due_ms = 0.0
        self._was_over = False

    def due(self, logs: Mapping[PartitionId, Log], over: OverCaps, now_ms: float) -> dict[str, IndexProgress]:
        """What to tell which node now."""
        if now_ms < self._due_ms:
            return {}
        self._due_ms = now_ms + TELL_MS
        for gone in self._told.keys() - logs.keys():
            del self._told[gone]
        news: dict[str, list[LogProgress]] = {}
        members: dict[str, dict[int, list[str]]] = {}
        for partition, log in logs.items():
            progress = progress_of(partition, log)
            if progress is None:
                continue
            if partition.log not in members:
                members[partition.log] = self._members(partition.log)
            nodes, told = members[partition.log].get(partition.number, []), self._told.get(partition)
            if told is None or told[:2] != (nodes, progress) or now_ms - told.at_ms >= AGAIN_MS:
                self._told[partition] = _Told(nodes, progress, now_ms)
                for node in nodes:
                    news.setdefault(node, []).append(progress)
        partitions = over.partitions(now_ms)
        if partitions or self._was_over:
            for node in self._view.nodes:
                if self._view.alive(node, now_ms):
                    news.setdefault(node, [])
        self._was_over = bool(partitions)
        full: list[IndexPartitions] = [{"index": each, "partitions": numbers} for each, numbers in partitions.items()]
        return {node: {"asker": self._asker, "logs": told, "over": full} for node, told in news.items()}

    def _members(self, log: str) -> dict[int, list[str]]:
        """By partition of a table."""
        table = self._view.table(log)
        return {} if table is None else {each["number"]: each["members"] for each in table.partitions}


def progress_of(partition: PartitionId, log: Log) -> LogProgress | None:
    """How far the indexes that are open in a log are; None where nothing can be said."""
    follower = log.follower
    place, indexes = follower.place, follower.openings.indexes
    if place is None or place.group is None or not indexes or follower.stage not in (Stage.READING, Stage.SEALED):
        return None
    places = dict.fromkeys((each.log for each in indexes), place.next_offset)
    for index, write in (*log.unacknowledged.values(), *follower.writes):
        places[index] = min(places.get(index, place.next_offset), write.source.offset)
    return {
        "log": partition.log,
        "partition": partition.number,
        "generation": place.group.generation,
        "indexes": [{"index": index, "next_offset": offset} for index, offset in places.items()],
    }
