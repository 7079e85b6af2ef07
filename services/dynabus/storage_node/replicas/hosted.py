"""One replica with its store: when it commits, and what happens when its store fails.

A store that fails takes its replica out of service and nothing else: the replica stops with
an alarm, its leader resigns, the process and all other replicas go on. If its bytes are not those that were written
(`damage`), it is rebuilt (`repair`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress

from dynabus.adapters.lmdb import LmdbStore, StoreDamagedError, StoreError
from dynabus.adapters.log_codec import encode_place
from dynabus.adapters.logs import logger
from dynabus.core.admission.index_holds import Hold
from dynabus.core.admission.partition import Metered
from dynabus.core.agreement import EVERY, Statements
from dynabus.core.contents import Contents
from dynabus.core.global_indexes.lag import Backlogs, Watch
from dynabus.core.global_indexes.walk import Walk
from dynabus.core.global_tables.forgetting import Forgetting
from dynabus.core.ids import PartitionId
from dynabus.core.local_indexes import IndexRules
from dynabus.core.pruning import NOTHING, durable_at
from dynabus.core.replication.effects import Query, Write
from dynabus.core.replication.election import Stage
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.succession import Begin, Succession
from dynabus.core.rows import CorruptRow
from dynabus.core.scrub import Damage
from dynabus.storage_node.expiry.deadlines import Deadlines
from dynabus.storage_node.replicas.readers import By, Log
from dynabus.storage_node.replicas.resting import Rest

BROKEN_STORE = (StoreError, CorruptRow)
DAMAGED = (StoreDamagedError, CorruptRow)


class Hosted:
    """A replica in this process. Its methods are the brain's, with a failing store turned into quarantine."""

    __slots__ = (
        "_deadlines",
        "aside",
        "committed",
        "committed_changes",
        "comparing",
        "contents",
        "copied_changes",
        "damage",
        "dirty_since_ms",
        "durable",
        "expected",
        "failed",
        "forgetting",
        "holds",
        "log",
        "meter",
        "note",
        "opened_ms",
        "partition",
        "read",
        "replica",
        "rest",
        "restless",
        "rules",
        "scrub_tried_ms",
        "scrubbed_ms",
        "statements",
        "store",
        "succession",
        "syncs",
        "walk",
        "watch",
    )

    def __init__(
        self,
        partition: PartitionId,
        log: Log,
        store: LmdbStore,
        replica: Replica,
        contents: Contents,
        rules: IndexRules,
        opened_ms: float = 0.0,
    ) -> None:
        self.partition = partition
        self.log = log
        self.store = store
        self.replica = replica
        self.contents = contents
        self._deadlines: Deadlines | None = None
        self.rules = rules
        self.succession = Succession(replica.around.me, replica.around.bodies)
        self.failed = False
        """Its store failed; the alarm of the replica says how."""
        self.damage = ""
        """Its bytes are not those that were written: what was found, and where."""
        self.note = ""
        """What is being done about it, or was last: it is being rebuilt, or cannot be yet."""
        self.comparing = False
        """The record before its place is to come once more: only then is it known to follow its log (`readers`)."""
        self.aside = ""
        """What a replica of before a recovery holds that the recovery does not."""
        self.expected: Place | None = None
        """Where the damaged store had come to from which this one is rebuilt, until it has come there too."""
        self.opened_ms = opened_ms
        self.scrubbed_ms: float | None = None
        """When it was last read as a whole; `scrub_tried_ms`: or could not be."""
        self.scrub_tried_ms: float | None = None
        self.statements = Statements()
        self.committed = durable_at(replica.place)
        """What the last commit has, and keeps unless the host crashes."""
        self.committed_changes = self.copied_changes = 0
        """Changes of rows by the last commit, and by the last checkpoint, of those that `contents` counts."""
        self.durable = NOTHING
        """What is on disk for certain (`checkpoints`)."""
        self.syncs = False
        """Each commit is, once another one follows."""
        self.dirty_since_ms: float | None = None
        self.restless = True
        self.rest = Rest()
        self.meter: Metered | None = None
        self.holds: Mapping[str, Hold] = {}
        """Why writes that touch a global secondary index of its table are refused now, by index."""
        self.watch = Watch(replica.place.next_offset, opened_ms)
        replica.applied = self.watch.applied
        self.walk: Walk | None = None
        """Through the rows of an index, for tombstones that may go; of the last term that was led here."""
        self.forgetting: Forgetting | None = None
        """Of a global table: its floors and tombstones; of the last term that was led here."""
        self.read = 0
        """Records read since the process started, those that are void too."""

    def follow_deadlines(self) -> Deadlines:
        """When its items expire, kept from here on: before any record is applied."""
        self._deadlines = Deadlines(self.store, self.contents)
        return self._deadlines

    @property
    def deadlines(self) -> Deadlines:
        """When its items expire."""
        return self._deadlines or self.follow_deadlines()

    @property
    def backlogs(self) -> Backlogs:
        """How far indexes of its table are behind this log; asked for once the log has begun."""
        return self.watch.backlogs(self.replica.place)

    @property
    def best_read_by(self) -> By:
        """Which consumer should read its log once it is up to date: read-backs must not wait."""
        replica = self.replica
        urgent = replica.leader is not None or replica.election.stage is Stage.CLAIMING
        if not urgent:
            return By.FOLLOWED
        return By.RESTING if self.rest.now else By.MAIN

    @property
    def state(self) -> str:
        """As heartbeats say it: opening, joining, active, sealed, failed, stopped; doubtful, held, frozen (its log
        lost records, `core.replication.standstill`); restoring (a recovery's log that does not hold all yet).
        """
        replica, place = self.replica, self.replica.place
        if self.failed:
            return "failed"
        if replica.alarm is not None:
            return "frozen" if replica.lost else "stopped"
        if place.sealed:
            return "sealed"
        if replica.standstill:
            return "doubtful" if replica.standstill.beyond else "held"
        if place.is_restoring:
            return "restoring"
        if place.group is not None and not place.admits(self.replica.around.me.node):
            return "joining"
        return "active" if self.replica.caught_up else "opening"

    @property
    def alarm(self) -> str:
        """What people should know of it; empty if it is well."""
        return self.fault or self.aside

    @property
    def fault(self) -> str:
        """Why it is not well itself, whatever lies beside it."""
        return self.replica.alarm or self.replica.standstill.why or self.note or self.damage

    @property
    def warning(self) -> str:
        """What people should know of who leads it, though it is well."""
        return self.forgetting.alarm if self.forgetting is not None and self.replica.leader is not None else ""

    def read_log(self, records: list[Record], now_ms: float) -> None:
        """Records of its log, in order."""
        before, self.watch.read_ms = self.replica.place.next_offset, now_ms
        try:
            for part in self._parts(records):
                self.replica.read_log(part, now_ms)
                self._look_at_place(now_ms)
        except BROKEN_STORE as error:
            self.quarantine(error, now_ms)
        self.read += self.replica.place.next_offset - before
        if self.dirty_since_ms is None and self.replica.place.next_offset != self.committed.offset:
            self.dirty_since_ms = now_ms

    def _parts(self, records: list[Record]) -> Iterator[list[Record]]:
        """Cut where the place must be looked at: at multiples of `EVERY`, and at the expected one."""
        start = 0
        while start < len(records):
            stop = self._next_stop()
            end = len(records)
            if records[-1].offset >= stop:
                end = bisect_left(records, stop, lo=start, key=lambda record: record.offset)
            if end == start:
                end = len(records)
            yield records[start:end] if start or end < len(records) else records
            start = end

    def _next_stop(self) -> int:
        offset = self.replica.place.next_offset
        stop = (offset // EVERY + 1) * EVERY
        expected = self.expected
        return stop if expected is None or expected.next_offset <= offset else min(stop, expected.next_offset)

    def _look_at_place(self, now_ms: float) -> None:
        place, expected = self.replica.place, self.expected
        if place.next_offset % EVERY == 0:
            self.statements.passed(place.next_offset, self.contents.checksum)
        if expected is not None and place.next_offset >= expected.next_offset:
            self.expected = None
            if place.next_offset == expected.next_offset and place.chain != expected.chain:
                self.replica.lose(
                    f"diverged: up to offset {place.next_offset} the log is not the one that the damaged store had "
                    "read; recover from the most advanced replica",
                    now_ms,
                )

    def write(self, request: Write, now_ms: float, wall_ms: int) -> None:
        try:
            self.replica.write(request, now_ms, wall_ms)
        except BROKEN_STORE as error:
            self.quarantine(error, now_ms, request.key)

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
        if self.note and not self.damage and self.state == "active":
            logger().info("replica repaired", partition=str(self.partition), offset=self.replica.place.next_offset)
            self.note = ""
        leader = self.replica.leader
        self.rest.look(now_ms, leads=leader is not None, idle=leader is not None and leader.idle)
        self.restless = not self.failed and (self.replica.restless or self.succession.pending(self.replica.place))

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
            encoded = encode_place(place)
            self.store.commit(encoded, self.contents.encode(encoded))
        except StoreError as error:
            self.quarantine(error, now_ms)
        else:
            if self.syncs:
                # LMDB writes a commit's own root to disk with the next one: a crash of the host may undo the last.
                self.durable = self.committed
            self.committed = durable_at(place)
            self.committed_changes = self.contents.changes

    def due_to_commit(self, now_ms: float, interval_ms: float, records: int) -> bool:
        since_ms = self.dirty_since_ms
        if since_ms is None:
            return False
        read = self.replica.place.next_offset - self.committed.offset
        changed = self.contents.changes - self.committed_changes
        return now_ms - since_ms >= interval_ms or max(read, changed) >= records

    def damaged(self, what: str) -> None:
        """Its bytes are not those that were written. It goes on until it can be rebuilt."""
        self.damage = f"damaged at offset {self.replica.place.next_offset}: {what}"
        logger().error("replica damaged", partition=str(self.partition), reason=self.damage)

    def quarantine(self, error: Exception, now_ms: float, key: bytes = b"") -> None:
        """Stop this replica for good; what its last commit holds stays as it is. `key`: what was asked for."""
        self.failed = True
        # A frozen replica may hold what is lost elsewhere (I9), so its store is never replaced.
        if isinstance(error, DAMAGED) and self.replica.alarm is None:
            self.damaged(str(Damage(str(error), key)))
        self.replica.step_down(now_ms)
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
            place = encode_place(self.replica.place)
            self.store.close(place, self.contents.encode(place))
        except StoreError as error:
            self.failed = True
            logger().error("replica failed", partition=str(self.partition), reason=str(error))

    def retire(self, why: str, now_ms: float) -> None:
        """It does not belong here any more: stop, and close without committing."""
        if not self.failed:
            self.failed = True
            self.replica.freeze(why, now_ms)
            self.store.abandon()
