"""Recoveries on this node: the chosen replica's contents go into the new log; what was left out of it is told.

| the new partition's log here   | this node's replica of the old one | then                                        |
|--------------------------------|------------------------------------|---------------------------------------------|
| not restored, this node leads  | at the place that genesis names    | append its rows and request ids, configure  |
| not restored, this node leads  | elsewhere, or not open             | wait with a note: it may still be opened    |
| restored                       | has seen more than that place      | alarm: it is kept aside, and never served   |
| restored, its start is pruned  | unknown                            | nothing: what genesis says is gone with it  |

The rows are read in a thread from a snapshot of a store that does not change any more. Before the `configure` the new
replica's checksum must be that of the old one, whatever happened on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.lmdb import LmdbStore, Snapshot, SnapshotClosed, StoreError
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.logs import logger
from dynabus.core.ids import PartitionId
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Form, Genesis, Record, Recovered
from dynabus.core.replication.restoration import (
    RESTORED_PLAN,
    goes_on_from,
    is_ahead,
    restore_requests,
    restore_rows,
)
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.lookups import LookupFailed, Lookups
from dynabus.storage_node.replicas.opening import Premises

CHUNK_ROWS = 200
"""Some milliseconds of a turn of the loop."""

CHUNK_BYTES = 4 * 1024 * 1024
"""Large items come in smaller chunks: so much is read ahead, and under way, of a restoration."""

UNRESOLVED_MOST = 400
"""Records of it under way: two chunks, so that one is read while Kafka has the other."""

ASK_AGAIN_MS = 1000.0

Pairs = list[tuple[bytes, bytes]]


class Stage(Enum):
    ROWS = "rows"
    REQUESTS = "requests"
    END = "end"


@dataclass(slots=True)
class Restoration:
    """One term's work. `after`: the last key or request id that was taken."""

    term: int
    snapshot: Snapshot
    stage: Stage = Stage.ROWS
    after: bytes = b""
    chunk: Future[Pairs] | None = None
    configured: bool = False


@dataclass(slots=True)
class Case:
    """A log that a recovery began. `recovered`: what its genesis says, once it was looked up."""

    asked: Future[Record | None] | None = None
    ask_at_ms: float = 0.0
    recovered: Recovered | None = None
    restoration: Restoration | None = None


