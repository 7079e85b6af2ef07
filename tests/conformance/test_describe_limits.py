"""DescribeLimits."""

from __future__ import annotations

from typing import Any


def test_the_quotas_of_a_new_account(db: Any) -> None:
    """developerguide, Quotas, "Throughput default quotas": 80,000 units an account and region, 40,000 a table."""
    answer = db.describe_limits()
    del answer["ResponseMetadata"]
    assert answer == {
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    }
