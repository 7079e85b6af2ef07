"""UpdateTable's rules for the throughput of a global secondary index. Pure.

| member                | rule                                                                                    |
|-----------------------|-----------------------------------------------------------------------------------------|
| ProvisionedThroughput | in provisioned mode; it must change, and decreases are as limited as those of its table |
| OnDemandThroughput    | in on-demand mode; member by member, -1 takes a maximum away                            |
| WarmThroughput        | member by member; it only rises                                                         |

Words: ack-api-quirks (DDB-TABLE-152, 155, 164, 182). What is changed shows at once (ours: DynamoDB shows warm
throughput once it is there).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import ApiError, invalid_parameter
from dynabus.core.tables.capacity_changes import (
    DECREASED,
    merged_maximums,
    refuse_decrease,
    refuse_lower_warm,
    stamps_of,
    today,
    will_not_change,
)
from dynabus.core.tables.descriptions import Description, least_warm_throughput


def changed_capacity(members: Mapping[str, Any], shown: Description, mode: str, now_s: float) -> Description:
    """`shown`, of a table with this billing mode, as an Update of the index asks for it. Raises ApiError."""
    after = shown
    if "ProvisionedThroughput" in members:
        after = {**after, "ProvisionedThroughput": _units(members, shown, now_s)}
    if "OnDemandThroughput" in members:
        after = merged_maximums(after, members["OnDemandThroughput"])
    if "WarmThroughput" in members:
        after = {**after, "WarmThroughput": _warm(members, after, mode)}
    return after


def refuse_other_modes(members: Mapping[str, Any], mode: str, *, is_asked: bool) -> None:
    """An index has the throughput of its table's mode; `is_asked`: the same request says which one that is.

    Raises the ValidationException.
    """
    name, on_demand = members["IndexName"], mode == "PAY_PER_REQUEST"
    if on_demand and "ProvisionedThroughput" in members:
        if is_asked:
            raise invalid_parameter(
                f"Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {name} when "
                "BillingMode is PAY_PER_REQUEST"
            )
        raise only_on_demand(name)
    if not on_demand and "OnDemandThroughput" in members:
        first = next(iter(members["OnDemandThroughput"]))
        raise invalid_parameter(
            f"{first} for OnDemandThroughput cannot be specified for index : {name} when the table BillingMode is "
            "PROVISIONED"
        )


def only_on_demand(name: str) -> ApiError:
    """An index of an on-demand table has no other throughput (DDB-TABLE-152)."""
    return invalid_parameter(
        f"The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can be to "
        "OnDemandThroughput, WarmThroughput"
    )


def _units(members: Mapping[str, Any], shown: Description, now_s: float) -> dict[str, Any]:
    old, asked = today(shown["ProvisionedThroughput"], now_s), members["ProvisionedThroughput"]
    before = old["ReadCapacityUnits"], old["WriteCapacityUnits"]
    units = asked["ReadCapacityUnits"], asked["WriteCapacityUnits"]
    if units == before:
        raise will_not_change(units, f"index {members['IndexName']}")
    new = {**old, "ReadCapacityUnits": units[0], "WriteCapacityUnits": units[1]}
    if not any(before):
        return new  # its table was on demand until this request
    stamps = stamps_of(before, units)
    if DECREASED in stamps:
        refuse_decrease(old, now_s)
        new["NumberOfDecreasesToday"] += 1
    return {**new, **dict.fromkeys(stamps, now_s)}


def _warm(members: Mapping[str, Any], shown: Description, mode: str) -> dict[str, Any]:
    least = least_warm_throughput({**shown, "BillingMode": mode})
    current: Mapping[str, Any] = {**least, **shown.get("WarmThroughput", {})}
    refuse_lower_warm(members["WarmThroughput"], current, f"index {members['IndexName']}")
    return {**current, **members["WarmThroughput"], "Status": "UPDATING"}
