"""What a log propagator tells leaders of tables' logs: how far indexes are, and which of their partitions are over
their cap. Pure.

A leader is told what is news to it, and all of it now and then, since it may be a new one. A log that stopped, waits,
or is nobody's is told of by nobody: its leader sees the lag grow. Of a child's log nothing is told before its
parent's is acknowledged as a whole, since it is not read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.messages import IndexPartitions, IndexProgress, LogProgress
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.outputs import Stage
from dynabus.core.propagation.owned_log import Log

TELL_MS = 250.0
"""A limit on lag is seconds, and a partition over its cap must not wait for long."""

AGAIN_MS = 2000.0
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
    led: tuple[int, str]
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
        for partition, log in logs.items():
            led = self._view.leader(partition.log, partition.number)
            progress = progress_of(partition, log)
            if led is None or progress is None:
                continue
            told = self._told.get(partition)
            if told is None or told[:2] != (led, progress) or now_ms - told.at_ms >= AGAIN_MS:
                self._told[partition] = _Told(led, progress, now_ms)
                news.setdefault(led[1], []).append(progress)
        partitions = over.partitions(now_ms)
        if partitions or self._was_over:
            for node in self._view.nodes:
                if self._view.alive(node, now_ms):
                    news.setdefault(node, [])
        self._was_over = bool(partitions)
        full: list[IndexPartitions] = [{"index": each, "partitions": numbers} for each, numbers in partitions.items()]
        return {node: {"asker": self._asker, "logs": told, "over": full} for node, told in news.items()}


def progress_of(partition: PartitionId, log: Log) -> LogProgress | None:
    """How far the indexes that are open in a log are; None where nothing can be said."""
    follower = log.follower
    place, indexes = follower.place, follower.openings.indexes
    if place is None or place.group is None or not indexes or follower.stage not in (Stage.READING, Stage.SEALED):
        return None
    places = dict.fromkeys((each.log for each in indexes), place.next_offset)
    for index, write in log.unacknowledged.values():
        places[index] = min(places.get(index, place.next_offset), write.source.offset)
    return {
        "log": partition.log,
        "partition": partition.number,
        "generation": place.group.generation,
        "indexes": [{"index": index, "next_offset": offset} for index, offset in places.items()],
    }
