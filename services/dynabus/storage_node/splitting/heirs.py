"""The heirs of this node: each turn every one goes a step on (`growing` has the table)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.topics import TopicIdentity
from dynabus.adapters.lmdb import LmdbStore, StoreError, discard
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.logs import logger
from dynabus.core.contents import Contents
from dynabus.core.ids import PartitionId
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.heir import Heir
from dynabus.core.replication.place import FOLD_VERSION, Place
from dynabus.core.rows import CorruptRow
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed, Lookups
from dynabus.storage_node.replicas.opening import Opening, Premises
from dynabus.storage_node.replicas.readers import Log
from dynabus.storage_node.replicas.suspects import CONFIRM_MS
from dynabus.storage_node.splitting.ancestors import AncestorLogs
from dynabus.storage_node.splitting.growing import Growing, Stage
from dynabus.storage_node.splitting.seeding import NothingToCopy, seed, unfinished

COMMIT_MS = 1000.0
"""As replicas: what a killed process reads again is a second."""

RETRY_MS = 500.0
"""After Kafka did not tell about a log."""

Source = Callable[[PartitionId], LmdbStore | bool]
"""The store of an open replica of this node; True while it is being opened, False where there is none to come."""

Kept = Callable[[PartitionId], bool]
"""Whether what is here of a partition is to stay as it is: its log lost records (I9)."""


class Heirs:
    """False where there are none."""

    def __init__(
        self, premises: Premises, lookups: Lookups, logs: AncestorLogs, source: Source, kept: Kept = lambda _: False
    ) -> None:
        self._premises, self._lookups, self._logs, self._source = premises, lookups, logs, source
        self._kept = kept
        self._growing: dict[PartitionId, Growing] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._ready = 0
        self._orphans: list[Opening] = []
        self.more_ready = False
        """Since it was last looked at and set back: others wait to hear it."""

    def __bool__(self) -> bool:
        return bool(self._growing)

    @property
    def busy(self) -> bool:
        """Some go on; those that failed do not."""
        return any(growing.stage is not Stage.FAILED for growing in self._growing.values())

    def is_to_come(self, partition: PartitionId) -> bool:
        """Its replica will be here; one that failed is not waited for."""
        growing = self._growing.get(partition)
        return growing is not None and growing.stage is not Stage.FAILED

    def __iter__(self) -> Iterator[PartitionId]:
        return iter([*self._growing])

    def add(self, opening: Opening) -> None:
        """A child was assigned to this node."""
        assert opening.to is not None
        self._growing[opening.partition] = Growing(opening, opening.to)

    def take_orphans(self) -> list[Opening]:
        """Children of which nothing is here, and no replica of the parent to copy: cloned or replayed."""
        orphans, self._orphans = self._orphans, []
        for opening in orphans:
            self.drop(opening.partition)
        return orphans

    def drop(self, partition: PartitionId) -> None:
        """The table is gone, or this node left the group."""
        growing = self._growing.pop(partition, None)
        if growing is not None:
            growing.abandon()
            self._leave_unread()

    def states(self) -> Iterator[ReplicaState]:
        """What heartbeats say of them."""
        return (growing.state() for growing in [*self._growing.values()])

    def close(self) -> None:
        """Commit all."""
        for growing in self._growing.values():
            try:
                growing.close()
            except StoreError as error:
                logger().error("heir failed", partition=str(growing.opening.partition), reason=str(error))
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._logs.close()

    # -- every turn -------------------------------------------------------------------------------------------

    def step(self, now_ms: float) -> list[Opening]:
        """Go on; returns those that are replicas now, each with its store."""
        if not self._growing:
            return []
        self._read()
        for growing in self._growing.values():
            try:
                self._go_on(growing, now_ms)
            except (StoreError, CorruptRow, UndecodableMessage) as error:
                self._fail(growing, str(error))
        ready = sum(growing.ready for growing in self._growing.values())
        self.more_ready, self._ready = self.more_ready or ready > self._ready, ready
        done = [growing for growing in self._growing.values() if growing.stage is Stage.FINISHED]
        for growing in done:
            del self._growing[growing.opening.partition]
            growing.opening.store = growing.store
            logger().info("heir became a replica", partition=str(growing.opening.partition))
        if done:
            self._leave_unread()
        return [growing.opening for growing in done]

    def _read(self) -> None:
        arrived, lost = self._logs.poll()
        for growing in self._growing.values():
            log = growing.log
            if log is None or growing.heir is None:
                continue
            if log in lost:
                self._locate_again(growing)
            elif log in arrived:
                try:
                    growing.heir.read_log(arrived[log])
                except (StoreError, CorruptRow) as error:
                    self._fail(growing, str(error))
            growing.end_offset = max(growing.end_offset, self._logs.end_offset(log))

    def _locate_again(self, growing: Growing) -> None:
        """Its place is not in the log any more: pruned, or lost by Kafka. What it has not committed is read again."""
        logger().warning("heir's place outside of its log", partition=str(growing.opening.partition))
        growing.abandon()
        growing.heir = growing.contents = None
        growing.stage = Stage.LOCATING

    def _go_on(self, growing: Growing, now_ms: float) -> None:
        match growing.stage:
            case Stage.BEGUN:
                self._begin(growing)
            case Stage.SEEDING:
                self._collect_copy(growing)
            case Stage.LOCATING:
                self._locate(growing, now_ms)
            case Stage.FOLLOWING:
                self._follow(growing, now_ms)

    def _begin(self, growing: Growing) -> None:
        partition, path = growing.opening.partition, self._path(growing)
        if path.exists():
            growing.store = self._premises.open_store(partition, kept=self._kept(partition))
            growing.stage = Stage.LOCATING
            return
        source = self._source(PartitionId(partition.log, growing.to.lineage[-1]))
        if source is True:
            return
        if isinstance(source, LmdbStore):
            growing.snapshot = source.snapshot()
            if self._pool is None:
                # One copy at a time: two would only share what the loop leaves.
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="seeding")
            indexes, sync = growing.opening.indexes, self._premises.sync
            growing.copied = self._pool.submit(seed, growing.snapshot, growing.to, indexes, path, sync)
            growing.stage = Stage.SEEDING
        else:
            # What a copy left that was cut off by the end of a process.
            self._lookups.remove_folder(unfinished(path))
            self._orphan_or_replay(growing)

    def _orphan_or_replay(self, growing: Growing) -> None:
        growing.stage = Stage.LOCATING if growing.opening.replay else Stage.ORPHAN
        if growing.stage is Stage.ORPHAN:
            self._orphans.append(growing.opening)

    def _collect_copy(self, growing: Growing) -> None:
        copied = growing.copied
        if copied is None or not copied.done():
            return
        growing.snapshot = growing.copied = None
        try:
            copied.result()
        except NothingToCopy as error:
            logger().info("heir replays", partition=str(growing.opening.partition), reason=str(error))
            discard(self._path(growing))
            self._orphan_or_replay(growing)
        else:
            growing.stage = Stage.LOCATING

    def _locate(self, growing: Growing, now_ms: float) -> None:
        """Which log is it, and does its place lie in it (I9)?"""
        if growing.store is None:
            partition = growing.opening.partition
            growing.store = self._premises.open_store(partition, kept=self._kept(partition))
        stored = growing.store.place()
        place = decode_place(stored) if stored else None
        if place is None and not growing.opening.replay:
            # It was discarded after a crash of the host, or never committed; the parent may be here.
            growing.abandon()
            discard(self._path(growing))
            growing.stage = Stage.BEGUN
            return
        if place is not None and place.origin.partition == growing.opening.partition:
            growing.stage = Stage.FINISHED
            return
        number = place.origin.partition.number if place is not None else growing.to.lineage[0]
        if growing.facts is None:
            if now_ms >= growing.retry_at_ms:
                self._logs.introduce(growing.opening.log.topic)
                fresh = growing.outside_since_ms is not None
                growing.facts = self._lookups.log_facts(Log(growing.opening.log.topic, number), fresh)
            return
        if not growing.facts.done():
            return
        facts, growing.facts = growing.facts, None
        try:
            self._start(growing, place, facts.result(), now_ms)
        except LookupFailed as error:
            growing.retry_at_ms, growing.alarm = now_ms + RETRY_MS, str(error)

    def _start(self, growing: Growing, place: Place | None, facts: LogFacts, now_ms: float) -> None:
        assert growing.store is not None
        identity = facts.identity
        if place is None:
            place = growing.to.root(identity.cluster_id, identity.topic_id)
        if not _is_of(place, identity):
            self._doubt(
                growing, f"its place is of {place.origin}, the log is of {identity}: restore that log", now_ms
            )
            return
        if place.next_offset < facts.low:
            # All members of the child have it on disk (I8); so this node is to clone one of them.
            growing.abandon()
            discard(self._path(growing))
            growing.opening.replay = False
            self._orphan_or_replay(growing)
            return
        if place.next_offset > facts.high:
            has = f"which has {facts.low} to {facts.high}"
            self._doubt(growing, f"place {place.next_offset} lies outside of the log, {has}", now_ms)
            return
        growing.contents = Contents(growing.store, growing.opening.indexes)
        bodies = self._premises.around.bodies
        growing.heir = Heir(growing.to, growing.store, place, bodies, growing.contents.follow)
        growing.stage, growing.alarm, growing.end_offset = Stage.FOLLOWING, "", facts.high
        growing.outside_since_ms = None
        growing.committed_offset, growing.committed_ms = place.next_offset, now_ms
        self._read_from(Log(growing.opening.log.topic, growing.heir.ancestor))

    def _doubt(self, growing: Growing, why: str, now_ms: float) -> None:
        """A Kafka leader that has just changed may not know its own end: asked again before it counts (I9)."""
        if growing.outside_since_ms is None:
            growing.outside_since_ms = now_ms
        growing.alarm, growing.retry_at_ms = why, now_ms + RETRY_MS
        if now_ms - growing.outside_since_ms >= CONFIRM_MS:
            self._fail(growing, why)

    def _read_from(self, log: Log) -> None:
        """From the place of whoever is furthest behind; the others skip what they have."""
        places = [g.heir.place.next_offset for g in self._growing.values() if g.heir is not None and g.log == log]
        self._logs.read(log, min(places))

    def _follow(self, growing: Growing, now_ms: float) -> None:
        heir = growing.heir
        assert heir is not None
        if heir.go_over():
            growing.commit(now_ms)
            growing.end_offset = -1
            if heir.finished:
                growing.stage = Stage.FINISHED
            else:
                self._read_from(Log(growing.opening.log.topic, heir.ancestor))
                self._leave_unread()
        elif heir.alarm is not None:
            self._fail(growing, heir.alarm)
        elif heir.place.next_offset != growing.committed_offset and now_ms >= growing.committed_ms + COMMIT_MS:
            growing.commit(now_ms)

    def _fail(self, growing: Growing, why: str) -> None:
        logger().error("heir failed", partition=str(growing.opening.partition), reason=why)
        growing.fail(why)

    def _leave_unread(self) -> None:
        self._logs.keep({log for log in (growing.log for growing in self._growing.values()) if log is not None})

    def _path(self, growing: Growing) -> Path:
        return self._premises.folder.replica(growing.opening.partition)


def _is_of(place: Place, identity: TopicIdentity) -> bool:
    same = (place.origin.cluster, place.origin.topic) == (identity.cluster_id, identity.topic_id)
    return same and place.fold_version == FOLD_VERSION
