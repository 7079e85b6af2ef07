"""What storage nodes tell auto-admin of the load of their replicas, as `schemas/heat.avsc` has it."""

from __future__ import annotations

from typing import TypedDict


class IndexCharge(TypedDict):
    """What writes of a table's partition cost an index, in half units. `index`: id of the index's logs."""

    index: str
    units: int


class PartitionHeat(TypedDict):
    """What one replica served since the node's last message, in half units.

    `units`: reads and writes that were served, and that its cap refused. By the leader of a hot partition: `heat` are
    reads and writes, refused ones too, in thousandths of the partition's cap; `at` is the bound that would halve the
    load, or `why` says why no split would help. By any leader: `charges`.
    """

    log: str
    partition: int
    generation: int
    units: list[int]
    heat: list[int]
    at: bytes | None
    why: str
    charges: list[IndexCharge]


class NodeHeat(TypedDict):
    """A node to auto-admin, on the control topic: replicas that served anything within the last period."""

    node: str
    period_ms: int
    partitions: list[PartitionHeat]
