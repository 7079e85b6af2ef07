"""One replica with its store: when it commits, and what happens when its store fails.

A store that fails takes its replica out of service and nothing else: the replica stops with
an alarm, its leader's seat is given up, the process and all other replicas go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from dynabus.adapters.lmdb import LmdbStore, StoreError
from dynabus.adapters.log_codec import encode_place
from dynabus.adapters.logs import logger
from dynabus.core.contents import Contents
from dynabus.core.ids import PartitionId
from dynabus.core.local_indexes import IndexRules
from dynabus.core.replication.effects import Query, Write
from dynabus.core.replication.election import Stage
from dynabus.core.replication.records import Record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.succession import Begin, Succession
from dynabus.core.rows import CorruptRow
from dynabus.storage_node.readers import By, Log

BROKEN_STORE = (StoreError, CorruptRow)


class Hosted:
    """A replica in this process. Its methods are the brain's, with a failing store turned into quarantine."""

    __slots__ = (
        "committed_offset",
        "contents",
        "dirty_since_ms",
        "failed",
        "log",
        "partition",
        "read",
        "replica",
        "restless",
        "rules",
        "store",
        "succession",
    )

    def __init__(
        self,
        partition: PartitionId,
        log: Log,
        store: LmdbStore,
        replica: Replica,
        contents: Contents,
        rules: IndexRules,
    ) -> None:
        self.partition = partition
        self.log = log
        self.store = store
        self.replica = replica
        self.contents = contents
        self.rules = rules
        self.succession = Succession(replica.around.me, replica.around.bodies)
        self.failed = False
        """Its store failed; the alarm of the replica says how."""
        self.committed_offset = replica.place.next_offset
        self.dirty_since_ms: float | None = None
        self.restless = True
        self.read = 0
        """Records read since the process started, those that are void too."""

    @property
    def best_read_by(self) -> By:
        """Which consumer should read its log once it is up to date: read-backs must not wait."""
        replica = self.replica
        urgent = replica.leader is not None or replica.election.stage is Stage.CLAIMING
        return By.MAIN if urgent else By.FOLLOWED

    @property
    def state(self) -> str:
        """As heartbeats say it: opening, joining, active, sealed, frozen, failed."""
        if self.failed:
            return "failed"
        if self.replica.alarm is not None:
            return "frozen"
        if self.replica.place.sealed:
            return "sealed"
        place = self.replica.place
        if place.group is not None and not place.admits(self.replica.around.me.node):
            return "joining"
        return "active" if self.replica.caught_up else "opening"

    def read_log(self, records: Iterable[Record], now_ms: float) -> None:
        """Records of its log, in order."""
        before = self.replica.place.next_offset
        try:
            self.replica.read_log(records, now_ms)
        except BROKEN_STORE as error:
            self.quarantine(error, now_ms)
        self.read += self.replica.place.next_offset - before
        if self.dirty_since_ms is None and self.replica.place.next_offset != self.committed_offset:
            self.dirty_since_ms = now_ms

    def write(self, request: Write, now_ms: float, wall_ms: int) -> None:
        try:
            self.replica.write(request, now_ms, wall_ms)
        except BROKEN_STORE as error:
            self.quarantine(error, now_ms)

    def query(self, request: Query, now_ms: float) -> None:
        try:
            self.replica.query(request, now_ms)
        except BROKEN_STORE as error:
            self.quarantine(error, now_ms)

    def tick(self, now_ms: float) -> None:
        try:
            self.replica.tick(now_ms)
        except BROKEN_STORE as error:
            self.quarantine(error, now_ms)
        self.restless = self.replica.restless or self.succession.pending(self.replica.place)

    def begins(self, now_ms: float) -> list[Begin]:
        """A sealed partition's children that are to begin now."""
        return [] if self.failed else self.succession.tick(self.replica.place, now_ms)

    def commit(self, now_ms: float) -> None:
        """Make data and place durable in one transaction (I6)."""
        self.dirty_since_ms = None
        if self.failed:
            return
        place = self.replica.place
        try:
            self.store.commit(encode_place(place), self.contents.encode())
        except StoreError as error:
            self.quarantine(error, now_ms)
        else:
            self.committed_offset = place.next_offset

    def due_to_commit(self, now_ms: float, interval_ms: float, records: int) -> bool:
        since_ms = self.dirty_since_ms
        if since_ms is None:
            return False
        return now_ms - since_ms >= interval_ms or self.replica.place.next_offset - self.committed_offset >= records

    def quarantine(self, error: Exception, now_ms: float) -> None:
        """Stop this replica for good in this run; what its last commit holds stays as it is."""
        self.failed = True
        logger().error("replica failed", partition=str(self.partition), reason=str(error))
        # Ending its term may want to read the store once more, which fails again; by then it has stopped.
        with suppress(*BROKEN_STORE):
            self.replica.freeze(f"storage failed: {error}", now_ms)
        self.store.abandon()

    def close(self) -> None:
        """Commit and leave a directory that is trusted even after a host restart."""
        if self.failed:
            return
        try:
            self.store.close(encode_place(self.replica.place), self.contents.encode())
        except StoreError as error:
            self.failed = True
            logger().error("replica failed", partition=str(self.partition), reason=str(error))

    def retire(self, why: str, now_ms: float) -> None:
        """It does not belong here any more: stop, and close without committing."""
        if not self.failed:
            self.failed = True
            self.replica.freeze(why, now_ms)
            self.store.abandon()
