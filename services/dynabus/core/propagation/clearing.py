"""Tells leaders of indexes which tombstones may go: what this process knows of the floors of its logs. Pure.

| committed checkpoint of a log of this process | the log's floor for an index                                       |
|-----------------------------------------------|--------------------------------------------------------------------|
| there is none                                 | not known yet                                                      |
| does not name the index                       | none: nothing of this log is in it yet                             |
| says that it is filled, or swept              | not known yet; none of a sealed log, whose children go on with it  |
| else                                          | the checkpoint's offset; CLOSED if it is sealed                    |

With it go those of all partitions before it in the lineage, which are closed. Whom to tell is known by deletions: for
each log how far they may be without a walk that found nothing left. At rest nobody is told anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.floors import CLOSED, Floors, merged
from dynabus.core.global_indexes.view import Index
from dynabus.core.global_indexes.walk import CLEAN, clearing_part
from dynabus.core.ids import LogId
from dynabus.core.messages import SEALED, PartitionMetadata, Reply, ReplyStatus
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.deliveries import Send
from dynabus.core.propagation.outputs import Stage
from dynabus.core.propagation.owned_log import Log
from dynabus.core.propagation.propagator import Propagator
from dynabus.core.propagation.sweeps import index_of
from dynabus.core.streams.shards import Shard

AGAIN_MS = 10_000.0
"""Between two rounds for a table. A round of walks may take longer, and tombstones cost little."""

BUDGET_MS = 2000

FIRST_COUNTER = 1 << 41
"""Apart from those of writes and of pages."""


class _Asked(NamedTuple):
    log: LogId
    partition: int
    floors: Floors


@dataclass(slots=True)
class Clearing:
    """`choose` picks one of several nodes; `again_ms`: between two rounds."""

    brain: Propagator
    view: ClusterView
    choose: Callable[[list[str]], str]
    again_ms: float = AGAIN_MS
    _due_ms: dict[LogId, float] = field(default_factory=dict)
    _asked: dict[int, _Asked] = field(default_factory=dict)
    _clean: dict[tuple[LogId, int], dict[int, int]] = field(default_factory=dict)
    """By partition of an index: floors with which it was walked, and nothing was left."""
    _known: int = 0
    """Changes of metadata."""
    _counter: int = FIRST_COUNTER

    def due(self, now_ms: float) -> list[Send]:
        """Who is to be told what now."""
        if self._known != self.brain.view.changes:
            # An index that this process hears of now may have been written by others before.
            self._known = self.brain.view.changes
            self.brain.unclear |= {where.log for where in self.brain.logs}
        if not self.brain.unclear:
            return []
        tables = [table for table in self.brain.unclear if now_ms >= self._due_ms.get(table, 0.0)]
        return [send for table in tables for send in self._round(table, now_ms)]

    def _round(self, table: LogId, now_ms: float) -> Iterator[Send]:
        self._due_ms[table] = now_ms + self.again_ms
        logs = {where.number: log for where, log in self.brain.logs.items() if where.log == table}
        indexes = [each for each in self.brain.view.derived(table) if isinstance(each, Index)]
        self._forget(table, {each.log for each in indexes})
        is_clear = True
        for index in indexes:
            for send in self._tell(index, logs):
                is_clear = False
                if send is not None:
                    yield send
        if is_clear:
            self.brain.unclear.discard(table)
            del self._due_ms[table]

    def _forget(self, table: LogId, indexes: set[LogId]) -> None:
        """What was asked in the last round and not answered, and indexes that are gone."""
        gone = f"{table}."
        self._asked = {each: asked for each, asked in self._asked.items() if not asked.log.startswith(gone)}
        self._clean = {
            where: floors
            for where, floors in self._clean.items()
            if where[0] in indexes or not where[0].startswith(gone)
        }

    def _tell(self, index: Index, logs: Mapping[int, Log]) -> Iterator[Send | None]:
        """None for what cannot be told yet."""
        floors: dict[int, int] = {}
        wanted: dict[int, int] = {}
        for number, log in logs.items():
            floor = floor_of(log, index.label)
            if floor is not None:
                floors |= {number: floor, **dict.fromkeys(ancestors_of(number, index.shards), CLOSED)}
                wanted[number] = max(log.deleted_below, log.deletions.get(index.log, 0))
            elif number in index.shards and _comes(log, index.label):
                yield None
        known = self.view.table(index.log)
        if floors and (known is None or not known.partitions):
            yield None
        for partition in known.partitions if known is not None and floors else ():
            clean = self._clean.get((index.log, partition["number"]), {})
            if any(clean.get(number, 0) < least for number, least in wanted.items()):
                news = any(clean.get(number, 0) < min(least, floors[number]) for number, least in wanted.items())
                yield self._send(index.log, partition, floors) if news else None

    def _send(self, index: LogId, partition: PartitionMetadata, floors: Floors) -> Send:
        number = partition["number"]
        led = self.view.leader(index, number)
        node = led[1] if led is not None else self.choose(partition["members"])
        self._counter += 1
        self._asked[self._counter] = _Asked(index, number, floors)
        part = clearing_part(index, number, partition["generation"], floors)
        return Send(node, self._counter, BUDGET_MS, [part])

    def take(self, reply: Reply) -> None:
        """An answer, of a clearing or of anything else."""
        asked = self._asked.pop(reply["counter"], None)
        if asked is None:
            return
        part, where = reply["parts"][0], (asked.log, asked.partition)
        if part["status"] == ReplyStatus.OK and part["count"] == CLEAN:
            self._clean[where] = merged(self._clean.get(where, {}), asked.floors)
        elif part["status"] == ReplyStatus.STALE_ROUTE and part["body"] == SEALED:
            self.view.sealed(*where)


def floor_of(log: Log, label: str) -> int | None:
    """The table above."""
    committed = log.committed
    if committed is None or label not in committed.open or _is_filled(committed, label):
        return None
    return CLOSED if committed.place.sealed else committed.place.next_offset


def ancestors_of(number: int, shards: Mapping[int, Shard]) -> Iterator[int]:
    """Partitions whose logs were read to their ends before this one's was begun."""
    while (shard := shards.get(number)) is not None and shard.parent is not None:
        number = shard.parent
        yield number


def _is_filled(checkpoint: Checkpoint, label: str) -> bool:
    return any(index_of(each) == label for each, _ in checkpoint.fills)


def _comes(log: Log, label: str) -> bool:
    """A floor that is not known yet."""
    committed = log.committed
    if log.follower.stage is Stage.STOPPED or committed is None:
        return log.follower.stage is not Stage.STOPPED
    return label in committed.open and _is_filled(committed, label) and not committed.place.sealed
