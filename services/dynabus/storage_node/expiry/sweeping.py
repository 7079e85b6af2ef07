"""Deletes expired items of the partitions that this node leads, as writes of its own through the ordinary path.

Each is decided by the leader from the item as it is then (`core.time_to_live`), and is a record of the log as any
other. So it makes no difference whether a leader sweeps twice, too late, or dies in the middle: the next one looks at
its own list. Deletions take no throughput of the table, as in DynamoDB, but no more than `per_s` of a partition go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from dynabus.core.ids import Incarnation, RequestId, Writer
from dynabus.core.replication.effects import Write
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.unresolved import Sender
from dynabus.core.time_to_live import expire
from dynabus.storage_node.replicas.hosted import BROKEN_STORE, Hosted

LOOK_MS = 100.0
"""Between two looks at a partition; deletions of one look are read back before the next."""

TABLES_MS = 1000.0
"""Between two looks at which replicas are of tables with a time to live."""

READ_ROWS = 500
"""Rows that a list which is not whole reads on at each look: a millisecond or two."""

AGAIN_MS = 5000.0
"""Deletions that are not read back after so long were lost with a term, or wait for Kafka."""

NOBODY = Sender("", 0, 0, 0)
"""Asked for it: there is no answer to send."""


@dataclass(slots=True)
class _Swept:
    """What was sent of one partition and is not gone yet."""

    keys: frozenset[bytes] = frozenset()
    sent_ms: float = float("-inf")


@dataclass(slots=True)
class Sweeps:
    """Of one node. `deleted`: deletions asked for since the start. `backlog_s`: for how long the first item is over
    that is still there, of what the node leads; 0 where there is none."""

    me: Writer
    per_s: int
    deleted: int = 0
    backlog_s: int = 0
    _replicas: list[Hosted] = field(default_factory=list)
    _swept: dict[Hosted, _Swept] = field(default_factory=dict)
    _look_ms: float = 0.0
    _tables_ms: float = 0.0
    _counter: int = 0

    def step(
        self, hosted: Mapping[tuple[str, int], Hosted], expiring: Mapping[str, str], now_ms: float, wall_ms: int
    ) -> list[Hosted]:
        """Go on; returns replicas that something was done to. `expiring`: attributes by table id."""
        if now_ms < self._look_ms or not (expiring or self._replicas):
            return []
        self._look_ms = now_ms + LOOK_MS
        if now_ms >= self._tables_ms:
            self._tables_ms = now_ms + TABLES_MS
            self._look_at_tables(hosted, expiring, now_ms)
            self.backlog_s = max(map(partial(_backlog_s, now_s=wall_ms // 1000), self._replicas), default=0)
        return [each for each in self._replicas if self._go_on(each, now_ms, wall_ms)]

    def _look_at_tables(
        self, hosted: Mapping[tuple[str, int], Hosted], expiring: Mapping[str, str], now_ms: float
    ) -> None:
        self._replicas.clear()
        for each in hosted.values():
            attribute = expiring.get(each.partition.log, "")
            if each.failed or not (attribute or each.deadlines.attribute):
                continue
            try:
                each.deadlines.use(attribute)
            except BROKEN_STORE as error:
                each.quarantine(error, now_ms)
            else:
                if attribute:
                    self._replicas.append(each)
        for gone in self._swept.keys() - self._replicas:
            del self._swept[gone]

    def _go_on(self, hosted: Hosted, now_ms: float, wall_ms: int) -> bool:
        if hosted.failed:
            return False
        try:
            if not hosted.deadlines.is_whole:
                hosted.deadlines.read_on(READ_ROWS)
                hosted.commit(now_ms)
                return True
            return _serves(hosted) and self._sweep(hosted, now_ms, wall_ms)
        except BROKEN_STORE as error:
            hosted.quarantine(error, now_ms)
            return True

    def _sweep(self, hosted: Hosted, now_ms: float, wall_ms: int) -> bool:
        swept = self._swept.setdefault(hosted, _Swept())
        due = hosted.deadlines.due(wall_ms // 1000, max(1, int(self.per_s * LOOK_MS / 1000)))
        waits = now_ms - swept.sent_ms < AGAIN_MS and not swept.keys.isdisjoint(due)
        if not due or waits:
            return False
        swept.keys, swept.sent_ms = frozenset(due), now_ms
        group = hosted.replica.place.group
        assert group is not None
        for key in due:
            hosted.write(self._deletion(hosted, group.generation, key), now_ms, wall_ms)
        self.deleted += len(due)
        return True

    def _deletion(self, hosted: Hosted, generation: int, key: bytes) -> Write:
        self._counter += 1
        request = encode_request_id(RequestId(Incarnation(self.me.incarnation), self._counter, 0))
        return Write(NOBODY, request, generation, key, expire(hosted.deadlines.attribute), 0)


def _backlog_s(hosted: Hosted, now_s: int) -> int:
    oldest_s = hosted.deadlines.oldest(now_s) if _serves(hosted) else None
    return 0 if oldest_s is None else now_s - oldest_s


def _serves(hosted: Hosted) -> bool:
    leader = hosted.replica.leader
    return leader is not None and leader.serving and not hosted.failed
