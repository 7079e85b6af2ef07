"""A table with local secondary indexes, for the tests of reading and of writing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Refused = Callable[..., tuple[str, str]]

INVALID = "One or more parameter values were invalid: "


def create(db: Any, table: str) -> None:
    db.create_table(
        TableName=table,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("p", "S"), ("c", "S"), ("b", "S"), ("n", "N"), ("z", "B"))
        ],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            _index("whole", "b", "ALL"),
            _index("include", "b", "INCLUDE", "a"),
            _index("keys", "n", "KEYS_ONLY"),
            _index("binary", "z", "KEYS_ONLY"),
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def _index(name: str, sort: str, projection: str, *attributes: str) -> dict[str, Any]:
    projected: dict[str, Any] = {"ProjectionType": projection}
    if attributes:
        projected["NonKeyAttributes"] = list(attributes)
    keys = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": projected}


def charged(answer: dict[str, Any]) -> tuple[float, float, dict[str, float]]:
    """(total, table, by index)."""
    capacity = answer["ConsumedCapacity"]
    of_indexes = {name: each["CapacityUnits"] for name, each in capacity.get("LocalSecondaryIndexes", {}).items()}
    return capacity["CapacityUnits"], capacity["Table"]["CapacityUnits"], of_indexes
