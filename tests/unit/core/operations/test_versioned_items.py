"""Operations on a global table answer as on any other: versions and tombstones are seen by nobody."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.unit.core.local_indexes.test_local_indexes import index
from tests.unit.core.operations.cluster import Cluster

from dynabus.core.global_tables.floors import Floors

TABLE: dict[str, Any] = {
    "TableName": "global",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "tag")],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "LocalSecondaryIndexes": [index("by-tag", "tag", "KEYS_ONLY"), index("whole", "tag", "ALL")],
    "BillingMode": "PAY_PER_REQUEST",
}


def pair() -> tuple[Cluster, Cluster]:
    plain, of_regions = Cluster(), Cluster()
    of_regions.floors = Floors("us", frozenset({"eu"}))
    for each in (plain, of_regions):
        assert "TableDescription" in each.ask("CreateTable", **TABLE)
    return plain, of_regions


def requests(dice: random.Random) -> tuple[str, dict[str, Any]]:
    key = {"pk": {"S": dice.choice("ab")}, "sk": {"S": dice.choice("0123")}}
    tag = {"S": dice.choice("xyz")}
    all_old = {"ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE"}
    where = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": key["pk"]}}
    found: list[tuple[str, dict[str, Any]]] = [
        ("PutItem", {"Item": {**key, "tag": tag}, **all_old}),
        ("PutItem", {"Item": key, "ConditionExpression": "attribute_not_exists(pk)", **all_old}),
        ("DeleteItem", {"Key": key, **all_old}),
        ("DeleteItem", {"Key": key, "ConditionExpression": "attribute_exists(tag)", **all_old}),
        (
            "UpdateItem",
            {
                "Key": key,
                "UpdateExpression": "ADD n :n",
                "ExpressionAttributeValues": {":n": {"N": "1"}},
                **all_old,
            },
        ),
        ("UpdateItem", {"Key": key, "UpdateExpression": "REMOVE tag", **all_old}),
        ("GetItem", {"Key": key, "ReturnConsumedCapacity": "TOTAL"}),
        ("Query", where | {"ReturnConsumedCapacity": "TOTAL", "Limit": dice.randint(1, 4)}),
        ("Query", where | {"IndexName": dice.choice(["by-tag", "whole"]), "ReturnConsumedCapacity": "INDEXES"}),
        ("Scan", {"ReturnConsumedCapacity": "TOTAL", "Limit": dice.randint(1, 9)}),
    ]
    return dice.choice(found)


@pytest.mark.parametrize("seed", range(10))
def test_answers_are_those_of_a_table_of_one_region(seed: int) -> None:
    dice = random.Random(seed)
    plain, of_regions = pair()
    for _ in range(150):
        operation, request = requests(dice)
        expected = plain.ask(operation, TableName="global", **request)
        assert of_regions.ask(operation, TableName="global", **request) == expected, (operation, request)
    counted = [sorted(each.totals for each in made.contents.values()) for made in (plain, of_regions)]
    assert counted[0] == counted[1], "items and bytes"
    rows = [row for store in of_regions.stores.values() for _, row in store.scan(b"", None)]
    assert any(row[0] == 3 for row in rows)
