"""Replicas over memory stores for tests of the shell around them."""

from __future__ import annotations

from typing import Any, cast

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.cluster_view import ClusterView
from dynabus.core.contents import Contents
from dynabus.core.global_tables.forgetting import Pace
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.local_indexes import IndexRules, LocalIndexes
from dynabus.core.replication.effects import Append, Surroundings, Timing
from dynabus.core.replication.place import Origin, start_of_log
from dynabus.core.replication.records import CHAIN_START, Envelope, Form, Genesis, Kind, decode_record, encode_record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import no_more
from dynabus.storage_node.regions import GlobalTables
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.hosting import Hosting
from dynabus.storage_node.replicas.readers import Log
from dynabus.storage_node.upkeep.forgetting import Forgettings

ME = Writer(NodeName("node-1"), Incarnation(7))
PARTITION = PartitionId(LogId("a" * 32), 0)
LOG = Log("t.log." + "a" * 32, 0)
ORIGIN = Origin("cluster", "topic", PARTITION)
BODIES = AvroBodies()


def hosted(store: Any = None, *, real_rows: bool = False) -> Hosted:
    """A replica that has read nothing; only real rows can be counted, and are."""
    store = store or MemoryStore()
    around = Surroundings(ME, lambda: 0.5, lambda: 11, BODIES, Timing())
    none = LocalIndexes("pk", ())
    contents = Contents(store, none)
    replica = Replica(around, store, start_of_log(ORIGIN), 0.0, contents.follow if real_rows else no_more)
    return Hosted(PARTITION, LOG, cast("LmdbStore", store), replica, contents, IndexRules(none, store))


def leading(store: Any = None, members: tuple[str, ...] = ("node-1", "node-2"), *, real_rows: bool = False) -> Hosted:
    """A replica that leads term 1."""
    made = hosted(store, real_rows=real_rows)
    number, body = BODIES.encode(Kind.GENESIS, Genesis(Form.NEW, b"", None, tuple(map(NodeName, members)), 0))
    admin = Writer(NodeName("admin"), Incarnation(1))
    genesis = encode_record(Envelope(1, 0, 0, CHAIN_START, 0, admin, 0, Kind.GENESIS), number, body)
    made.replica.end_offset = 1
    made.read_log([decode_record(0, 0, genesis)], 0.0)
    made.replica.prefer(0.0)
    made.tick(0.0)
    read_back(made, 1.0)
    assert made.replica.leader is not None
    return made


def regions(view: ClusterView | None = None, clock_lead_ms: int = 0) -> GlobalTables:
    """What a node knows of global tables; it walks as fast as it may, and forgets whatever is old enough."""
    return GlobalTables(view or ClusterView(), clock_lead_ms, Forgettings(ME, Pace(30_000.0, 0), 1_000_000))


def read_back(replica: Hosted, now_ms: float) -> None:
    """What it appended is in its log now."""
    appended = [effect.value for effect in replica.replica.take_effects() if isinstance(effect, Append)]
    offset = replica.replica.place.next_offset
    replica.read_log([decode_record(offset + index, 0, value) for index, value in enumerate(appended)], now_ms)


class Hosts:
    """As much of `Hosting` as heartbeats need."""

    def __init__(self, *replicas: Hosted) -> None:
        self.hosted = {(each.partition.log, each.partition.number): each for each in replicas}

    def unopened(self) -> list[Any]:
        return []


def hosting(*replicas: Hosted) -> Hosting:
    return cast("Hosting", Hosts(*replicas))
