"""Deletes expired items of the partitions that this node leads, as writes of its own through the ordinary path.

Each is decided by the leader from the item as it is then, with what is appended and not accepted yet
(`core.time_to_live`), and is a record of the log as any other. So it makes no difference whether a leader sweeps
twice, too late, or dies in the middle: the next one looks at its own list. Deletions take no throughput of the table,
as in DynamoDB, but no more than `per_s` of one node go, and none while a partition has much else under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynabus.core.ids import Incarnation, RequestId, Writer
from dynabus.core.replication.effects import Write
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.unresolved import Sender
from dynabus.core.time_to_live import expire
from dynabus.storage_node.replicas.hosted import BROKEN_STORE, Hosted

LOOK_MS = 100.0
"""Between two looks at the partitions where nothing is over."""

BUSY_LOOK_MS = 20.0
"""The same while there is something to delete: few deletions at once hold up nobody for long, 20 of them or about
2 ms at a thousand a second. A look that comes late makes up for `LOOK_MS` at most."""

TABLES_MS = 1000.0
"""Between two looks at which replicas are of tables with a time to live."""

READ_ROWS, READ_BYTES = 500, 1 << 20
"""A list that is not whole reads on so much every `LOOK_MS`, one list at a time: a few milliseconds of the loop, and
5,000 rows in a second."""

AGAIN_MS = 5000.0
"""Deletions that are not read back after so long were lost with a term, or wait for Kafka."""

UNDER_WAY_MOST = 500
"""Records of a partition that are appended and not read back: with more Kafka is behind, and clients go first."""

NOBODY = Sender("", 0, 0, 0)
"""Asked for it: there is no answer to send."""


@dataclass(slots=True)
class Sweeps:
    """Of one node. `deleted`: deletions asked for since the start. `backlogs_s`: for how long the first item is over
    that is still there, by table id, of what the node leads. `unread`: replicas whose lists are not whole.
    """

    me: Writer
    per_s: int
    deleted: int = 0
    backlogs_s: dict[str, int] = field(default_factory=dict)
    unread: int = 0
    _replicas: list[Hosted] = field(default_factory=list)
    _sent: dict[Hosted, dict[bytes, float]] = field(default_factory=dict)
    """When the deletion of a key was sent that is still there."""
    _look_ms: float = 0.0
    _busy: bool = False
    _read_ms: float = 0.0
    _tables_ms: float = 0.0
    _allowed: float = 0.0
    _counted_ms: float = 0.0
    _counter: int = 0

    def step(
        self, hosted: Mapping[tuple[str, int], Hosted], expiring: Mapping[str, str], now_ms: float, wall_ms: int
    ) -> list[Hosted]:
        """Go on; returns replicas that something was done to. `expiring`: attributes by table id."""
        if now_ms < self._look_ms or not (expiring or self._replicas):
            return []
        if now_ms >= self._tables_ms:
            self._tables_ms = now_ms + TABLES_MS
            self._look_at_tables(hosted, expiring, now_ms)
            self._count(now_ms, wall_ms // 1000)
        self._allow(now_ms)
        # Another one is the first at each look: none waits for ever behind one that has much to delete.
        self._replicas = self._replicas[1:] + self._replicas[:1]
        touched = [each for each in self._replicas if self._sweep(each, now_ms, wall_ms)]
        self._busy = any(self._sent.values())
        self._look_ms = now_ms + (BUSY_LOOK_MS if self._busy else LOOK_MS)
        return touched + self._read_on(now_ms)

    @property
    def due_ms(self) -> float:
        """When the next look is due that cannot wait for whatever else is."""
        return self._look_ms if self._busy else float("inf")

    def _allow(self, now_ms: float) -> None:
        more = self.per_s * (now_ms - self._counted_ms) / 1000
        self._allowed = min(self._allowed + more, max(1.0, self.per_s * LOOK_MS / 1000))
        self._counted_ms = now_ms

    def _look_at_tables(
        self, hosted: Mapping[tuple[str, int], Hosted], expiring: Mapping[str, str], now_ms: float
    ) -> None:
        known, self._replicas = self._replicas, []
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
        turns = {each: turn for turn, each in enumerate(known)}
        self._replicas.sort(key=lambda each: turns.get(each, len(turns)))
        for gone in self._sent.keys() - set(self._replicas):
            del self._sent[gone]

    def _count(self, now_ms: float, now_s: int) -> None:
        found: dict[str, int] = {}
        for each in filter(serves, self._replicas):
            try:
                oldest_s = each.deadlines.oldest(now_s)
            except BROKEN_STORE as error:
                each.quarantine(error, now_ms)
            else:
                if oldest_s is not None:
                    log = each.partition.log
                    found[log] = max(found.get(log, 0), now_s - oldest_s)
        # Another thread reads them: the new one takes the old one's place at once.
        self.backlogs_s = found
        self.unread = sum(not each.deadlines.is_whole for each in self._replicas)

    def _read_on(self, now_ms: float) -> list[Hosted]:
        """The first list that is not whole."""
        if now_ms < self._read_ms:
            return []
        self._read_ms = now_ms + LOOK_MS
        for each in self._replicas:
            if each.failed or each.deadlines.is_whole:
                continue
            try:
                each.deadlines.read_on(READ_ROWS, READ_BYTES)
            except BROKEN_STORE as error:
                each.quarantine(error, now_ms)
            else:
                each.commit(now_ms)
            return [each]
        return []

    def _sweep(self, hosted: Hosted, now_ms: float, wall_ms: int) -> bool:
        leader = hosted.replica.leader
        if not serves(hosted) or leader is None or len(leader.unresolved) > UNDER_WAY_MOST:
            return False
        sent, most = self._sent.get(hosted, {}), int(self._allowed)
        try:
            due = hosted.deadlines.due(wall_ms // 1000, most + len(sent))
        except BROKEN_STORE as error:
            hosted.quarantine(error, now_ms)
            return True
        sent = {key: sent[key] for key in due if now_ms - sent.get(key, float("-inf")) < AGAIN_MS}
        keys = [key for key in due if key not in sent][:most]
        self._sent[hosted] = sent | dict.fromkeys(keys, now_ms)
        for key in keys:
            hosted.write(self._deletion(hosted, key), now_ms, wall_ms)
        self._allowed -= len(keys)
        self.deleted += len(keys)
        return bool(keys)

    def _deletion(self, hosted: Hosted, key: bytes) -> Write:
        self._counter += 1
        group = hosted.replica.place.group
        assert group is not None
        request = encode_request_id(RequestId(Incarnation(self.me.incarnation), self._counter, 0))
        return Write(NOBODY, request, group.generation, key, expire(hosted.deadlines.attribute), 0)


def serves(hosted: Hosted) -> bool:
    """It leads and may change items: not while a recovery's log gets its rows, whose checksum must be the old one."""
    leader = hosted.replica.leader
    return leader is not None and leader.serving and not hosted.failed and not hosted.replica.place.is_restoring
