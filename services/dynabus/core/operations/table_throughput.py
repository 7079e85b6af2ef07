"""Throughput in requests about tables: what can be refused without the table's row.

Words: ack-api-quirks, and dynalite's recorded answers for units.
"""

from __future__ import annotations

from dynabus.core.errors import invalid_parameter
from dynabus.core.operations.calls import Request
from dynabus.core.tables.capacity_changes import check_most
from dynabus.core.tables.descriptions import least_warm_throughput

_INITIAL = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"
    "#on-demand-capacity-mode-initial"
)


def check_units(request: Request) -> None:
    """Raise the ValidationException for more units than a table can have."""
    check_most(_in_order(request))


def check_index_throughput(index: Request, *, on_demand: bool) -> None:
    """Raise the ValidationException for a new index whose throughput is not that of its table's mode."""
    name = index["IndexName"]
    if on_demand and "ProvisionedThroughput" in index:
        raise invalid_parameter(
            f"ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        )
    if not on_demand and "ProvisionedThroughput" not in index:
        raise invalid_parameter(f"ProvisionedThroughput is not specified for index: {name}")
    check_index_units(index)
    if not on_demand and "OnDemandThroughput" in index:
        kind = next(iter(index["OnDemandThroughput"]))
        raise invalid_parameter(
            f"{kind} for OnDemandThroughput cannot be specified for index : {name} when table BillingMode is "
            "PROVISIONED."
        )
    check_maximums(index, least=1, of=f"index : {name}")


def check_index_units(index: Request) -> None:
    """Raise the ValidationException for more units than an index can have."""
    check_most(_in_order(index), f" for index {index['IndexName']}")


def _in_order(request: Request) -> dict[str, int]:
    units = request.get("ProvisionedThroughput", {})
    return {name: units[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits") if name in units}


def check_maximums(request: Request, *, least: int, of: str = "table") -> None:
    """Raise the ValidationException for a maximum of on-demand throughput that is none (DDB-TABLE-039, 051)."""
    for name, units in request.get("OnDemandThroughput", {}).items():
        if units < least or units == 0:
            raise invalid_parameter(f"Requested {name} for OnDemandThroughput for {of} is outside of valid range")


def check_warm(request: Request, *, on_demand: bool, of: str = "table") -> None:
    """Raise the ValidationException for what is new, of that mode, and is to be warm for less than it has."""
    least = least_warm_throughput({**request, "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED"})
    warm = request.get("WarmThroughput", {})
    check_most(warm, "" if of == "table" else f" for {of}")
    for name, units in warm.items():
        if units >= least[name]:
            continue
        lower = f"Requested {name} for WarmThroughput for {of} is lower than"
        if on_demand:
            raise invalid_parameter(f"{lower} initial throughput for OnDemand. See: {_INITIAL}")
        provisioned = name.replace("UnitsPerSecond", "CapacityUnits")
        raise invalid_parameter(f"{lower} {provisioned} of ProvisionedThroughput")
