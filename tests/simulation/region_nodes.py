"""Storage nodes' part of global tables in three regions: their own code (`storage_node.regions`), modelled replicas.

Leaders have their logs say what metadata and words of other regions say, decide other regions' writes, walk, and take
tombstones away. A tombstone has no least age here, and there is little time between two records of floors: deletions
are to be forgotten while histories live.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from dynabus.core.global_tables.forgetting import Forgetting, Pace
from dynabus.core.ids import Incarnation, PartitionId, Writer
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.replication.effects import Write
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Read, Reader
from dynabus.storage_node.regions import GlobalTables
from dynabus.storage_node.upkeep.forgetting import Forgettings
from tests.simulation.disk import Disk
from tests.simulation.global_tables import WALL_MS, AnyKey
from tests.simulation.partitions import LOG
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.node import Node
    from tests.simulation.region_cluster import RegionCluster

PACE = Pace(250.0, 0)
CLOCK_LEAD_MS = 3000
"""How far ahead a write of another region may be stamped: a second more, and it waits."""

ROWS_PER_S = 40
"""So few that a walk takes several turns."""

FIRST_RUN = 1 << 40
"""Incarnations of nodes that number removals: above those of clients."""


class Heard(NamedTuple):
    """As much of a published table as storage nodes ask: regions, this one first, if it knows of any other one."""

    regions: tuple[str, ...]
    former: tuple[str, ...] = ()
    schema: AnyKey = AnyKey()
    lacks_items: bool = False


class Metadata:
    """What one node has heard. `table` is that of a `ClusterView`."""

    def __init__(self, region: str) -> None:
        self._region = region
        self.others: frozenset[str] = frozenset()
        self.former: frozenset[str] = frozenset()

    def table(self, _log: str) -> Heard:
        return Heard((self._region, *sorted(self.others)), tuple(sorted(self.former)))


class Upkeep:
    """Of one run of a node."""

    def __init__(self, node: Node, run: int, metadata: Metadata) -> None:
        self.metadata = metadata
        self.forgettings = Forgettings(Writer(node.name, Incarnation(FIRST_RUN + run)), PACE, ROWS_PER_S)

    def of(self, node: Node, replica: Replica, store: Disk) -> Kept:
        """A replica is new."""

        def wall_ms() -> int:
            return WALL_MS + node.wall_ms(node.clock_ms())

        number = replica.place.origin.partition.number
        tables = GlobalTables(cast("Any", self.metadata), CLOCK_LEAD_MS, self.forgettings, wall_ms)
        return Kept(replica, store, PartitionId(LOG, number), tables)


@dataclass(eq=False)
class Kept:
    """As much of `Hosted` as the upkeep of global tables needs; `tables` looks after this one alone."""

    replica: Replica
    store: Disk
    partition: PartitionId
    tables: GlobalTables
    forgetting: Forgetting | None = None
    failed: bool = False

    @property
    def contents(self) -> Disk:
        """Of which the number of rows that became tombstones is asked."""
        return self.store

    def write(self, request: Write, now_ms: float, wall_ms: int) -> None:
        """To the brain."""
        self.replica.write(request, now_ms, wall_ms)

    def quarantine(self, fault: Exception, _now_ms: float) -> NoReturn:
        """Its rows cannot be read."""
        raise Violation(f"a row cannot be read: {fault}")

    def step(self, now_ms: float, kafka_ms: int) -> None:
        """In each turn of its node; a heartbeat has just come, which Kafka stamped."""
        self.tables.broker.age_ms(now_ms, kafka_ms, 0)
        self.tables.step([cast("Any", self)], now_ms)


@dataclass(frozen=True)
class AtReplica:
    """What needs the replica that does it."""

    part: RequestPart
    cluster: RegionCluster

    def __call__(self, *_arguments: object) -> NoReturn:
        raise NotImplementedError("its replica is not known")


class Deciding(AtReplica):
    """A write of another region, as an evaluation."""

    def at(self, replica: Replica, _store: Disk) -> Evaluate:
        """What this replica decides."""
        kept = self.cluster.kept.get(replica)
        return _busy if kept is None else kept.tables.importing(cast("Any", kept), self.part)


class Hearing(AtReplica):
    """A word of another region, as a question."""

    def at(self, replica: Replica, _store: Disk) -> Read:
        """What this replica answers."""
        kept = self.cluster.kept.get(replica)
        return _nothing if kept is None else kept.tables.hearing(cast("Any", kept), self.part)


def _busy(_old: bytes | None, _wall_ms: int) -> Decision:
    """It has just begun."""
    return Decision(False, None, Outcome(ReplyStatus.BUSY))


def _nothing(_store: Reader) -> Outcome:
    """Likewise: a later word will do."""
    return Outcome()
