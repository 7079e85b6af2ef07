"""What legacy parameters do.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html (LEGACY);
"Alternator": scylladb's tests against DynamoDB (test_expected); "dynalite": its tests, recorded from DynamoDB;
"moto": its tests against AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
INVALID = "One or more parameter values were invalid: "
KEY: dict[str, Any] = {"pk": {"S": "answers"}, "sk": {"N": "1"}}
ITEM: dict[str, Any] = {
    **KEY,
    "s": {"S": "hello"},
    "n": {"N": "3"},
    "set": {"NS": ["2", "4"]},
    "l": {"L": [{"N": "1"}]},
}


def condition(operator: str, *values: Any) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


IS_HASH = condition("EQ", KEY["pk"])


@pytest.fixture
def table(db: Any, range_table: str) -> str:
    for number in range(4):
        db.put_item(TableName=range_table, Item={**ITEM, "sk": {"N": str(number)}, "n": {"N": str(number * 3)}})
    return range_table


def stored(db: Any, table: str, sort: str = "1") -> Any:
    return db.get_item(TableName=table, Key={**KEY, "sk": {"N": sort}}, ConsistentRead=True).get("Item")


def test_attributes_to_get(db: Any, table: str) -> None:
    """LEGACY.AttributesToGet: top-level names; what is not there is left out."""
    wanted = {"n": {"N": "3"}, "s": {"S": "hello"}}
    names = ["n", "s", "none"]
    assert db.get_item(TableName=table, Key=KEY, ConsistentRead=True, AttributesToGet=names)["Item"] == wanted
    asked = {table: {"Keys": [KEY], "ConsistentRead": True, "AttributesToGet": names}}
    assert db.batch_get_item(RequestItems=asked)["Responses"][table] == [wanted]
    assert db.get_item(TableName=table, Key=KEY, ConsistentRead=True, AttributesToGet=["none"])["Item"] == {}
    found = db.scan(TableName=table, ConsistentRead=True, AttributesToGet=["pk"])["Items"]
    assert {"pk": KEY["pk"]} in found
    assert all(set(item) <= {"pk"} for item in found)


def test_attributes_to_get_twice_the_same(db: Any, table: str, refused: Refused) -> None:
    """dynalite."""
    message = f"{INVALID}Duplicate value in attribute name: a"
    assert refused(db.get_item, TableName=table, Key=KEY, AttributesToGet=["a", "b", "a"])[1] == message


def test_select_beside_attributes_to_get(db: Any, table: str, refused: Refused) -> None:
    """moto."""
    message = "Cannot specify the AttributesToGet when choosing to get only the Count"
    given = {"TableName": table, "AttributesToGet": ["n"], "Select": "COUNT"}
    assert refused(db.scan, **given)[1] == message
    found = refused(db.query, KeyConditions={"pk": IS_HASH}, **given)
    assert found[1] == f"1 validation error detected: {message}"


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"n": {"Value": {"N": "3"}}}, True),
        ({"n": {"Exists": True, "Value": {"N": "4"}}}, False),
        ({"none": {"Exists": False}}, True),
        ({"n": {"Exists": False}}, False),
        ({"none": condition("NE", {"N": "1"})}, True),
        ({"none": condition("NOT_CONTAINS", {"N": "1"})}, False),
        ({"set": condition("NOT_CONTAINS", {"N": "1"})}, True),
        ({"l": condition("CONTAINS", {"N": "1"})}, True),
        ({"s": condition("BEGINS_WITH", {"S": "hell"})}, True),
        ({"n": condition("IN", {"N": "1"}, {"N": "3"})}, True),
        ({"n": condition("BETWEEN", {"N": "4"}, {"N": "5"})}, False),
        ({"set": condition("EQ", {"NS": ["4", "2"]})}, True),
    ],
)
def test_expected(db: Any, table: str, refused: Refused, expected: Any, holds: bool) -> None:
    """Alternator: all of these."""
    for call, more in (
        (db.update_item, {"Key": KEY, "AttributeUpdates": {"z": {"Value": {"N": "1"}}}}),
        (db.put_item, {"Item": {**ITEM, "z": {"N": "1"}}}),
        (db.delete_item, {"Key": KEY}),
    ):
        if holds:
            call(TableName=table, Expected=expected, **more)
            db.put_item(TableName=table, Item=ITEM)
        else:
            assert refused(call, TableName=table, Expected=expected, **more) == (
                "ConditionalCheckFailedException",
                "The conditional request failed",
            )
            assert stored(db, table) == ITEM


def test_any_of_several(db: Any, table: str, refused: Refused) -> None:
    """Alternator: AND if nothing is said."""
    several = {"n": {"Value": {"N": "74"}}, "none": {"Exists": False}}
    put = {"TableName": table, "Item": ITEM, "Expected": several}
    for more in ({}, {"ConditionalOperator": "AND"}):
        assert refused(db.put_item, **put, **more)[0] == "ConditionalCheckFailedException"
    db.put_item(**put, ConditionalOperator="OR")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({}, "Value must be provided when Exists is null for Attribute: a"),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
        ({"Exists": False, "Value": {"S": "b"}}, "Value cannot be used when Exists is false for Attribute: a"),
        (
            {"Exists": True, **condition("EQ", {"S": "b"})},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"AttributeValueList": []},
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (
            {"Value": {"S": "b"}, "AttributeValueList": []},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (condition("EQ"), "Invalid number of argument(s) for the EQ ComparisonOperator"),
        (condition("IN", {"S": "b"}, {"N": "1"}), "AttributeValues inside AttributeValueList must be of same type"),
        (condition("LT", {"M": {}}), "ComparisonOperator LT is not valid for M AttributeValue type"),
    ],
)
def test_expected_is_wrong(db: Any, table: str, refused: Refused, expected: Any, message: str) -> None:
    """dynalite."""
    found = refused(db.put_item, TableName=table, Item=ITEM, Expected={"a": expected})
    assert found == ("ValidationException", ENVELOPE + INVALID + message)


def test_attribute_updates(db: Any, table: str) -> None:
    """LEGACY.AttributeUpdates."""
    updates = {
        "s": {"Value": {"S": "put"}},
        "n": {"Action": "ADD", "Value": {"N": "-1"}},
        "new": {"Action": "ADD", "Value": {"N": "5"}},
        "set": {"Action": "DELETE", "Value": {"NS": ["2", "9"]}},
        "l": {"Action": "ADD", "Value": {"L": [{"N": "2"}]}},
        "none": {"Action": "DELETE"},
    }
    answer = db.update_item(TableName=table, Key=KEY, AttributeUpdates=updates, ReturnValues="UPDATED_NEW")
    new = {
        "s": {"S": "put"},
        "n": {"N": "2"},
        "new": {"N": "5"},
        "set": {"NS": ["4"]},
        "l": {"L": [{"N": "1"}, {"N": "2"}]},
    }
    assert answer["Attributes"] == new
    assert stored(db, table) == {**KEY, **new}


def test_attribute_updates_of_a_missing_item(db: Any, table: str) -> None:
    """LEGACY.AttributeUpdates: DELETE makes no item, ADD and PUT do."""
    key = {**KEY, "sk": {"N": "99"}}
    db.delete_item(TableName=table, Key=key)
    db.update_item(TableName=table, Key=key, AttributeUpdates={"n": {"Action": "DELETE"}})
    assert stored(db, table, "99") is None
    db.update_item(TableName=table, Key=key, AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "2"}}})
    assert stored(db, table, "99") == {**key, "n": {"N": "2"}}
    db.delete_item(TableName=table, Key=key)


@pytest.mark.parametrize(
    ("name", "update", "message"),
    [
        ("pk", {"Value": {"S": "x"}}, f"{INVALID}Cannot update attribute pk. This attribute is part of the key"),
        (
            "s",
            {"Action": "ADD", "Value": {"S": "x"}},
            f"{ENVELOPE}{INVALID}ADD action is not supported for the type S",
        ),
        (
            "s",
            {"Action": "DELETE", "Value": {"S": "x"}},
            f"{ENVELOPE}{INVALID}DELETE action with value is not supported for the type S",
        ),
        ("s", {}, f"{ENVELOPE}{INVALID}Only DELETE action is allowed when no attribute value is specified"),
        ("s", {"Action": "ADD", "Value": {"N": "1"}}, "Type mismatch for attribute to update"),
        ("s", {"Action": "ADD", "Value": {"L": []}}, "Type mismatch for attribute to update"),
    ],
)
def test_attribute_updates_are_wrong(
    db: Any, table: str, refused: Refused, name: str, update: Any, message: str
) -> None:
    """dynalite."""
    found = refused(db.update_item, TableName=table, Key=KEY, AttributeUpdates={name: update})
    assert found == ("ValidationException", message)
    assert stored(db, table) == ITEM


def sorts(answer: Any) -> list[str]:
    return [item["sk"]["N"] for item in answer["Items"]]


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        (None, ["0", "1", "2", "3"]),
        (condition("EQ", {"N": "2"}), ["2"]),
        (condition("LT", {"N": "2"}), ["0", "1"]),
        (condition("LE", {"N": "2"}), ["0", "1", "2"]),
        (condition("GT", {"N": "2"}), ["3"]),
        (condition("GE", {"N": "2"}), ["2", "3"]),
        (condition("BETWEEN", {"N": "1"}, {"N": "2"}), ["1", "2"]),
    ],
)
def test_key_conditions(db: Any, table: str, sort: Any, found: list[str]) -> None:
    """LEGACY.KeyConditions."""
    conditions = {"pk": IS_HASH, **({"sk": sort} if sort else {})}
    assert sorts(db.query(TableName=table, ConsistentRead=True, KeyConditions=conditions)) == found


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({}, "Conditions can be of length 1 or 2 only"),
        ({"pk": IS_HASH, "sk": IS_HASH, "n": IS_HASH}, "Conditions can be of length 1 or 2 only"),
        ({"sk": condition("EQ", {"N": "1"})}, "Query condition missed key schema element: pk"),
        ({"pk": IS_HASH, "n": IS_HASH}, "Query condition missed key schema element: sk"),
        ({"pk": condition("LT", {"S": "a"})}, "Query key condition not supported"),
        ({"pk": condition("NULL")}, "Attempted conditional constraint is not an indexable operation"),
        (
            {"pk": IS_HASH, "sk": condition("IN", {"N": "1"})},
            "Attempted conditional constraint is not an indexable operation",
        ),
        (
            {"pk": IS_HASH, "sk": condition("EQ", {"S": "1"})},
            f"{INVALID}Condition parameter type does not match schema type",
        ),
        (
            {"pk": IS_HASH, "sk": condition("BETWEEN", {"N": "2"}, {"N": "1"})},
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ),
    ],
)
def test_key_conditions_are_wrong(db: Any, table: str, refused: Refused, conditions: Any, message: str) -> None:
    """dynalite."""
    assert refused(db.query, TableName=table, KeyConditions=conditions) == ("ValidationException", message)


def test_filters(db: Any, table: str, refused: Refused) -> None:
    """LEGACY.QueryFilter and ScanFilter; keys in a filter: dynalite."""
    filtered = {"n": condition("GT", {"N": "5"}), "none": condition("NOT_NULL")}
    query = {"TableName": table, "ConsistentRead": True, "KeyConditions": {"pk": IS_HASH}}
    answer = db.query(**query, QueryFilter=filtered, ConditionalOperator="OR")
    assert (sorts(answer), answer["ScannedCount"]) == (["2", "3"], 4)
    assert sorts(db.query(**query, QueryFilter=filtered)) == []
    both = {"n": condition("GT", {"N": "5"}), "pk": IS_HASH}
    answer = db.scan(TableName=table, ConsistentRead=True, ScanFilter=both)
    assert sorted(sorts(answer)) == ["2", "3"]
    message = "QueryFilter can only contain non-primary key attributes: Primary key attribute: pk"
    assert refused(db.query, **query, QueryFilter=both) == ("ValidationException", message)
