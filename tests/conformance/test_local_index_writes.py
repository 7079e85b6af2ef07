"""Writes of a table with local secondary indexes: what is refused and charged. Every case names its source.

ALTERNATOR: scylladb/scylladb test/alternator/test_lsi.py and test_gsi.py, run against DynamoDB.
PARITY: paritysuite/dynamodb-conformance, captured from DynamoDB in 2026.
DYNALITE: architect/dynalite test/query.js, recorded from DynamoDB.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.indexed import INVALID, Refused, charged, create

TABLE = "conformance-lsi-writes"
NOT_VALID = "One or more parameter values are not valid. "
KEY = {"p": {"S": "q"}, "c": {"S": "1"}}


@pytest.fixture(scope="module", autouse=True)
def _table(db: Any) -> None:
    create(db, TABLE)


BAD_KEYS = [
    ({"b": {"N": "5"}}, f"{INVALID}Type mismatch for Index Key b Expected: S Actual: N IndexName: include"),
    ({"b": {"L": [{"S": "x"}]}}, f"{INVALID}Type mismatch for Index Key b Expected: S Actual: L IndexName: include"),
    ({"n": {"NULL": True}}, f"{INVALID}Type mismatch for Index Key n Expected: N Actual: NULL IndexName: keys"),
    (
        {"b": {"S": ""}},
        f"{NOT_VALID}A value specified for a secondary index key is not supported. The AttributeValue for a key "
        "attribute cannot contain an empty string value. IndexName: include, IndexKey: b",
    ),
    (
        {"z": {"B": b""}},
        f"{NOT_VALID}A value specified for a secondary index key is not supported. The AttributeValue for a key "
        "attribute cannot contain an empty binary value. IndexName: binary, IndexKey: z",
    ),
    (
        {"b": {"S": "x" * 1025}},
        f"{INVALID}Size limit exceeded for Index Key b Actual Size: 1025 bytes Max Size: 1024 bytes "
        "IndexName: include",
    ),
]


@pytest.mark.parametrize(("attributes", "message"), BAD_KEYS)
def test_index_keys_of_items(db: Any, refused: Refused, attributes: Any, message: str) -> None:
    """PARITY, error-messages/indexKeyValues: the first index by name is named; sizes: dynalite, issue 35."""
    wrong = {**KEY, **attributes}
    assert refused(db.put_item, TableName=TABLE, Item=wrong) == ("ValidationException", message)
    batch = {TABLE: [{"PutRequest": {"Item": wrong}}]}
    assert refused(db.batch_write_item, RequestItems=batch) == ("ValidationException", message)
    assert "Item" not in db.get_item(TableName=TABLE, Key=KEY, ConsistentRead=True)


@pytest.mark.parametrize(
    ("update", "value", "message"),
    [
        (
            "SET b = :v",
            {"N": "5"},
            f"{INVALID}Type mismatch for Index Key b Expected: S Actual: N IndexName: include",
        ),
        (
            "ADD b :v",
            {"SS": ["x"]},
            f"{INVALID}Type mismatch for Index Key b Expected: S Actual: SS IndexName: include",
        ),
        (
            "SET b = if_not_exists(nothing, :v)",
            {"N": "5"},
            "The update expression attempted to update the secondary index key to unsupported type",
        ),
        (
            "SET b = :v",
            {"S": ""},
            f"{NOT_VALID}The update expression attempted to update a secondary index key to a value that is not "
            "supported. The AttributeValue for a key attribute cannot contain an empty string value.",
        ),
        (
            "SET z = :v",
            {"B": b""},
            f"{NOT_VALID}The update expression attempted to update a secondary index key to a value that is not "
            "supported. The AttributeValue for a key attribute cannot contain an empty binary value.",
        ),
        (
            "SET b.m = :v",
            {"S": "x"},
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: b",
        ),
    ],
)
def test_index_keys_of_updates(db: Any, refused: Refused, update: str, value: Any, message: str) -> None:
    """PARITY, error-messages/indexKeyValues; DYNALITE, db (validateUpdates); ALTERNATOR, test_gsi."""
    found_ = refused(
        db.update_item,
        TableName=TABLE,
        Key=KEY,
        UpdateExpression=update,
        ExpressionAttributeValues={":v": value},
    )
    assert found_ == ("ValidationException", message)
    assert "Item" not in db.get_item(TableName=TABLE, Key=KEY, ConsistentRead=True)


def test_writes_of_small_items(db: Any) -> None:
    """PARITY, putItem/indexConsumedCapacity: an entry that comes, changes or goes costs 1, one that moves 2."""
    at = {"p": {"S": "charged"}, "c": {"S": "1"}}
    more = {"TableName": TABLE, "ReturnConsumedCapacity": "INDEXES"}
    indexed = {**at, "n": {"N": "1"}}
    assert charged(db.put_item(Item=at, **more)) == (1.0, 1.0, {})
    assert charged(db.put_item(Item=indexed, **more)) == (2.0, 1.0, {"keys": 1.0})
    assert charged(db.put_item(Item=indexed, **more)) == (1.0, 1.0, {})

    def update(text: str, **values: Any) -> tuple[float, float, dict[str, float]]:
        given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
        return charged(db.update_item(Key=at, UpdateExpression=text, **given, **more))

    assert update("SET a = :v", v={"S": "x"}) == (1.0, 1.0, {})
    assert update("SET n = :v", v={"N": "2"}) == (3.0, 1.0, {"keys": 2.0})
    assert update("SET b = :v", v={"S": "x"}) == (3.0, 1.0, {"whole": 1.0, "include": 1.0})
    assert update("SET a = :v", v={"S": "y"}) == (3.0, 1.0, {"whole": 1.0, "include": 1.0})
    assert update("REMOVE n") == (3.0, 1.0, {"keys": 1.0, "whole": 1.0})
    assert charged(db.delete_item(Key=at, **more)) == (3.0, 1.0, {"whole": 1.0, "include": 1.0})
    assert charged(db.delete_item(Key=at, **more)) == (1.0, 1.0, {})


def test_writes_of_batches(db: Any) -> None:
    """PARITY, putItem/indexConsumedCapacity: one entry per table, with what the batch touched."""
    writes = [
        {"PutRequest": {"Item": {"p": {"S": "batch"}, "c": {"S": "1"}, "n": {"N": "1"}}}},
        {"PutRequest": {"Item": {"p": {"S": "batch"}, "c": {"S": "2"}}}},
    ]
    answer = db.batch_write_item(RequestItems={TABLE: writes}, ReturnConsumedCapacity="INDEXES")
    [capacity] = answer["ConsumedCapacity"]
    assert charged({"ConsumedCapacity": capacity}) == (3.0, 2.0, {"keys": 1.0})
    answer = db.batch_write_item(RequestItems={TABLE: writes}, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": TABLE, "CapacityUnits": 2.0}]


def test_collection_metrics(db: Any) -> None:
    """PARITY, putItem/itemCollectionMetrics: a small item collection lies between 0 and 1 GB."""
    at = {"p": {"S": "metrics"}, "c": {"S": "1"}}
    expected = {"ItemCollectionKey": {"p": {"S": "metrics"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    more = {"TableName": TABLE, "ReturnItemCollectionMetrics": "SIZE"}
    assert db.put_item(Item=at, **more)["ItemCollectionMetrics"] == expected
    assert db.update_item(Key=at, **more)["ItemCollectionMetrics"] == expected
    batch = db.batch_write_item(
        RequestItems={TABLE: [{"PutRequest": {"Item": at}}]}, ReturnItemCollectionMetrics="SIZE"
    )
    assert batch["ItemCollectionMetrics"] == {TABLE: [expected]}
    assert db.delete_item(Key=at, **more)["ItemCollectionMetrics"] == expected
    none = db.put_item(TableName=TABLE, Item=at, ReturnItemCollectionMetrics="NONE")
    assert "ItemCollectionMetrics" not in none
