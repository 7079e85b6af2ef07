"""DescribeLimits. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html

Answers the quotas that DynamoDB gives every account at first, for programs that compare their plans with them.
Dynabus itself holds nobody to them.
"""

from __future__ import annotations

import orjson

from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import check

ACCOUNT_UNITS_MOST = 80_000
TABLE_UNITS_MOST = 40_000
"""Capacity units, reads and writes alike. Source: developerguide, Quotas, "Throughput default quotas"."""

LIMITS = orjson.dumps(
    {
        "AccountMaxReadCapacityUnits": ACCOUNT_UNITS_MOST,
        "AccountMaxWriteCapacityUnits": ACCOUNT_UNITS_MOST,
        "TableMaxReadCapacityUnits": TABLE_UNITS_MOST,
        "TableMaxWriteCapacityUnits": TABLE_UNITS_MOST,
    }
)


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody. The operation has no members."""
    check(body, {})
    yield from ()
    return LIMITS
