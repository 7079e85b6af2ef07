"""Capacity units, counted in halves so that they stay whole numbers.

A strongly consistent read costs 1 unit per 4 KB, an eventually consistent one half of that, a write 1 per 1 KB, each
rounded up, and nothing is free: a missing item costs what the smallest item costs.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-unit-calculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, int] = MappingProxyType({})

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024


def read_halves(size: int, consistent: bool) -> int:
    """Half read units of reading `size` bytes."""
    units = -(-size // READ_UNIT_BYTES) or 1
    return units * 2 if consistent else units


def write_halves(size: int) -> int:
    """Half write units of writing `size` bytes."""
    return 2 * (-(-size // WRITE_UNIT_BYTES) or 1)


def consumed(
    table: str,
    halves: int,
    wanted: str,
    of_indexes: Mapping[str, int] = NOTHING,
    of_global: Mapping[str, int] = NOTHING,
) -> dict[str, Any] | None:
    """The answer's ConsumedCapacity for ReturnConsumedCapacity = NONE | TOTAL | INDEXES.

    `halves` are those of the table itself, the others those of its local and global secondary indexes by name.
    """
    if wanted == "NONE":
        return None
    total = halves + sum(of_indexes.values()) + sum(of_global.values())
    answer: dict[str, Any] = {"TableName": table, "CapacityUnits": total / 2}
    if wanted == "INDEXES":
        answer["Table"] = {"CapacityUnits": halves / 2}
        for kind, by_name in (("LocalSecondaryIndexes", of_indexes), ("GlobalSecondaryIndexes", of_global)):
            if by_name:
                answer[kind] = {name: {"CapacityUnits": each / 2} for name, each in by_name.items()}
    return answer
