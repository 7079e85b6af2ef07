"""A table as everybody but auto-admin knows it: from metadata, and from what splits have made of it since."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from dynabus.core.global_indexes import GlobalIndexes
from dynabus.core.key_schema import KeySchema
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.messages import PartitionMetadata
from dynabus.core.values import Item

HEIR, RESTORING, FROZEN = "heir", "restoring", "frozen"
"""States of partitions of which the first two do not serve yet, and the third not any more."""


@dataclass(slots=True)
class Table:
    """A table, or a global secondary index, as auto-admin published it last, with the partitions that serve in key
    order.

    While one of them is split, its children are in `heirs` by its number; they take its place as soon as they serve,
    or it says that it is sealed, whatever metadata says then. Until metadata says it too the parent is in `sealed`.
    """

    id: str
    name: str
    version: int
    status: str
    description: dict[str, Any]
    schema: KeySchema
    indexes: LocalIndexes
    partitions: list[PartitionMetadata]
    global_indexes: GlobalIndexes = field(default_factory=GlobalIndexes)
    heirs: dict[int, list[PartitionMetadata]] = field(default_factory=dict)
    sealed: list[PartitionMetadata] = field(default_factory=list)
    restoring: list[PartitionMetadata] = field(default_factory=list)
    """Successors of frozen partitions."""
    time_to_live: str = ""
    """The attribute by which items expire; empty: none does."""
    ingest: bool = False
    """It takes commands from Kafka."""
    regions: tuple[str, ...] = ()
    """Of a global table, this cluster's own first."""
    former: tuple[str, ...] = ()
    """Those that were among them: what they wrote may still arrive, by another one."""
    lacks_items: bool = False
    """One of the regions sends it every item, and it does not have all yet."""
    _lowers: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        heirs = [partition for partition in self.partitions if partition["state"] == HEIR]
        for heir in heirs:
            self.heirs.setdefault(heir["lineage"][-1], []).append(heir)
        self.restoring = [partition for partition in self.partitions if partition["state"] == RESTORING]
        self._serve([partition for partition in self.partitions if partition["state"] not in (HEIR, RESTORING)])

    def _serve(self, partitions: list[PartitionMetadata]) -> None:
        self.partitions = sorted(partitions, key=lambda partition: partition["lower"])
        self._lowers = [partition["lower"] for partition in self.partitions]

    def has_index(self, name: str) -> bool:
        """Local or global."""
        return self.indexes.named(name) is not None or self.global_indexes.named(name) is not None

    def check_index_keys(self, item: Item) -> None:
        """Raise the ValidationException for an item to be put whose attributes do not fit an index."""
        self.indexes.check(item)
        self.global_indexes.check(item)

    def succeed(self, number: int) -> bool:
        """A partition is sealed: its children take its place. False if it is none that is being split."""
        heirs = self.heirs.pop(number, None)
        if heirs is None:
            return False
        self.sealed += [partition for partition in self.partitions if partition["number"] == number]
        self._serve([*(partition for partition in self.partitions if partition["number"] != number), *heirs])
        return True

    def partition_of(self, key: bytes) -> PartitionMetadata:
        """The partition whose range holds an encoded key."""
        return self.partitions[max(0, bisect_right(self._lowers, key) - 1)]

    def partition_below(self, upper: bytes | None) -> PartitionMetadata:
        """The last partition that holds keys below `upper` (None: the table's last)."""
        if upper is None:
            return self.partitions[-1]
        at = bisect_right(self._lowers, upper) - 1
        if at > 0 and self._lowers[at] == upper:
            at -= 1
        return self.partitions[max(0, at)]
