"""How many partitions a table's throughput needs. Pure.

A partition serves 3,000 read and 1,000 write units a second. Of provisioned throughput both parts are added, which is
DynamoDB's documented formula, RCU / 3000 + WCU / 1000. Warm throughput is what a table can serve at any moment, reads
and writes at once, so the larger part counts; that of a new on-demand table, 12,000 and 4,000, is DynamoDB's four
partitions, for which there is a setting here (docs/throttling.md says why).

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html (a partition's
limits) and warm-throughput.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dynabus.core.tables.descriptions import (
    ON_DEMAND_READ_UNITS,
    ON_DEMAND_WRITE_UNITS,
    PARTITION_READ_UNITS,
    PARTITION_WRITE_UNITS,
)

Units = tuple[int, int]
"""(read, write) capacity units."""


class Policy(NamedTuple):
    """Of the cluster: partitions of any new table, of an on-demand one, and of one table at most."""

    initial: int
    on_demand: int
    most: int


def of_new(request: Mapping[str, Any], policy: Policy) -> int:
    """Partitions of a table that is created by this request."""
    on_demand = request.get("BillingMode") == "PAY_PER_REQUEST"
    provisioned = None if on_demand else _units(request.get("ProvisionedThroughput") or {})
    warm = request.get("WarmThroughput") or {}
    return min(policy.most, max(policy.initial, _needed(provisioned, _warm_units(warm), policy)))


def of_change(description: Mapping[str, Any], pending: Mapping[str, Any], policy: Policy) -> int:
    """Partitions that a table needs for a change of its throughput that is under way; 1 if there is none."""
    if "ProvisionedThroughput" not in pending and "WarmThroughput" not in pending:
        return 1
    after = {**description, **pending}
    on_demand = after.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    provisioned = None if on_demand else _units(after["ProvisionedThroughput"])
    before, warm = (_warm_units(each.get("WarmThroughput", {})) for each in (description, after))
    rises = any(new > old for new, old in zip(warm, before, strict=True))
    # What it was warm for before, as on demand without partitions for it, is no reason to make some now.
    return min(policy.most, _needed(provisioned, warm if rises else (0, 0), policy))


def _units(throughput: Mapping[str, Any]) -> Units:
    return throughput.get("ReadCapacityUnits", 0), throughput.get("WriteCapacityUnits", 0)


def _warm_units(warm: Mapping[str, Any]) -> Units:
    return warm.get("ReadUnitsPerSecond", 0), warm.get("WriteUnitsPerSecond", 0)


def _needed(provisioned: Units | None, warm: Units, policy: Policy) -> int:
    """`provisioned` None: on demand, whose first warm throughput is the setting's business."""
    for_warm = max(-(-warm[0] // PARTITION_READ_UNITS), -(-warm[1] // PARTITION_WRITE_UNITS))
    if provisioned is not None:
        read, write = provisioned
        shares = read * PARTITION_WRITE_UNITS + write * PARTITION_READ_UNITS
        return max(1, for_warm, -(-shares // (PARTITION_READ_UNITS * PARTITION_WRITE_UNITS)))
    is_more = warm[0] > ON_DEMAND_READ_UNITS or warm[1] > ON_DEMAND_WRITE_UNITS
    return max(policy.on_demand, for_warm if is_more else 1)
