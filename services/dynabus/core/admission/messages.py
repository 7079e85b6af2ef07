"""What travels over the bus about throughput: loads of replicas (`schemas/heat.avsc`), leases of tokens."""

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


class Spending(TypedDict):
    """What a router says of its reads or writes of one table: half units, counted since the router's start.

    `confirmed` are those that an authority has charged; `level` and `capacity` are what the last one said.
    """

    spent: int
    confirmed: int
    wanted: int
    level: int
    capacity: int


class LeaseRequest(TypedDict):
    """A router asks the authority of a table's throughput. `age_ms`: since the last lease was heard, -1: none was."""

    asker: str
    incarnation: int
    number: int
    log: str
    partition: int
    age_ms: int
    shares: list[Spending]


class Grant(TypedDict):
    """The lease of reads or of writes, in half units: `granted` beyond `spent`, which is charged now.

    `rate` is the router's share of `capacity`, both per second; `level` is the bucket's.
    """

    spent: int
    granted: int
    rate: int
    level: int
    capacity: int


class TokenLease(TypedDict):
    """The answer, to the newest `number` only."""

    incarnation: int
    number: int
    log: str
    node: str
    duration_ms: int
    shares: list[Grant]
