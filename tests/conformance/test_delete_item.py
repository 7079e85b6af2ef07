"""DeleteItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
KEY = {"pk": {"S": "del"}}
ITEM: dict[str, Any] = {**KEY, "v": {"N": "1"}}


def delete(db: Any, table: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = db.delete_item(TableName=table, Key=KEY, **more)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.fixture(autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


def exists(db: Any, table: str) -> bool:
    return "Item" in db.get_item(TableName=table, Key=KEY, ConsistentRead=True)


def test_deleting_twice_is_no_error(db: Any, hash_table: str) -> None:
    """API: idempotent unless there are conditions."""
    assert delete(db, hash_table) == {}
    assert not exists(db, hash_table)
    assert delete(db, hash_table) == {}


def test_return_values(db: Any, hash_table: str, refused: Refused) -> None:
    """API: NONE and ALL_OLD only."""
    assert delete(db, hash_table, ReturnValues="ALL_OLD") == {"Attributes": ITEM}
    assert delete(db, hash_table, ReturnValues="ALL_OLD") == {}
    found = refused(db.delete_item, TableName=hash_table, Key=KEY, ReturnValues="ALL_NEW")
    assert found == ("ValidationException", f"{ENVELOPE}ReturnValues can only be ALL_OLD or NONE")


def test_conditions(db: Any, hash_table: str) -> None:
    """EXPR.ConditionExpressions."""
    call = {
        "TableName": hash_table,
        "Key": KEY,
        "ConditionExpression": "v > :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as failed:
        db.delete_item(**call)
    assert failed.value.response["Item"] == ITEM
    assert exists(db, hash_table)
    delete(db, hash_table, ConditionExpression="attribute_exists(v)")
    assert not exists(db, hash_table)


def test_consumed_capacity(db: Any, hash_table: str) -> None:
    """CAPACITY: the deleted item's size; one unit where there is nothing."""
    db.put_item(TableName=hash_table, Item={**KEY, "v": {"S": "x" * 2000}})
    for units in (2.0, 1.0):
        answer = delete(db, hash_table, ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"]["CapacityUnits"] == units


@pytest.mark.parametrize("key", [{}, {"x": {"S": "a"}}, {"pk": {"N": "1"}}])
def test_keys_that_do_not_match_the_schema(db: Any, hash_table: str, refused: Refused, key: Any) -> None:
    """observed."""
    found = refused(db.delete_item, TableName=hash_table, Key=key)
    assert found == ("ValidationException", "The provided key element does not match the schema")
