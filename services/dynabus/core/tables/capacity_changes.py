"""UpdateTable's rules for capacity: provisioned throughput, billing mode, maximums of on-demand throughput. Pure.

Called by `core.tables.changes`, which has the table of what is described when, and the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dynabus.core.errors import ApiError, invalid_parameter, limit_exceeded, validation_error
from dynabus.core.tables.descriptions import (
    ON_DEMAND_READ_UNITS,
    ON_DEMAND_WRITE_UNITS,
    Description,
    in_use,
    mode_summaries,
    refuse_second_change,
)

FREE_DECREASES = 4
DECREASE_PAUSE_S = 3600
"""Of provisioned throughput per UTC day; then one an hour. Source: ServiceQuotas.html, DDB-TABLE-326."""

_DAY_S = 86_400
INCREASED, DECREASED = "LastIncreaseDateTime", "LastDecreaseDateTime"

CLEAR = -1
"""A maximum of on-demand throughput that is taken away."""

UNITS_MOST = 1_000_000_000_000
"""Of throughput of any kind. Source: dynalite's recorded answers (validations/createTable)."""

Units = tuple[int, int]
"""(read, write) capacity units."""


class Changed(NamedTuple):
    """Description and pending members as they are now; None for a description that stays. `answer` is told."""

    description: Description | None
    pending: Description
    answer: Description


def check_most(units: Mapping[str, int], of: str = "") -> None:
    """Raise the ValidationException for more than anything can have; `of`: "", or " for index NAME"."""
    for name, each in units.items():
        if each > UNITS_MOST:
            raise validation_error(f"Given value {each} for {name} is out of bounds{of}")


def refuse_lower_warm(asked: Mapping[str, int], current: Mapping[str, Any], of: str) -> None:
    """Warm throughput only rises; `of`: "table", or "index NAME". Raises the ValidationException."""
    check_most(asked, "" if of == "table" else f" for {of}")
    for name, units in asked.items():
        if units < current.get(name, 0):
            raise invalid_parameter(
                f"Requested {name} for WarmThroughput for {of} is lower than current WarmThroughput, decreasing "
                "WarmThroughput is not supported"
            )


def updating(now: Description, later: Description) -> Changed:
    """It takes its time: `later` is described when it is done."""
    described = {**now, "TableStatus": "UPDATING"}
    return Changed(described, later, described)


