"""How far global secondary indexes are behind the logs that this node leads, and what that holds back.

Log propagators tell how far each index is and which of its partitions are over their cap (`index_progress`); what the
logs have for it the replicas know themselves (`core.global_indexes.lag`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dynabus.adapters.clock import unix_ms
from dynabus.core.admission import Mode
from dynabus.core.admission.capacity import WRITE, Limit
from dynabus.core.admission.index_holds import Hold, held
from dynabus.core.admission.refusals import reason_of
from dynabus.core.admission.throttled import Event, Throttled
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.messages import IndexProgress
from dynabus.core.messages import RequestPart
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Evaluate
from dynabus.core.tables.indexes import LAG_LIMIT, OF
from dynabus.storage_node.replicas.hosted import Hosted

LOOK_MS = 250.0
"""As often as log propagators tell what is new."""

TOLD_MS = 2000.0
"""What a log propagator said of partitions over their cap counts so long: one that died says no more."""

Find = Callable[[str, int], Hosted | None]
"""(log, partition) -> the replica, None where it is not here."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Of an index, behind the logs of its table that this node leads, the furthest one; `limit_s` 0: none is set."""

    table: str
    index: str
    lag_s: float
    limit_s: int


class _Over(NamedTuple):
    heard_ms: float
    partitions: Mapping[str, frozenset[int]]


class IndexLags:
    """`shown`: of all indexes of tables that it leads a partition of; replaced as a whole, for other threads."""

    def __init__(self, mode: Mode, view: ClusterView, throttled: Throttled) -> None:
        self.shown: list[Lag] = []
        self._mode, self._view, self._throttled = mode, view, throttled
        self._over: dict[str, _Over] = {}
        """By log propagator."""
        self._look_ms = 0.0

    def told(self, progress: IndexProgress, find: Find, now_ms: float) -> None:
        """By a log propagator."""
        over = {each["index"]: frozenset(each["partitions"]) for each in progress["over"]}
        self._over[progress["asker"]] = _Over(now_ms, over)
        for log in progress["logs"]:
            hosted, table = find(log["log"], log["partition"]), self._view.table(log["log"])
            group = hosted.replica.place.group if hosted is not None else None
            if hosted is None or table is None or group is None or group.generation != log["generation"]:
                continue
            names = {index.id: index.description[OF]["Name"] for index in self._indexes(table)}
            for each in log["indexes"]:
                if (name := names.get(each["index"])) is not None:
                    hosted.backlogs.of(name, now_ms).acknowledged(each["next_offset"])

    def step(self, replicas: Iterable[Hosted], now_ms: float) -> None:
        """Look, if it is time, at all replicas: what a follower knows its own term may need."""
        if now_ms < self._look_ms:
            return
        self._look_ms = now_ms + LOOK_MS
        for asker in [each for each, told in self._over.items() if now_ms - told.heard_ms > TOLD_MS]:
            del self._over[asker]
        found: dict[tuple[str, str], Lag] = {}
        for hosted in replicas:
            table = self._view.table(hosted.partition.log)
            if table is None or not table.global_indexes.all or hosted.replica.place.group is None:
                continue
            lags = [*self._look(hosted, table, now_ms)]
            leader = hosted.replica.leader
            if leader is None or not leader.serving:
                continue
            for lag in lags:
                known = found.get((lag.table, lag.index))
                found[lag.table, lag.index] = lag if known is None else max(known, lag, key=lambda each: each.lag_s)
        self.shown = [found[names] for names in sorted(found)]

    def _look(self, hosted: Hosted, table: Table, now_ms: float) -> Iterator[Lag]:
        hosted.backlogs.keep_only(index.name for index in table.global_indexes.all)
        active, holds = _active(table), {}
        for index in self._indexes(table):
            name, limit_s = index.description[OF]["Name"], index.description[OF].get(LAG_LIMIT, 0)
            lag_ms = hosted.backlogs.of(name, now_ms).lag_ms(now_ms)
            yield Lag(table.name, name, lag_ms / 1000, limit_s)
            late = 0 < limit_s * 1000 < lag_ms
            over = frozenset[int]().union(*(told.partitions.get(index.id, ()) for told in self._over.values()))
            if name in active and (late or over) and self._mode is not Mode.OFF:
                holds[name] = Hold(index, late, over)
        hosted.holds = holds

    def _indexes(self, table: Table) -> Iterator[Table]:
        """Those that have partitions."""
        for index in table.global_indexes.all:
            found = self._view.index(table.id, index.name)
            if found is not None and found.partitions:
                yield found

    def evaluation(self, hosted: Hosted, table: Table, evaluate: Evaluate, part: RequestPart) -> Evaluate:
        """A write's evaluation behind what its table's indexes hold back."""
        if not hosted.holds:
            return evaluate

        def refused(index: Table, limit: Limit) -> bool:
            reason = reason_of(WRITE, limit, of_index=True)
            self._throttled.note(Event(unix_ms(), index.name, part["partition"], part["key"], reason, 2))
            return self._mode is Mode.ON

        return held(table.global_indexes, hosted.holds, evaluate, refused)


def _active(table: Table) -> set[str]:
    """Indexes that are filled."""
    described = table.description.get("GlobalSecondaryIndexes", ())
    return {each["IndexName"] for each in described if each.get("IndexStatus") != "CREATING"}
