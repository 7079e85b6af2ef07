"""What UpdateTable may change of an index's throughput."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.tables.index_capacity import changed_capacity, refuse_other_modes

DAY_S, HOUR_S = 86_400.0, 3600.0
ON_DEMAND, PROVISIONED = "PAY_PER_REQUEST", "PROVISIONED"
NOW_S = 20_000 * DAY_S + HOUR_S


def shown(read: int = 5, write: int = 5, decreases: int = 0, **more: Any) -> dict[str, Any]:
    throughput: dict[str, Any] = {"NumberOfDecreasesToday": decreases}
    if decreases:
        throughput["LastDecreaseDateTime"] = NOW_S - 1
    throughput |= {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
    return {"IndexName": "idx", "ProvisionedThroughput": throughput, **more}


def to(read: int, write: int) -> dict[str, Any]:
    return {"IndexName": "idx", "ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def refusal(members: dict[str, Any], of: dict[str, Any], mode: str = PROVISIONED) -> str:
    with pytest.raises(ApiError) as caught:
        changed_capacity(members, of, mode, NOW_S)
    return f"{caught.value.type.rpartition('#')[2]}: {caught.value.message}"


def test_units_that_are_the_same_are_refused() -> None:
    """ack-api-quirks, DDB-TABLE-164."""
    said = refusal(to(2, 2), shown(2, 2))
    assert said.startswith(
        "ValidationException: The provisioned throughput for the index idx will not change. The requested value "
        "equals the current value. Current ReadCapacityUnits provisioned for index idx: 2. Requested "
        "ReadCapacityUnits: 2. "
        "Current WriteCapacityUnits"
    )


def test_what_rises_and_what_falls_is_dated_and_counted() -> None:
    found = changed_capacity(to(2, 9), shown(), PROVISIONED, NOW_S)["ProvisionedThroughput"]
    assert found == {
        "NumberOfDecreasesToday": 1,
        "ReadCapacityUnits": 2,
        "WriteCapacityUnits": 9,
        "LastIncreaseDateTime": NOW_S,
        "LastDecreaseDateTime": NOW_S,
    }
    risen = changed_capacity(to(6, 5), shown(), PROVISIONED, NOW_S)["ProvisionedThroughput"]
    assert (risen["NumberOfDecreasesToday"], "LastDecreaseDateTime" in risen) == (0, False)


def test_the_fifth_decrease_of_a_day_waits_and_increases_do_not() -> None:
    assert refusal(to(4, 5), shown(decreases=4)).startswith("LimitExceededException: ")
    assert (
        changed_capacity(to(6, 5), shown(decreases=4), PROVISIONED, NOW_S)["ProvisionedThroughput"][
            "ReadCapacityUnits"
        ]
        == 6
    )
    after_an_hour = changed_capacity(to(4, 5), shown(decreases=4), PROVISIONED, NOW_S + HOUR_S)
    assert after_an_hour["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 5
    tomorrow = changed_capacity(to(4, 5), shown(decreases=4), PROVISIONED, NOW_S + DAY_S)
    assert tomorrow["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1


def test_the_first_units_after_on_demand_mode_are_no_change_of_units() -> None:
    found = changed_capacity(to(4, 5), shown(0, 0), PROVISIONED, NOW_S)["ProvisionedThroughput"]
    assert "LastIncreaseDateTime" not in found


def test_maximums_change_one_by_one_and_minus_one_takes_one_away() -> None:
    """ack-api-quirks, DDB-TABLE-182 and 456."""
    before = shown(OnDemandThroughput={"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 10})
    members = {"IndexName": "idx", "OnDemandThroughput": {"MaxReadRequestUnits": -1}}
    after = changed_capacity(members, before, PROVISIONED, NOW_S)
    assert after["OnDemandThroughput"] == {"MaxWriteRequestUnits": 10}
    members["OnDemandThroughput"] = {"MaxWriteRequestUnits": -1}
    assert "OnDemandThroughput" not in changed_capacity(members, after, PROVISIONED, NOW_S)


def test_warm_throughput_rises_one_by_one() -> None:
    """ack-api-quirks, DDB-TABLE-155."""
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}
    before = shown(WarmThroughput=warm)
    members = {"IndexName": "idx", "WarmThroughput": {"ReadUnitsPerSecond": 12_002}}
    after = changed_capacity(members, before, PROVISIONED, NOW_S)["WarmThroughput"]
    assert after == {"ReadUnitsPerSecond": 12_002, "WriteUnitsPerSecond": 4000, "Status": "UPDATING"}
    members["WarmThroughput"] = {"ReadUnitsPerSecond": 100}
    assert refusal(members, before) == (
        "ValidationException: One or more parameter values were invalid: Requested ReadUnitsPerSecond for "
        "WarmThroughput for index idx is lower than current WarmThroughput, decreasing "
        "WarmThroughput is not supported"
    )


def test_an_index_is_warm_for_what_it_has_though_nobody_asked_for_it() -> None:
    members = {"IndexName": "idx", "WarmThroughput": {"ReadUnitsPerSecond": 1}}
    assert "lower than current WarmThroughput" in refusal(members, shown())
    assert "lower than current WarmThroughput" in refusal(members, shown(0, 0), ON_DEMAND)
    members["WarmThroughput"] = {"ReadUnitsPerSecond": 6}
    warm = changed_capacity(members, shown(), PROVISIONED, NOW_S)["WarmThroughput"]
    assert warm == {"ReadUnitsPerSecond": 6, "WriteUnitsPerSecond": 5, "Status": "UPDATING"}


@pytest.mark.parametrize(
    ("members", "mode", "is_asked", "words"),
    [
        (
            to(5, 5),
            "PAY_PER_REQUEST",
            False,
            "The only Updates for index: idx when TableThroughputMode is PAY_PER_REQUEST can be to "
            "OnDemandThroughput, WarmThroughput",
        ),
        (
            to(5, 5),
            "PAY_PER_REQUEST",
            True,
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: idx when BillingMode is "
            "PAY_PER_REQUEST",
        ),
        (
            {"IndexName": "idx", "OnDemandThroughput": {"MaxReadRequestUnits": 1}},
            "PROVISIONED",
            False,
            "MaxReadRequestUnits for OnDemandThroughput cannot be specified for index : idx when the table "
            "BillingMode is PROVISIONED",
        ),
    ],
)
def test_an_index_has_the_throughput_of_its_tables_mode(
    members: dict[str, Any], mode: str, is_asked: bool, words: str
) -> None:
    with pytest.raises(ApiError) as caught:
        refuse_other_modes(members, mode, is_asked=is_asked)
    assert caught.value.message == f"One or more parameter values were invalid: {words}"
