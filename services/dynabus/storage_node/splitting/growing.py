"""One heir on this node, from its assignment until it is a replica.

| stage     | ends when                                            | next      |
|-----------|------------------------------------------------------|-----------|
| begun     | its folder exists                                    | locating  |
| begun     | the parent's replica is open here                    | seeding   |
| begun     | no replica of the parent comes to be open here       | orphan: cloned, or begun again to be replayed |
| seeding   | the copy is whole, or there was nothing to copy      | locating  |
| locating  | Kafka told which log it is and what of it exists     | following |
| following | it has gone over to the child's own log              | finished  |
| any       | store or log cannot be used                          | failed    |
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

from dynabus.adapters.lmdb import LmdbStore, Snapshot
from dynabus.adapters.log_codec import encode_place
from dynabus.core.contents import Contents
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.heir import Heir, Inheritance
from dynabus.storage_node.replicas.lookups import LogFacts
from dynabus.storage_node.replicas.opening import Opening, said_of
from dynabus.storage_node.replicas.readers import Log

CAUGHT_UP_RECORDS = 256
"""As a replica's: what is left is read before the seal is read back."""


class Stage(Enum):
    BEGUN = "begun"
    SEEDING = "seeding"
    LOCATING = "locating"
    ORPHAN = "orphan"
    FOLLOWING = "following"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(slots=True)
class Growing:
    """Its stage and what that stage has."""

    opening: Opening
    to: Inheritance
    stage: Stage = Stage.BEGUN
    snapshot: Snapshot | None = None
    copied: Future[None] | None = None
    facts: Future[LogFacts] | None = None
    retry_at_ms: float = 0.0
    outside_since_ms: float | None = None
    """Its place does not lie in the log since then, as far as Kafka tells."""
    store: LmdbStore | None = None
    heir: Heir | None = None
    contents: Contents | None = None
    alarm: str = ""
    committed_offset: int = -1
    committed_ms: float = 0.0
    end_offset: int = -1

    @property
    def log(self) -> Log | None:
        """The ancestor's log that it reads."""
        if self.heir is None or self.stage is not Stage.FOLLOWING:
            return None
        return Log(self.opening.log.topic, self.heir.ancestor)

    @property
    def lag(self) -> int:
        """Records up to the ancestor's end; -1 while unknown."""
        if self.heir is None or self.end_offset < 0:
            return -1
        return max(0, self.end_offset - self.heir.place.next_offset)

    @property
    def ready(self) -> bool:
        """It follows its parent's log closely: the parent may be sealed."""
        on_parent = self.heir is not None and self.heir.ancestor == self.to.lineage[-1]
        return on_parent and self.stage is Stage.FOLLOWING and 0 <= self.lag <= CAUGHT_UP_RECORDS

    def commit(self, now_ms: float) -> None:
        """Data and place in one transaction (I6). Raises StoreError."""
        if self.store is not None and self.heir is not None and self.contents is not None:
            place = encode_place(self.heir.place)
            self.store.commit(place, self.contents.encode(place))
            self.committed_offset, self.committed_ms = self.heir.place.next_offset, now_ms

    def fail(self, why: str) -> None:
        """For good in this run; what its last commit holds stays as it is."""
        self.stage, self.alarm = Stage.FAILED, why
        self.abandon()

    def abandon(self) -> None:
        """Let go of everything, committing nothing."""
        if self.snapshot is not None:
            self.snapshot.close()
        if self.store is not None and self.stage is not Stage.FINISHED:
            self.store.abandon()
            self.store = None

    def close(self) -> None:
        """Commit, and leave a folder that is trusted after a restart of the host. Raises StoreError."""
        if self.snapshot is not None:
            self.snapshot.close()
        if self.store is not None and self.heir is not None and self.contents is not None:
            place = encode_place(self.heir.place)
            self.store.close(place, self.contents.encode(place))
            self.store = None

    def state(self) -> ReplicaState:
        """As heartbeats say it: "heir" once it is ready for the seal."""
        name = "failed" if self.stage is Stage.FAILED else "heir" if self.ready else "preparing"
        next_offset = self.heir.place.next_offset if self.heir is not None else 0
        return said_of(self.opening.partition, name, next_offset, self.lag, self.alarm or self.opening.note)