class Restorings:
    """False where this node has no recovered partition that still needs it."""

    def __init__(self, premises: Premises, lookups: Lookups, hosted: Mapping[tuple[str, int], Hosted]) -> None:
        self._premises, self._lookups, self._hosted = premises, lookups, hosted
        self._cases: dict[Hosted, Case] = {}
        self._done: set[PartitionId] = set()
        self._pool: ThreadPoolExecutor | None = None

    def __bool__(self) -> bool:
        return bool(self._cases)

    def notice(self, hosted: Hosted) -> None:
        """Any replica of this node, now and then: whether its log was begun by a recovery."""
        group = hosted.replica.place.group
        if group is not None and group.form is Form.RECOVERY and hosted.partition not in self._done:
            self._cases.setdefault(hosted, Case())

    @property
    def busy(self) -> bool:
        """A chunk is being read, or Kafka asked, of which no message tells."""
        return any(case.asked is not None or case.restoration is not None for case in self._cases.values())

    def step(self, now_ms: float) -> list[Hosted]:
        """Go on; returns replicas that have something to append or to tell."""
        touched = []
        for hosted, case in [*self._cases.items()]:
            here = self._hosted.get(hosted.partition) is hosted and not hosted.failed
            if not here or hosted.partition in self._done:
                self._drop(self._cases.pop(hosted))
            elif self._go_on(hosted, case, now_ms):
                touched.append(hosted)
        return touched

    def close(self) -> None:
        """The process ends."""
        for case in self._cases.values():
            self._drop(case)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _drop(self, case: Case) -> None:
        if case.restoration is not None:
            case.restoration.snapshot.close()
            case.restoration = None

    def _go_on(self, hosted: Hosted, case: Case, now_ms: float) -> bool:
        if case.recovered is None:
            self._look_up(hosted, case, now_ms)
            return False
        if not hosted.replica.place.is_restoring:
            self._drop(case)
            self._done.add(hosted.partition)
            self._compare(hosted, case.recovered)
            return True
        leader = hosted.replica.leader
        if leader is None or not leader.serving:
            self._drop(case)
            return False
        try:
            return self._restore(hosted, case, case.recovered, now_ms)
        except (SnapshotClosed, StoreError) as error:
            self._drop(case)
            self._tell(hosted, f"is not restored: {error or 'the old replica was closed'}")
            return False

    # -- what the genesis says --------------------------------------------------------------------------------

    def _look_up(self, hosted: Hosted, case: Case, now_ms: float) -> None:
        if case.asked is None:
            if now_ms >= case.ask_at_ms:
                case.asked = self._lookups.genesis(hosted.log)
            return
        if not case.asked.done():
            return
        asked, case.asked, case.ask_at_ms = case.asked, None, now_ms + ASK_AGAIN_MS
        try:
            record = asked.result()
        except LookupFailed as error:
            logger().warning("genesis is asked for again", partition=str(hosted.partition), reason=str(error))
            return
        if record is None:
            # Only what was restored, and is on the disks of all, is pruned.
            self._done.add(hosted.partition)
            return
        body = self._premises.around.bodies.decode(record.schema_number, record.body) if record.intact else None
        if isinstance(body, Genesis) and body.recovered is not None:
            case.recovered = body.recovered

    def _compare(self, hosted: Hosted, recovered: Recovered) -> None:
        """A replica of before that has seen more: what it holds beyond the recovery is in no log any more."""
        old = PartitionId(hosted.partition.log, recovered.partition)
        path = self._premises.folder.replica(old)
        try:
            place = self._hosted[old].replica.place if old in self._hosted else _place_left(path)
        except (UndecodableMessage, StoreError) as error:
            logger().warning("a replica of before a recovery is unreadable", path=str(path), reason=str(error))
            return
        if place is not None and is_ahead(place, recovered):
            hosted.aside = (
                f"{path} has partition {old.number} up to term {place.reign.term}, "
                f"sequence {place.next_sequence - 1}; it was recovered from term {recovered.term}, "
                f"sequence {recovered.next_sequence - 1}: what is newer is kept there and not served; move the "
                "folder away when it is of no use any more"
            )
            logger().error("replica left out of a recovery", partition=str(hosted.partition), reason=hosted.aside)

    # -- the chosen replica -----------------------------------------------------------------------------------

    def _restore(self, hosted: Hosted, case: Case, recovered: Recovered, now_ms: float) -> bool:
        leader = hosted.replica.leader
        assert leader is not None
        if case.restoration is not None and case.restoration.term != leader.seat.term:
            self._drop(case)
        if case.restoration is None:
            snapshot = self._snapshot(hosted, recovered, now_ms)
            if snapshot is None:
                return False
            case.restoration = Restoration(leader.seat.term, snapshot)
            logger().info("restoration begins", partition=str(hosted.partition), term=leader.seat.term)
        work = case.restoration
        if work.stage is Stage.END:
            return self._end(hosted, work, recovered, now_ms)
        if work.chunk is None:
            work.chunk = self._read(work)
            return False
        if not work.chunk.done() or len(leader.unresolved) > UNRESOLVED_MOST:
            return False
        pairs, work.chunk = work.chunk.result(), None
        restore = restore_rows if work.stage is Stage.ROWS else restore_requests
        restore(pairs, leader, hosted.store, now_ms)
        if pairs:
            work.after = pairs[-1][0]
            work.chunk = self._read(work)
        else:
            work.after, work.stage = b"", Stage.REQUESTS if work.stage is Stage.ROWS else Stage.END
        return True

    def _snapshot(self, hosted: Hosted, recovered: Recovered, now_ms: float) -> Snapshot | None:
        """Of the old replica, if it is the one that was chosen."""
        old = self._hosted.get(PartitionId(hosted.partition.log, recovered.partition))
        if old is None or old.failed:
            why = old.alarm if old is not None else "not open"
            self._tell(hosted, f"waits for partition {recovered.partition} on this node: {why}")
            return None
        if not goes_on_from(old.replica.place, recovered):
            self._tell(hosted, f"partition {recovered.partition} on this node is not where the recovery begins")
            return None
        if old.committed.offset != old.replica.place.next_offset:
            old.commit(now_ms)
        return old.store.snapshot()

    def _read(self, work: Restoration) -> Future[Pairs]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="restoring")
        return self._pool.submit(_rows if work.stage is Stage.ROWS else _requests, work.snapshot, work.after)

    def _end(self, hosted: Hosted, work: Restoration, recovered: Recovered, now_ms: float) -> bool:
        """All was appended: once it is applied, it must be what it was."""
        leader = hosted.replica.leader
        assert leader is not None
        if leader.unresolved or work.configured:
            return False
        checksum = hosted.contents.checksum.to_bytes(8, "big")
        if checksum != recovered.checksum:
            self._tell(
                hosted, f"restored to checksum {checksum.hex()}, was {recovered.checksum.hex()}: recover again"
            )
            return False
        group = hosted.replica.place.group
        assert group is not None
        leader.configure(RESTORED_PLAN, group.members, now_ms)
        work.configured, hosted.note = True, ""
        logger().info("restored", partition=str(hosted.partition), checksum=checksum.hex())
        return True

    def _tell(self, hosted: Hosted, what: str) -> None:
        if hosted.note != what:
            hosted.note = what
            logger().warning("restoration waits", partition=str(hosted.partition), reason=what)


def _place_left(path: Path) -> Place | None:
    """Of a replica that is not open any more. Raises StoreError, UndecodableMessage."""
    if not path.exists():
        return None
    store = LmdbStore(path)
    try:
        stored = store.place()
    finally:
        store.abandon()
    return None if stored is None else decode_place(stored)


def _rows(snapshot: Snapshot, after: bytes) -> Pairs:
    lower = after + b"\0" if after else b""
    return _short(snapshot.rows(lower, None, CHUNK_ROWS))


def _requests(snapshot: Snapshot, after: bytes) -> Pairs:
    return _short(snapshot.requests(after, CHUNK_ROWS))


def _short(pairs: Pairs) -> Pairs:
    """As many as fit into a chunk, one at least."""
    size, count = 0, 0
    for _, value in pairs:
        size += len(value)
        if count and size > CHUNK_BYTES:
            break
        count += 1
    return pairs[:count]
