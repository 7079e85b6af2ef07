"""What is known of a replica before it is open, and what replicas are opened with."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.lmdb import LmdbStore, StoreLostError, discard
from dynabus.adapters.logs import logger
from dynabus.core.contents import Contents
from dynabus.core.ids import PartitionId
from dynabus.core.local_indexes import IndexRules, LocalIndexes
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.effects import Surroundings
from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.place import FOLD_VERSION, Origin, Place
from dynabus.core.replication.replica import Replica
from dynabus.core.topics import Topics
from dynabus.storage_node.file_limit import FileLimit
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.lookups import LogFacts
from dynabus.storage_node.replicas.readers import Log
from dynabus.storage_node.upkeep.checkpoints import checkpoint_of, durable_of, restore


class NothingHere(Exception):
    """Its folder holds nothing that could be gone on from, and its log alone is not the way to get it."""


@dataclass(slots=True)
class Opening:
    """A replica that is assigned and not here yet. `alarm`: why not; with `failed` it is not tried again.

    `to`: of which ancestors it is the child; None for a partition of a new table. `store`: opened by its heir.
    """

    partition: PartitionId
    log: Log
    preferred: bool
    indexes: LocalIndexes
    to: Inheritance | None = None
    store: LmdbStore | None = None
    facts: Future[LogFacts] | None = None
    retry_at_ms: float = 0.0
    alarm: str = ""
    failed: bool = False
    note: str = ""
    """Why it is built anew; its alarm until it is caught up."""
    cloned: bool = False
    """What is in its folder was cloned just now."""
    replay: bool = False
    """It was decided that its log is replayed, however long that is."""

    def state(self) -> ReplicaState:
        """As heartbeats say it."""
        return said_of(self.partition, "failed" if self.failed else "opening", 0, -1, self.alarm)


def refuse(replica: Replica, origin: Origin, now_ms: float) -> bool:
    """True where its place cannot be gone on from in this log: it has stopped then."""
    place = replica.place
    if place.origin != origin:
        # Another topic of that name: there is nobody to be stopped by a fence.
        why = f"its place is of {place.origin}, the log is {origin}: restore that log, or recover"
        replica.lose(why, now_ms, fence=False)
        return True
    if place.fold_version != FOLD_VERSION:
        replica.freeze(f"its place was folded by rules {place.fold_version}, these are {FOLD_VERSION}", now_ms)
        return True
    return False


def said_of(partition: PartitionId, state: str, next_offset: int, lag: int, alarm: str) -> ReplicaState:
    """What heartbeats say of a replica that does not serve."""
    return {
        "log": partition.log,
        "partition": partition.number,
        "generation": 0,
        "state": state,
        "leading": False,
        "appending": False,
        "term": 0,
        "sequence": -1,
        "next_offset": next_offset,
        "lag": lag,
        "alarm": alarm,
        "totals": [],
        "checked": [],
        "plan": 0,
    }


@dataclass(frozen=True, slots=True)
class Premises:
    """What replicas are opened with."""

    topics: Topics
    folder: DataFolder
    files: FileLimit
    around: Surroundings
    sync: bool
    collection_bytes: int
    """An item collection of a table with local secondary indexes may not grow beyond it."""

    def host(self, opening: Opening, store: LmdbStore, place: Place, contents: Contents, now_ms: float) -> Hosted:
        """The replica over its store."""
        replica = Replica(self.around, store, place, now_ms, contents.follow)
        rules = IndexRules(opening.indexes, store, self.collection_bytes)
        hosted = Hosted(opening.partition, opening.log, store, replica, contents, rules, now_ms)
        hosted.note, hosted.syncs = opening.note, self.sync
        hosted.durable = durable_of(self.folder.replica(opening.partition), place.origin)
        hosted.follow_deadlines()
        return hosted

    def open_store(self, partition: PartitionId, *, kept: bool = False) -> LmdbStore:
        """A replica's store; where it cannot be trusted its checkpoint, or an empty one. Raises StoreError.

        `kept`: nothing takes its place (I9).
        """
        path = self.folder.replica(partition)
        try:
            return LmdbStore(path, self.sync)
        except StoreLostError as error:
            if kept:
                raise
            restored = restore(path)
            logger().warning("store lost", partition=str(partition), reason=str(error), restored=restored)
            if not restored:
                discard(path)
            try:
                return LmdbStore(path, self.sync)
            except StoreLostError:
                discard(checkpoint_of(path))  # it is no store either, and nothing may count on it
                discard(path)
                return LmdbStore(path, self.sync)
