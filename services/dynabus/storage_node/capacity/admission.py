"""A storage node's part of admission: its replicas' caps, and buckets of tables whose first partition it leads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from dynabus.adapters.clock import unix_ms
from dynabus.core.admission import Mode
from dynabus.core.admission.admission import authority_partition
from dynabus.core.admission.authority import Authority
from dynabus.core.admission.capacity import Limit
from dynabus.core.admission.messages import LeaseRequest, TokenLease
from dynabus.core.admission.partition import Metered, PartitionMeter
from dynabus.core.admission.refusals import is_index, reason_of
from dynabus.core.admission.throttled import Event, Throttled
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes import GlobalIndexes
from dynabus.core.global_indexes.charges import charged
from dynabus.core.global_indexes.leading import checked
from dynabus.core.global_tables.forgetting import Pace
from dynabus.core.ids import NodeName, Writer
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.published_table import Table
from dynabus.core.replication.records import Form
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Evaluate, Read
from dynabus.storage_node.capacity.lags import IndexLags
from dynabus.storage_node.config import StorageNodeSettings
from dynabus.storage_node.regions import GlobalTables
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.upkeep.forgetting import Forgettings

AUTHORITIES_MOST = 2500
"""As many as tables; those of tables that are deleted, or led elsewhere by now, are the oldest."""

NO_INDEXES = GlobalIndexes()

Grant = Callable[[str, TokenLease], None]
"""Send a lease to a router."""


class _Owned(NamedTuple):
    """The authority of a table in one term of leadership of a partition, for one version of the table."""

    partition: int
    term: int
    version: int
    authority: Authority


class NodeAdmission:
    """`view` is the node's own; it tells what tables there are."""

    def __init__(
        self, mode: Mode, caps: tuple[int, int], node: NodeName, grant: Grant, regions: GlobalTables
    ) -> None:
        self.regions, self.view = regions, regions.view
        self.throttled = Throttled()
        self.owned: dict[str, _Owned] = {}
        self.lags = IndexLags(mode, self.view, self.throttled)
        self._mode, self._caps, self._node, self._grant = mode, caps, node, grant

    def step(self, replicas: Collection[Hosted], now_ms: float) -> list[Hosted]:
        """What is done now and then; returns replicas that something was done to."""
        self.lags.step(replicas, now_ms)
        return self.regions.step(replicas, now_ms)

    # -- partition caps ---------------------------------------------------------------------------------------

    def evaluation(self, hosted: Hosted, evaluate: Evaluate, part: RequestPart, now_ms: float) -> Evaluate:
        """A write's evaluation, with the rules of indexes, behind what holds these back and the partition's cap."""
        operation = part["operation"]
        evaluate = hosted.rules.evaluation(
            evaluate, is_import=operation == Code.IMPORT, is_update=operation == Code.UPDATE
        )
        table = self.view.table(part["log"])
        indexes = table.global_indexes if table is not None else NO_INDEXES
        if part["operation"] == Code.UPDATE and indexes.all:
            evaluate = checked(indexes, evaluate)
        if table is not None and indexes.all:
            evaluate = self.lags.evaluation(hosted, table, evaluate, part)
        meter = self._meter(hosted, part["log"], now_ms)
        if meter is not None:
            evaluate = meter.evaluation(evaluate, part, self._refuses, now_ms)
        return charged(indexes, evaluate)

    def reading(self, hosted: Hosted, read: Read, part: RequestPart, now_ms: float) -> Read:
        """A read behind the partition's cap."""
        meter = self._meter(hosted, part["log"], now_ms)
        return read if meter is None else meter.reading(read, part, self._refuses, now_ms)

    def _meter(self, hosted: Hosted, log: str, now_ms: float) -> PartitionMeter | None:
        table = self.view.table(log) if self._mode is not Mode.OFF else None
        if table is None:
            return None
        metered = hosted.meter
        if metered is None:
            meter = PartitionMeter(table.description, len(table.partitions), self._caps, now_ms)
            metered = hosted.meter = Metered(table.version, meter)
        elif metered.version != table.version:
            metered.meter.change(table.description, len(table.partitions), self._caps, now_ms)
            hosted.meter = Metered(table.version, metered.meter)
        return metered.meter

    def _refuses(self, part: RequestPart, dimension: int, units: int) -> bool:
        table = self.view.table(part["log"])
        name = table.name if table is not None else part["log"]
        of_index = table is not None and is_index(table.description)
        reason = reason_of(dimension, Limit.KEY_RANGE, of_index=of_index)
        self.throttled.note(Event(unix_ms(), name, part["partition"], part["key"], reason, units))
        return self._mode is Mode.ON

    # -- tables' buckets --------------------------------------------------------------------------------------

    def lease(self, hosted: Hosted | None, request: LeaseRequest, now_ms: float) -> None:
        """Answer a router, if the buckets of the table are kept here; else it will ask whoever leads."""
        table = self.view.table(request["log"])
        if hosted is None or table is None or request["partition"] != authority_partition(table):
            return
        authority = self._authority(hosted.replica, table, now_ms)
        lease = authority.answer(request, self._node, now_ms) if authority is not None else None
        if lease is not None:
            self._grant(request["asker"], lease)

    def _authority(self, replica: Replica, table: Table, now_ms: float) -> Authority | None:
        leader, group = replica.leader, replica.place.group
        if leader is None or not leader.serving or group is None:
            return None
        term, number = leader.seat.term, replica.place.origin.partition.number
        owned = self.owned.get(table.id)
        if owned is None or (owned.partition, owned.term) != (number, term):
            # Another one than the table's first may have led for long when the lower ones were split: what routers
            # were told by them counts.
            is_first = term == 1 and group.form is Form.NEW and number == 0
            since_ms = leader.seat.accepted_ms if number == 0 else now_ms
            authority = Authority(table.description, since_ms, is_first=is_first, now_ms=now_ms)
            self._keep(table.id, _Owned(number, term, table.version, authority))
            return authority
        if owned.version != table.version:
            owned.authority.change(table.description, now_ms)
            self._keep(table.id, owned._replace(version=table.version))
        return owned.authority

    def _keep(self, log: str, owned: _Owned) -> None:
        self.owned.pop(log, None)
        self.owned[log] = owned
        if len(self.owned) > AUTHORITIES_MOST:
            del self.owned[next(iter(self.owned))]


def node_admission(settings: StorageNodeSettings, me: Writer, grant: Grant) -> NodeAdmission:
    """As the settings have it. Routers' leases are granted whatever they say: routers have a setting of their own."""
    caps = (settings.partition_read_units, settings.partition_write_units)
    pace = Pace(1000.0 * settings.floors_every_s, 1000 * settings.tombstone_least_s)
    forgettings = Forgettings(me, pace, settings.tombstone_rows_per_s)
    regions = GlobalTables(ClusterView(), settings.max_clock_lead_ms, forgettings)
    return NodeAdmission(settings.throttling, caps, me.node, grant, regions)
