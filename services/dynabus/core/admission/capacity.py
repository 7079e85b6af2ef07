"""What a table's description allows: the rates of its buckets, and the caps of its partitions.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html (five minutes
of unused capacity), on-demand-capacity-mode.html (initial capacity, twice the previous peak), ServiceQuotas.html
(40,000 units for each table).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from dynabus.core.tables.capacity_changes import UNITS_MOST, billing_mode
from dynabus.core.tables.descriptions import ON_DEMAND_READ_UNITS, ON_DEMAND_WRITE_UNITS

BURST_S = 300
"""Of unused provisioned throughput are kept."""

ON_DEMAND_BURST_S = 10
"""On-demand tables (ours): their capacity is what DynamoDB promises at any moment, so there is no burst beyond it;
but routers hold leases of two seconds, and all of them must fit."""

ACCOUNT_UNITS = 40_000
"""DynamoDB's first quota of an on-demand table, for reads and for writes."""

PEAK_WINDOW_MS = 60_000.0
"""A peak is the average of a minute: shorter ones are what buckets are for."""

GROWTH_MS = 30 * 60_000.0
"""Traffic may double within 30 minutes."""

READ, WRITE = 0, 1
MEMBERS = (
    ("ReadCapacityUnits", "ReadUnitsPerSecond", "MaxReadRequestUnits", ON_DEMAND_READ_UNITS),
    ("WriteCapacityUnits", "WriteUnitsPerSecond", "MaxWriteRequestUnits", ON_DEMAND_WRITE_UNITS),
)
"""Names of a description's members for reads and for writes, and an on-demand table's first units."""


class Limit(StrEnum):
    """Which limit is reached, as DynamoDB's throttling reasons end."""

    PROVISIONED = "ProvisionedThroughputExceeded"
    KEY_RANGE = "KeyRangeThroughputExceeded"
    ACCOUNT = "AccountLimitExceeded"
    MAX_ON_DEMAND = "MaxOnDemandThroughputExceeded"


class Capacity(NamedTuple):
    """Half units per second, the half units that a bucket of it holds, and the limit that this is."""

    rate: int
    depth: int
    limit: Limit


def is_provisioned(description: Mapping[str, Any]) -> bool:
    return billing_mode(description) == "PROVISIONED"


def capacity_of(description: Mapping[str, Any], dimension: int, peak: int = 0) -> Capacity:
    """A table's capacity for reads (0) or writes (1). `peak`: the highest earlier traffic, in half units a second.

    What an on-demand table exceeds is, at DynamoDB, the capacity of its partitions: the reason says so.
    """
    provisioned, warm, most, initial = MEMBERS[dimension]
    if is_provisioned(description):
        rate = 2 * min(description["ProvisionedThroughput"][provisioned], UNITS_MOST)
        return Capacity(rate, rate * BURST_S, Limit.PROVISIONED)
    floor = 2 * max(initial, min(description.get("WarmThroughput", {}).get(warm, 0), UNITS_MOST))
    rate, limit = max(floor, 2 * peak), Limit.KEY_RANGE
    account = max(2 * ACCOUNT_UNITS, floor)
    if rate > account:
        rate, limit = account, Limit.ACCOUNT
    maximum = description.get("OnDemandThroughput", {}).get(most)
    if maximum is not None and 0 < 2 * maximum <= rate:
        rate, limit = 2 * maximum, Limit.MAX_ON_DEMAND
    return Capacity(rate, rate * ON_DEMAND_BURST_S, limit)


def partition_cap(description: Mapping[str, Any], dimension: int, partitions: int, units: int) -> int:
    """Half units a second of one partition. `units` is the cap of the settings.

    An on-demand table is promised its first capacity, and a warm one that, however few partitions it has here
    (DynamoDB would have made more): then its partitions may do their part of that.
    """
    if is_provisioned(description):
        return 2 * units
    _, warm, _, initial = MEMBERS[dimension]
    promised = max(initial, min(description.get("WarmThroughput", {}).get(warm, 0), UNITS_MOST))
    return 2 * max(units, int(-(-promised // max(1, partitions))))


class Peak:
    """The highest minute of a table's traffic, which counts once its half hour is over."""

    __slots__ = ("_growing_since_ms", "_highest", "_minute_ms", "_units", "established")

    def __init__(self, now_ms: float, established: int = 0) -> None:
        self.established = established
        """Half units a second: twice as many are admitted."""
        self._units = self._highest = 0
        self._minute_ms = self._growing_since_ms = now_ms

    def used(self, units: int, now_ms: float) -> None:
        """Half units that were used since the last call."""
        self._units += units
        if now_ms - self._minute_ms >= PEAK_WINDOW_MS:
            self._highest = max(self._highest, int(self._units * 1000 / (now_ms - self._minute_ms)))
            self._units, self._minute_ms = 0, now_ms
        if now_ms - self._growing_since_ms >= GROWTH_MS:
            self.established = max(self.established, self._highest)
            self._highest, self._growing_since_ms = 0, now_ms
