"""Rates, depths and limits of tables' descriptions; partition caps; the growth of on-demand tables."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.admission.capacity import GROWTH_MS, READ, WRITE, Capacity, Limit, Peak, capacity_of, partition_cap

ON_DEMAND: dict[str, Any] = {
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
}
PROVISIONED: dict[str, Any] = {"ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 5}}


def test_a_provisioned_table_keeps_five_minutes_of_its_rate() -> None:
    assert capacity_of(PROVISIONED, READ) == Capacity(14, 4200, Limit.PROVISIONED)
    assert capacity_of(PROVISIONED, WRITE) == Capacity(10, 3000, Limit.PROVISIONED)


def test_warm_throughput_is_no_provisioned_throughput() -> None:
    warm = {"WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000}}
    assert capacity_of(PROVISIONED | warm, WRITE).rate == 10


@pytest.mark.parametrize("of", [ON_DEMAND, PROVISIONED])
def test_what_was_asked_for_before_there_was_a_bound_fits_into_messages(of: dict[str, Any]) -> None:
    huge = {"ReadUnitsPerSecond": 9 * 10**18, "WriteUnitsPerSecond": 9 * 10**18}
    units = {"ReadCapacityUnits": 9 * 10**18, "WriteCapacityUnits": 9 * 10**18}
    described = {**of, "WarmThroughput": huge, "ProvisionedThroughput": units}
    for dimension in (READ, WRITE):
        capacity = capacity_of(described, dimension)
        assert max(capacity.rate, capacity.depth, partition_cap(described, dimension, 1, 3000)) < 2**63


def test_a_new_on_demand_table_has_dynamodbs_first_capacity() -> None:
    assert capacity_of(ON_DEMAND, READ) == Capacity(24_000, 240_000, Limit.KEY_RANGE)
    assert capacity_of(ON_DEMAND, WRITE) == Capacity(8000, 80_000, Limit.KEY_RANGE)


@pytest.mark.parametrize(
    ("peak", "warm", "rate", "limit"),
    [
        (3999, 4000, 8000, Limit.KEY_RANGE),
        (6000, 4000, 12_000, Limit.KEY_RANGE),
        (6000, 30_000, 60_000, Limit.KEY_RANGE),
        (50_000, 4000, 80_000, Limit.ACCOUNT),
        (0, 45_000, 90_000, Limit.KEY_RANGE),
    ],
)
def test_twice_the_peak_or_what_it_is_warm_for(peak: int, warm: int, rate: int, limit: Limit) -> None:
    description = ON_DEMAND | {"WarmThroughput": {"WriteUnitsPerSecond": warm}}
    assert capacity_of(description, WRITE, peak)[::2] == (rate, limit)


def test_maximums_limit_on_demand_tables() -> None:
    description = ON_DEMAND | {"OnDemandThroughput": {"MaxWriteRequestUnits": 5}}
    assert capacity_of(description, WRITE, 9000) == Capacity(10, 100, Limit.MAX_ON_DEMAND)
    assert capacity_of(description, READ).limit is Limit.KEY_RANGE
    high = ON_DEMAND | {"OnDemandThroughput": {"MaxWriteRequestUnits": 100_000}}
    assert capacity_of(high, WRITE)[::2] == (8000, Limit.KEY_RANGE)


def test_a_partition_of_an_on_demand_table_may_do_its_part_of_the_promise() -> None:
    assert partition_cap(PROVISIONED, WRITE, 1, 1000) == 2000
    assert partition_cap(ON_DEMAND, WRITE, 1, 1000) == 8000
    assert partition_cap(ON_DEMAND, WRITE, 4, 1000) == 2000
    assert partition_cap(ON_DEMAND, READ, 2, 3000) == 12_000
    assert partition_cap(ON_DEMAND | {"WarmThroughput": {"WriteUnitsPerSecond": 20_000}}, WRITE, 8, 1000) == 5000


def test_a_peak_counts_when_its_half_hour_is_over() -> None:
    peak = Peak(0)
    for minute in range(1, 30):
        peak.used(60 * (9000 if minute == 3 else 100), minute * 60_000.0)
    assert peak.established == 0
    peak.used(6000, GROWTH_MS)
    assert peak.established == 9000
    for minute in range(31, 61):
        peak.used(6000, minute * 60_000.0)
    assert peak.established == 9000, "a quiet half hour takes nothing away"


def test_a_peak_is_a_whole_minute() -> None:
    peak = Peak(0)
    peak.used(60_000, 1000.0)
    peak.used(0, 60_000.0)
    peak.used(0, GROWTH_MS)
    assert peak.established == 1000
