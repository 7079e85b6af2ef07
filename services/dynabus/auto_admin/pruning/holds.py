"""Pruning of replication logs (I8): what nobody needs any more is deleted, and who holds up the rest is told by name.

Nothing is decided in the admin log: deleting is monotonic and idempotent, and what a deposed auto-admin still deletes
was safe when it computed it (the proof stands in `core.pruning`). A new one knows nothing and prunes nothing until
the nodes have said again what they have on disk.

A log that lost records, or may have, is left as it is (I9): an operator reads it to see which replica holds what it
has not, and its fence stops whoever comes back late. So is the log of a recovery until it holds all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from heapq import nsmallest
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import Pruned, PruneWish, StepFailed, Steps
from dynabus.auto_admin.placement import moves
from dynabus.auto_admin.recovery import decisions as recoveries
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.pruning import (
    NOTHING,
    Durable,
    DurablePlaces,
    counted,
    is_inherited,
    lineage_of,
    lowest,
    needed,
)
from dynabus.core.streams.view import DISABLED
from dynabus.core.tables.streams import are_followed, shards_of
from dynabus.core.tables.table_topics import is_written

IN_DOUBT = frozenset({"doubtful", "held", "frozen"})
"""States of replicas whose log may have lost records (`core.replication.standstill`)."""

LOGS_MOST = 200
"""Of one round: each is a question or two to Kafka, of milliseconds."""

REST_MS = 600_000.0
"""Between two looks at a log that nobody writes, if its records are kept for as long: only age frees more of it."""

Where = tuple[str, int]


class Pruning:
    """Fed with nodes' statements. `held`: by log, what the last look at it found; another thread may read it."""

    def __init__(
        self, view: ClusterView, steps: Steps, every_ms: float, lag_records: int, retention_ms: float
    ) -> None:
        self.held: dict[Where, Pruned] = {}
        self.records = 0
        """Deleted since the start."""
        self._view, self._steps = view, steps
        self._every_ms, self._lag_records = every_ms, lag_records
        self._rest_ms = min(REST_MS, retention_ms)
        self._stated: dict[str, tuple[int, dict[Where, Durable]]] = {}
        self._due_ms = 0.0
        self._job: Future[list[Pruned]] | None = None
        self._warned: set[tuple[Where, str]] = set()
        self._looked: dict[Where, tuple[PruneWish, float]] = {}

    def told(self, message: DurablePlaces) -> None:
        """What a node has on disk. What it said in an earlier run says nothing: its disk may be another one."""
        node, incarnation = message["node"], message["incarnation"]
        known = self._stated.get(node)
        if known is not None and known[0] > incarnation:
            return
        words = known[1] if known is not None and known[0] == incarnation else {}
        for place in message["places"]:
            where, word = (place["log"], place["partition"]), Durable(place["offset"], place["plan"])
            words[where] = max(word, words.get(where, NOTHING), key=lambda each: (each.plan, each.offset))
        self._stated[node] = (incarnation, words)

    def step(self, states: Mapping[str, TableState], now_ms: float) -> None:
        """Look and delete, if it is time."""
        if self._job is not None:
            if not self._job.done():
                return
            self._collect(self._job)
            self._job = None
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + self._every_ms
        wishes = [wish for state in states.values() if state.status in moves.MOVABLE for wish in self._wishes(state)]
        for where in self.held.keys() - {(wish.log, wish.number) for wish in wishes}:
            del self.held[where]
        part = self._due(wishes, now_ms)
        if part:
            self._job = self._steps.prune(part)

    def _due(self, wishes: list[PruneWish], now_ms: float) -> list[PruneWish]:
        """Those that were looked at longest ago, so that thousands of logs take turns; those that rest seldom."""
        self._looked = {at: self._looked[at] for wish in wishes if (at := (wish.log, wish.number)) in self._looked}
        due = [wish for wish in wishes if not self._rests(wish, now_ms)]
        part = nsmallest(LOGS_MOST, due, key=self._looked_ms)
        self._looked |= {(wish.log, wish.number): (wish, now_ms) for wish in part}
        return part

    def _looked_ms(self, wish: PruneWish) -> float:
        seen = self._looked.get((wish.log, wish.number))
        return seen[1] if seen is not None else float("-inf")

    def _rests(self, wish: PruneWish, now_ms: float) -> bool:
        """Nothing was read of it since it was looked at, and no reader was late."""
        where = (wish.log, wish.number)
        seen, found = self._looked.get(where), self.held.get(where)
        if seen is None or found is None or seen[0] != wish or self.is_late(found):
            return False
        return now_ms - seen[1] < self._rest_ms

    def _wishes(self, state: TableState) -> Iterator[PruneWish]:
        """Of one table: open partitions that are whole and not being split, then closed ones that nobody needs."""
        taken: dict[int, bool] = {}
        followed = are_followed(state.streams) or bool(state.indexes) or is_written(state.table_topic)
        for partition in state.partitions:
            number, nodes = int(partition["number"]), _nodes(partition)
            where, since = (state.id, number), moves.joined(partition)
            stated = {node: at for node in nodes if (at := self._stated_by(node, where, since.get(node, 0))) > 0}
            is_open = splits.state_of(partition) == splits.ACTIVE and not self._in_doubt(state, partition)
            taken[number] = is_open and len(stated) == len(nodes)
            if is_open:
                hold = lowest(needed(nodes, stated))
                known = max(stated.values(), default=0)
                yield PruneWish(state.id, number, hold.offset, hold.name, whole=False, known=known, followed=followed)
        children = lineage_of(state.ancestors)
        read = _shards(state)
        lost = {int(each["number"]) for each in state.ancestors if recoveries.was_recovered(each)}
        for number in children:
            if number not in lost and is_inherited(number, children, taken):
                yield PruneWish(state.id, number, 0, "", whole=True, followed=followed and number in read)

    def _in_doubt(self, state: TableState, partition: Mapping[str, Any]) -> bool:
        """It is frozen, or some node said last, dead or alive, that it may have to be."""
        if recoveries.is_frozen(partition):
            return True
        said = [self._view.said(node, state.id, int(partition["number"])) for node in self._view.nodes]
        return any(each is not None and each["state"] in IN_DOUBT for each in said)

    def _stated_by(self, node: str, where: Where, joined: int) -> int:
        stated, known = self._stated.get(node), self._view.nodes.get(node)
        if stated is None or (known is not None and known.incarnation > stated[0]):
            return 0
        return counted(stated[1].get(where), joined)

    def _collect(self, job: Future[list[Pruned]]) -> None:
        try:
            found = job.result()
        except StepFailed as error:
            logger().warning("not pruned, tried again", reason=str(error))
            return
        for pruned in found:
            where = (pruned.log, pruned.number)
            self.held[where] = pruned
            self.records += pruned.deleted
            self._warn(where, pruned)

    def _warn(self, where: Where, pruned: Pruned) -> None:
        """Each reader once, as long as it lasts."""
        self._warned -= {each for each in self._warned if each[0] == where and each[1] != pruned.by}
        if self.is_late(pruned) and (where, pruned.by) not in self._warned:
            self._warned.add((where, pruned.by))
            logger().warning("log is held", partition=f"{where[0]}/{where[1]}", by=pruned.by, records=pruned.held)

    def is_late(self, pruned: Pruned) -> bool:
        """It keeps more than readers usually do."""
        return pruned.held > self._lag_records

    def lines(self) -> list[dict[str, Any]]:
        """For `status`: readers that hold up pruning for long, by name."""
        late = [each for each in list(self.held.values()) if self.is_late(each)]
        return [{"log": each.log, "partition": each.number, "by": each.by, "records": each.held} for each in late]


def _nodes(partition: Mapping[str, Any]) -> list[str]:
    """Members, those that shall be, and those that join."""
    return sorted({*partition["members"], *moves.target(partition), *moves.joining(partition)})


def _shards(state: TableState) -> set[int]:
    """Partitions that a living stream, an index or the table's topic has shards of; the others were closed before any
    of them began."""
    live = [each for each in state.streams if each["status"] != DISABLED]
    derived = [*live, *state.indexes, *([state.table_topic] if is_written(state.table_topic) else [])]
    return {shard["number"] for each in derived for shard in shards_of(each, state.partitions, state.ancestors)}
