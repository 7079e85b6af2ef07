"""How many partitions a table's throughput needs."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.tables.partition_needs import Policy, of_change, of_new

POLICY = Policy(initial=1, on_demand=1, most=100)
MODE = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}


def units(read: int, write: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def warm(read: int, write: int) -> dict[str, Any]:
    return {"WarmThroughput": {"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write}}


ON_DEMAND: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}


@pytest.mark.parametrize(
    ("request_", "policy", "count"),
    [
        (ON_DEMAND, POLICY, 1),
        (ON_DEMAND, POLICY._replace(initial=4), 4),
        (ON_DEMAND, POLICY._replace(on_demand=4), 4),
        (units(5, 5), POLICY._replace(on_demand=4), 1),
        (units(3000, 1000), POLICY, 2),
        (units(3001, 1000), POLICY, 3),
        (units(5, 5), POLICY, 1),
        (units(5, 5), POLICY._replace(initial=4), 4),
        (units(10**12, 1), POLICY, 100),
        ({**ON_DEMAND, **warm(12_000, 4_000)}, POLICY, 1),
        ({**ON_DEMAND, **warm(12_001, 4_000)}, POLICY, 5),
        ({**ON_DEMAND, **warm(12_000, 9_500)}, POLICY, 10),
        ({**ON_DEMAND, "WarmThroughput": {"WriteUnitsPerSecond": 6_000}}, POLICY, 6),
        ({**units(5, 5), **warm(6_000, 2_000)}, POLICY, 2),
        ({**units(3000, 1000), **warm(3000, 1000)}, POLICY, 2),
    ],
)
def test_partitions_of_a_new_table(request_: dict[str, Any], policy: Policy, count: int) -> None:
    assert of_new(request_, policy) == count


@pytest.mark.parametrize(
    ("description", "pending", "policy", "count"),
    [
        ({**units(5, 5)}, {}, POLICY, 1),
        ({**units(9000, 9000), **warm(9000, 9000)}, {"TableClassSummary": {}}, POLICY, 1),
        ({**units(5, 5), **warm(5, 5)}, {**units(6000, 2000), **warm(6000, 2000)}, POLICY, 4),
        ({**units(5, 5), **warm(5, 5)}, warm(6000, 5), POLICY, 2),
        ({**units(0, 0), **MODE}, warm(12_000, 4_000), POLICY, 1),
        ({**units(0, 0), **MODE}, warm(12_000, 4_000), POLICY._replace(on_demand=4), 4),
        ({**units(5, 5), **warm(12_000, 4_000)}, warm(12_000, 4_000), POLICY, 1),
        ({**units(3000, 3000), **warm(12_000, 4_000)}, warm(12_000, 4_000), POLICY, 4),
        ({**units(0, 0), **MODE}, warm(30_000, 4_000), POLICY, 10),
        ({**units(5, 5), **warm(5, 5)}, units(10**9, 5), POLICY, 100),
    ],
)
def test_partitions_that_a_change_needs(
    description: dict[str, Any], pending: dict[str, Any], policy: Policy, count: int
) -> None:
    assert of_change(description, pending, policy) == count