def billing_mode(description: Mapping[str, Any]) -> str:
    """Tables that were never on demand show none."""
    return str(description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"))


def as_of(description: Description, now_s: float) -> Description:
    """A description with the decreases of this day: their count begins anew at 00:00 UTC (DDB-TABLE-185).

    Nothing is decided at midnight, so what is kept is the count of the day of the last decrease.
    """
    described = {**description, "ProvisionedThroughput": today(description["ProvisionedThroughput"], now_s)}
    if indexes := description.get("GlobalSecondaryIndexes"):
        described["GlobalSecondaryIndexes"] = [
            {**each, "ProvisionedThroughput": today(each["ProvisionedThroughput"], now_s)} for each in indexes
        ]
    return described


def today(throughput: dict[str, Any], now_s: float) -> dict[str, Any]:
    """The same of what a table or an index has."""
    is_of_today = throughput.get("LastDecreaseDateTime", 0.0) // _DAY_S == now_s // _DAY_S
    return throughput if is_of_today else {**throughput, "NumberOfDecreasesToday": 0}


def change_capacity(
    mode: str | None,
    units: Units | None,
    maximums: Mapping[str, int],
    existing: Description,
    pending: Description,
    now_s: float,
) -> Changed:
    """Billing mode, provisioned throughput, and maximums that come with a billing mode. Raises ApiError.

    `existing` is as of `now_s`.
    """
    current = billing_mode(existing)
    wanted = mode or current
    if units is not None and wanted == "PAY_PER_REQUEST":
        raise neither_units()
    if wanted == "PROVISIONED" and units is None:
        raise units_missing()
    if maximums and wanted == "PROVISIONED":
        raise not_on_demand(maximums)
    if units is None and wanted == current:
        return _again(maximums, existing, pending)
    refuse_second_change(existing, pending, "change table IOPS")
    warm: Description = pending.get("WarmThroughput") or existing.get("WarmThroughput", {})
    if units is None:
        return _to_on_demand(maximums, existing, warm, now_s)
    if current == "PAY_PER_REQUEST":
        return _to_provisioned(units, existing, warm)
    return _change_units(units, existing, warm, now_s)


def units_missing() -> ApiError:
    """A table becomes or stays provisioned with its units only."""
    return invalid_parameter("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")


def neither_units() -> ApiError:
    """On-demand tables have no units."""
    return invalid_parameter(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
    )


def _again(maximums: Mapping[str, int], existing: Description, pending: Description) -> Changed:
    """BillingMode=PAY_PER_REQUEST once more: nothing happens, and the answer says UPDATING (DDB-TABLE-177)."""
    if not maximums:
        return Changed(None, pending, {**existing, "TableStatus": "UPDATING"})
    changed = change_on_demand(maximums, existing, pending)
    return changed._replace(answer={**changed.answer, "TableStatus": "UPDATING"})


def _change_units(units: Units, existing: Description, warm: Mapping[str, Any], now_s: float) -> Changed:
    old: dict[str, Any] = existing["ProvisionedThroughput"]
    before = (old["ReadCapacityUnits"], old["WriteCapacityUnits"])
    if units == before:
        raise will_not_change(units, "table")
    stamps = stamps_of(before, units)
    less = DECREASED in stamps
    if less:
        refuse_decrease(old, now_s)
    now = {**old, **dict.fromkeys(stamps, now_s)}
    later = {
        **now,
        **dict.fromkeys(stamps),
        # One that lowers one and raises the other counts too (ours).
        "NumberOfDecreasesToday": old["NumberOfDecreasesToday"] + less,
        "ReadCapacityUnits": units[0],
        "WriteCapacityUnits": units[1],
    }
    return updating(
        {**existing, "ProvisionedThroughput": now},
        {"ProvisionedThroughput": later, "WarmThroughput": _at_least(warm, *units)},
    )


def _to_on_demand(
    maximums: Mapping[str, int], existing: Description, warm: Mapping[str, Any], now_s: float
) -> Changed:
    none = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    old = existing["ProvisionedThroughput"]
    since = existing.get("BillingModeSummary", {}).get("LastUpdateToPayPerRequestDateTime")
    summaries = mode_summaries("PAY_PER_REQUEST")
    now = {
        **existing,
        **mode_summaries("PAY_PER_REQUEST", since),
        # The time shows until the switch is done; it counts as no decrease (DDB-TABLE-064).
        "ProvisionedThroughput": {**old, "LastDecreaseDateTime": now_s, **none},
    }
    if maximums:
        now = merged_maximums(now, maximums)
    later: Description = {
        "ProvisionedThroughput": {**old, **none},
        "WarmThroughput": _at_least(warm, ON_DEMAND_READ_UNITS, ON_DEMAND_WRITE_UNITS),
        **{name: {**summary, "LastUpdateToPayPerRequestDateTime": None} for name, summary in summaries.items()},
    }
    return updating(now, later)


def _to_provisioned(units: Units, existing: Description, warm: Mapping[str, Any]) -> Changed:
    """The new units show at once (DDB-TABLE-369). Maximums of on-demand throughput go (ours)."""
    since = existing["BillingModeSummary"].get("LastUpdateToPayPerRequestDateTime")
    now = {
        **{name: member for name, member in existing.items() if name != "OnDemandThroughput"},
        **mode_summaries("PROVISIONED", since),
        "ProvisionedThroughput": {
            **existing["ProvisionedThroughput"],
            "ReadCapacityUnits": units[0],
            "WriteCapacityUnits": units[1],
        },
    }
    return updating(now, {"WarmThroughput": _at_least(warm, *units)})


def stamps_of(before: Units, units: Units) -> list[str]:
    """Members of ProvisionedThroughput that have the time of such a change."""
    pairs = [*zip(units, before, strict=True)]
    more, less = any(new > old for new, old in pairs), any(new < old for new, old in pairs)
    return ([INCREASED] if more else []) + ([DECREASED] if less else [])


def will_not_change(units: Units, of: str) -> ApiError:
    """`of`: "table", or "index NAME" (DDB-TABLE-164)."""
    read, write = units
    has = "the table" if of == "table" else of
    return validation_error(
        f"The provisioned throughput for the {of} will not change. The requested value equals the current value. "
        f"Current ReadCapacityUnits provisioned for {has}: {read}. Requested ReadCapacityUnits: {read}. "
        f"Current WriteCapacityUnits provisioned for {has}: {write}. Requested WriteCapacityUnits: {write}. "
        "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    )


def refuse_decrease(throughput: Mapping[str, Any], now_s: float) -> None:
    """Of a table or an index that had enough of them. Raises the LimitExceededException."""
    decreases, last_s = throughput["NumberOfDecreasesToday"], throughput.get("LastDecreaseDateTime", 0.0)
    if decreases < FREE_DECREASES or now_s - last_s >= DECREASE_PAUSE_S:
        return
    next_s = min(last_s + DECREASE_PAUSE_S, (now_s // _DAY_S + 1) * _DAY_S)
    raise limit_exceeded(
        "Provisioned throughput decreases are limited within a given UTC day. After the first 4 decreases, each "
        "subsequent decrease in the same UTC day can be performed at most once every 3600 seconds. Number of "
        f"decreases today: {decreases}. Last decrease at {_spelled(last_s)}. "
        f"Next decrease can be made at {_spelled(next_s)}"
    )


def _spelled(time_s: float) -> str:
    """As in "Friday, October 9, 2026 at 12:21:34 AM Coordinated Universal Time"."""
    time = datetime.fromtimestamp(time_s, UTC)
    return f"{time:%A}, {time:%B} {time.day}, {time.year} at {time:%I:%M:%S %p} Coordinated Universal Time".replace(
        " at 0", " at "
    )


# -- on-demand throughput -----------------------------------------------------------------------------------------


def change_on_demand(maximums: Mapping[str, int], existing: Description, pending: Description) -> Changed:
    """Its maximums alone; at once. Raises ApiError."""
    if billing_mode(existing) != "PAY_PER_REQUEST":
        raise not_on_demand(maximums)
    _refuse_on_demand_while_updating(existing, pending)
    now = merged_maximums(existing, maximums)
    told = {**existing.get("OnDemandThroughput", {}), **maximums}
    return Changed(now, pending, {**now, "OnDemandThroughput": told})


def _refuse_on_demand_while_updating(existing: Description, pending: Description) -> None:
    if existing["TableStatus"] != "UPDATING":
        return
    if "TableClassSummary" in pending:
        raise in_use(
            "OnDemandThroughput cannot be updated while TableClass update is in progress. "
            f"TableClassUpdateInProgress: {pending['TableClassSummary']['TableClass']}"
        )
    raise in_use("OnDemandThroughput cannot be updated while BillingMode update is in progress")


def merged_maximums(description: Description, maximums: Mapping[str, int]) -> Description:
    """Member by member; -1 takes one away, which only the answer shows (DDB-TABLE-182)."""
    merged = {**description.get("OnDemandThroughput", {}), **maximums}
    left = {name: units for name, units in merged.items() if units != CLEAR}
    others = {name: member for name, member in description.items() if name != "OnDemandThroughput"}
    return {**others, "OnDemandThroughput": left} if left else others


def not_on_demand(maximums: Mapping[str, int]) -> ApiError:
    """Maximums of on-demand throughput for a table that is not on demand."""
    return invalid_parameter(
        f"{next(iter(maximums))} for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"
    )


def _at_least(current: Mapping[str, Any], read: int, write: int) -> dict[str, Any]:
    """Warm throughput follows the highest throughput that a table ever had (DDB-TABLE-061)."""
    return {
        "ReadUnitsPerSecond": max(read, current.get("ReadUnitsPerSecond", 0)),
        "WriteUnitsPerSecond": max(write, current.get("WriteUnitsPerSecond", 0)),
        "Status": "ACTIVE",
    }
