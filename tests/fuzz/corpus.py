"""Good requests: what is spoilt comes far only if the rest of it is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.model import generation
from tests.model.dice import Dice, chance, choice
from tests.model.schema import TABLES

Body = Any
OF_TABLES: list[tuple[str, Callable[[Dice], Body]]] = [
    ("CreateTable", lambda dice: _creation(dice)),
    ("DeleteTable", lambda dice: {"TableName": "nobody"}),
    ("DescribeTable", lambda dice: {"TableName": "indexed"}),
    ("DescribeTimeToLive", lambda dice: {"TableName": "indexed"}),
    ("UpdateTimeToLive", lambda dice: _time_to_live(dice)),
    ("DescribeContinuousBackups", lambda dice: {"TableName": "indexed"}),
    ("DescribeLimits", lambda dice: {}),
    ("DescribeEndpoints", lambda dice: {}),
    ("ListTables", lambda dice: {"Limit": 2, "ExclusiveStartTableName": "aaa"}),
]


def good(dice: Dice) -> tuple[str, Body]:
    """An operation and a body that Dynabus accepts, or refuses for the state of its tables only."""
    if chance(dice, 12):
        operation, make = choice(dice, OF_TABLES)
        return operation, make(dice)
    if chance(dice, 20):
        several = generation.SEVERAL_TABLES[choice(dice, list(generation.SEVERAL_TABLES))]
        request = several(dice, list(TABLES))
    else:
        request = generation.ONE_TABLE[choice(dice, list(generation.ONE_TABLE))](dice, choice(dice, TABLES))
    body = request.body()
    if "TableName" in body and chance(dice, 4):
        body["TableName"] = f"new{dice.below(3)}"  # as a request before has made it, if one has
    return request.operation, body


def _creation(dice: Dice) -> Body:
    body = choice(dice, TABLES).creation()
    body["TableName"] = f"new{dice.below(3)}"
    if chance(dice, 50):
        body["BillingMode"] = "PROVISIONED"
        body["ProvisionedThroughput"] = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    body["StreamSpecification"] = {"StreamEnabled": False}
    body["Tags"] = [{"Key": "a", "Value": "b"}]
    return body


def _time_to_live(dice: Dice) -> Body:
    asked = {"AttributeName": "expires", "Enabled": chance(dice, 50)}
    return {"TableName": "indexed", "TimeToLiveSpecification": asked}
