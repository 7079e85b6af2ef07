"""What is known of a replica before it is open, and what replicas are opened with."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.lmdb import LmdbStore, StoreLostError, discard
from dynabus.adapters.logs import logger
from dynabus.core.ids import PartitionId
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.effects import Surroundings
from dynabus.core.replication.heir import Inheritance
from dynabus.core.topics import Topics
from dynabus.storage_node.file_limit import FileLimit
from dynabus.storage_node.lookups import LogFacts
from dynabus.storage_node.readers import Log


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

    def state(self) -> ReplicaState:
        """As heartbeats say it."""
        return said_of(self.partition, "failed" if self.failed else "opening", 0, -1, self.alarm)


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

    def open_store(self, partition: PartitionId, *, kept: bool = False) -> LmdbStore:
        """A replica's store; an empty one where the old one cannot be trusted, unless it is to be kept (I9).

        Raises StoreError.
        """
        path = self.folder.replica(partition)
        try:
            return LmdbStore(path, self.sync)
        except StoreLostError as error:
            if kept:
                raise
            logger().warning("replica is rebuilt from its log", partition=str(partition), reason=str(error))
            discard(path)
            return LmdbStore(path, self.sync)
