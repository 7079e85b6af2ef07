"""From table metadata to the replicas that this node has. Pure.

Metadata is a cache of auto-admin's log and says only which replicas to open; who may claim is decided by the
partition's own log (I2). A record counts if its `version` is higher than what was known of that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import orjson

from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.local_indexes import LocalIndexes, local_indexes
from dynabus.core.messages import PartitionMetadata, TableMetadata
from dynabus.core.replication.heir import Inheritance

FROZEN = "frozen"
"""State of a partition in metadata."""

GONE = frozenset({"DELETING", "DELETED"})


class Change(NamedTuple):
    """What a new metadata record means for this node."""

    opened: tuple[PartitionId, ...] = ()
    preferred: frozenset[PartitionId] = frozenset()
    """Those of `opened` that claim first."""
    left: tuple[PartitionId, ...] = ()
    """Still a table, but this node is no member any more: stop serving."""
    elsewhere: tuple[PartitionId, ...] = ()
    """Partitions that are on other nodes only: what is here of them is of no use to anybody. Frozen ones are none."""
    inherited: Mapping[PartitionId, Inheritance] = MappingProxyType({})
    """Those of `opened` that are children of a split, however long ago."""
    indexes: LocalIndexes = LocalIndexes("", ())
    """Of the table, for those of `opened`."""
    table: LogId | None = None
    """Whose metadata this was; of a table that is not gone."""
    frozen: frozenset[PartitionId] = frozenset()
    """Partitions of this node whose logs lost records: only an operator's recovery touches them."""
    deleted: LogId | None = None
    """The table is gone: stop serving and take its data away."""


def inheritance(log: LogId, child: PartitionMetadata) -> Inheritance:
    """Of a partition that has ancestors."""
    return Inheritance(PartitionId(log, child["number"]), child["lower"], child["upper"], tuple(child["lineage"]))


class Assignments:
    """The newest metadata of each table, as far as it concerns one node."""

    def __init__(self, node: NodeName) -> None:
        self._node = node
        self._versions: dict[LogId, int] = {}
        self._mine: dict[LogId, frozenset[PartitionId]] = {}

    def learn(self, table: TableMetadata) -> Change:
        """Take a record in; one that is not newer than what is known changes nothing."""
        log = LogId(table["id"])
        if table["version"] <= self._versions.get(log, -1):
            return Change()
        self._versions[log] = table["version"]
        had = self._mine.pop(log, frozenset())
        if table["status"] in GONE:
            return Change(deleted=log)
        mine = {
            PartitionId(log, each["number"]): each["preferred"] == self._node
            for each in table["partitions"]
            if self._node in each["members"] or self._node in each["joining"]
        }
        self._mine[log] = frozenset(mine)
        return Change(
            opened=tuple(partition for partition in mine if partition not in had),
            inherited={
                partition: inheritance(log, each)
                for each in table["partitions"]
                if each["lineage"]
                and (partition := PartitionId(log, each["number"])) in mine
                and partition not in had
            },
            preferred=frozenset(partition for partition, preferred in mine.items() if preferred),
            indexes=local_indexes(orjson.loads(table["description"])) if mine else LocalIndexes("", ()),
            left=tuple(sorted(had.difference(mine))),
            table=log,
            frozen=frozenset(
                partition
                for each in table["partitions"]
                if each["state"] == FROZEN and (partition := PartitionId(log, each["number"])) in mine
            ),
            elsewhere=tuple(
                partition
                for each in table["partitions"]
                if each["state"] != FROZEN and (partition := PartitionId(log, each["number"])) not in mine
            ),
        )
