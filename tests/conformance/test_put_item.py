"""PutItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
VALIDATION = "ValidationException"


def put(db: Any, table: str, item: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = db.put_item(TableName=table, Item=item, **more)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def get(db: Any, table: str, pk: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = db.get_item(TableName=table, Key={"pk": {"S": pk}}, ConsistentRead=True).get(
        "Item"
    )
    return found


ALL_TYPES: dict[str, Any] = {
    "pk": {"S": "types"},
    "s": {"S": "é😀"},
    "empty": {"S": ""},
    "n": {"N": "12.5"},
    "b": {"B": b"\x00\xff"},
    "yes": {"BOOL": True},
    "null": {"NULL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": [b"x", b"y"]},
    "l": {"L": [{"S": "x"}, {"L": []}]},
    "m": {"M": {"k": {"N": "1"}, "empty": {"M": {}}}},
}


def test_all_types_come_back_as_they_went(db: Any, hash_table: str) -> None:
    """API_AttributeValue."""
    assert put(db, hash_table, ALL_TYPES) == {}
    assert get(db, hash_table, "types") == ALL_TYPES


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("0010", "10"),
        ("1.50", "1.5"),
        ("-0", "0"),
        ("1E+2", "100"),
        (".5", "0.5"),
        ("1e-3", "0.001"),
        ("9" * 38, "9" * 38),
        ("9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + "0" * 88),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_numbers_are_answered_in_normal_form(db: Any, hash_table: str, given: str, answered: str) -> None:
    """LIMITS: 38 digits, 1E-130 to 9.99...E+125; leading and trailing zeros are trimmed."""
    put(db, hash_table, {"pk": {"S": "n"}, "n": {"N": given}})
    assert get(db, hash_table, "n") == {"pk": {"S": "n"}, "n": {"N": answered}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"N": "abc"}, "The parameter cannot be converted to a numeric value: abc"),
        ({"N": "1E126"}, "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        (
            {"N": "1E-131"},
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        ({"N": "1" * 39}, "Attempting to store more than 38 significant digits in a Number"),
        ({"SS": []}, "An string set  may not be empty"),
        ({"SS": ["a", "a"]}, 'Input collection ["a", "a"] contains duplicates.'),
        ({"NULL": False}, "Null attribute value types must have the value of true"),
        ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"S": "a", "N": "1"},
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
            "datatypes",
        ),
    ],
)
def test_values_that_break_a_rule(db: Any, hash_table: str, refused: Refused, value: Any, message: str) -> None:
    """observed."""
    code, found = refused(db.put_item, TableName=hash_table, Item={"pk": {"S": "bad"}, "v": value})
    assert code == VALIDATION
    assert message in found
    assert get(db, hash_table, "bad") is None


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"x": {"S": "1"}}, "One or more parameter values were invalid: Missing the key pk in the item"),
        (
            {"pk": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "x" * 2049}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of"
            "2048 bytes",
        ),
    ],
)
def test_keys_that_do_not_fit(db: Any, hash_table: str, refused: Refused, item: Any, message: str) -> None:
    """observed; LIMITS for the size."""
    assert refused(db.put_item, TableName=hash_table, Item=item) == (VALIDATION, message)


def test_the_longest_keys_fit(db: Any, make_table: Callable[..., str]) -> None:
    """LIMITS: 2048 and 1024 bytes; keys that end in the lowest and highest bytes stay apart and in order."""
    table = make_table("conformance-long-keys", ("pk", "S"), ("sk", "B"))
    pk = {"S": "p" * 2048}
    sort_keys = [b"\x00", b"\x00\x00", b"\x01", b"x" * 1023, b"x" * 1023 + b"\x00", b"x" * 1023 + b"\xff", b"\xff"]
    for sk in sort_keys:
        db.put_item(TableName=table, Item={"pk": pk, "sk": {"B": sk}})
    found = db.query(
        TableName=table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": pk},
        ConsistentRead=True,
    )
    assert [item["sk"]["B"] for item in found["Items"]] == sorted(sort_keys)


def test_items_up_to_400_kb(db: Any, hash_table: str, refused: Refused) -> None:
    """LIMITS: names count too."""
    fits = 400 * 1024 - len("pk") - len("big") - len("v")
    put(db, hash_table, {"pk": {"S": "big"}, "v": {"S": "x" * fits}})
    too_large = {"pk": {"S": "big"}, "v": {"S": "x" * (fits + 1)}}
    code, message = refused(db.put_item, TableName=hash_table, Item=too_large)
    assert (code, message) == (VALIDATION, "Item size has exceeded the maximum allowed size")
    assert len((get(db, hash_table, "big") or {})["v"]["S"]) == fits


def test_nesting_up_to_32_levels(db: Any, hash_table: str, refused: Refused) -> None:
    """LIMITS."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(31):
        value = {"L": [value]}
    put(db, hash_table, {"pk": {"S": "deep"}, "v": value})
    code, message = refused(db.put_item, TableName=hash_table, Item={"pk": {"S": "deep"}, "v": {"L": [value]}})
    assert code == VALIDATION
    assert "Nesting Levels have exceeded supported limits" in message


def test_the_largest_legal_item_as_json(db: Any, hash_table: str) -> None:
    """A list of empty strings: 400 KB by DynamoDB's rule, megabytes as JSON, and two images in one record."""
    item = {"pk": {"S": "wide"}, "l": {"L": [{"S": ""}] * 400_000}}
    put(db, hash_table, item)
    put(db, hash_table, item, ReturnValues="ALL_OLD")
    assert len((get(db, hash_table, "wide") or {})["l"]["L"]) == 400_000


def test_return_values(db: Any, hash_table: str, refused: Refused) -> None:
    """API: NONE and ALL_OLD only."""
    first, second = ({"pk": {"S": "rv"}, "v": {"N": version}} for version in "12")
    assert put(db, hash_table, first, ReturnValues="ALL_OLD") == {}
    assert put(db, hash_table, second, ReturnValues="ALL_OLD") == {"Attributes": first}
    assert put(db, hash_table, second, ReturnValues="NONE") == {}
    for other in ("ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"):
        code, message = refused(db.put_item, TableName=hash_table, Item=first, ReturnValues=other)
        assert (code, message) == (VALIDATION, f"{ENVELOPE}ReturnValues can only be ALL_OLD or NONE")


def test_conditions(db: Any, hash_table: str, refused: Refused) -> None:
    """EXPR.ConditionExpressions; ReturnValuesOnConditionCheckFailure: API."""
    item = {"pk": {"S": "cond"}, "v": {"N": "1"}}
    put(db, hash_table, item, ConditionExpression="attribute_not_exists(pk)")
    call = {"TableName": hash_table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    assert refused(db.put_item, **call) == ("ConditionalCheckFailedException", "The conditional request failed")
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as failed:
        db.put_item(**call, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert failed.value.response["Item"] == item
    values = {":one": {"N": "1.0"}}
    put(db, hash_table, item, ConditionExpression="v = :one", ExpressionAttributeValues=values)


def test_consumed_capacity(db: Any, hash_table: str) -> None:
    """CAPACITY: 1 unit per KB of the larger of the old and the new item."""
    large = {"pk": {"S": "cap"}, "v": {"S": "x" * 2500}}
    answer = put(db, hash_table, large, ReturnConsumedCapacity="TOTAL")
    assert answer == {"ConsumedCapacity": {"TableName": hash_table, "CapacityUnits": 3.0}}
    answer = put(db, hash_table, {"pk": {"S": "cap"}}, ReturnConsumedCapacity="INDEXES")
    expected = {"TableName": hash_table, "CapacityUnits": 3.0, "Table": {"CapacityUnits": 3.0}}
    assert answer == {"ConsumedCapacity": expected}
    assert put(db, hash_table, {"pk": {"S": "cap"}}, ReturnConsumedCapacity="NONE") == {}


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """API."""
    code, message = refused(db.put_item, TableName="no-such-table", Item={"pk": {"S": "x"}})
    assert (code, message) == ("ResourceNotFoundException", "Requested resource not found")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            {"Item": {"pk": {"S": "x"}}},
            VALIDATION,
            "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            {"TableName": "conformance-hash", "Item": {"pk": {"S": "x"}}, "ReturnValues": "ALL"},
            VALIDATION,
            "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: "
            "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]",
        ),
        (
            {
                "TableName": "conformance-hash",
                "Item": {"pk": {"S": "x"}},
                "ExpressionAttributeValues": {":v": {"S": "a"}},
            },
            VALIDATION,
            None,
        ),
    ],
)
def test_requests_of_the_wrong_shape(
    db: Any, hash_table: str, refused: Refused, arguments: Any, code: str, message: str | None
) -> None:
    """observed."""
    found = refused(db.put_item, **arguments)
    assert found[0] == code
    assert message is None or found[1] == message


def test_a_put_replaces_the_whole_item(db: Any, hash_table: str) -> None:
    """API."""
    put(db, hash_table, {"pk": {"S": "whole"}, "old": {"S": "x"}})
    put(db, hash_table, {"pk": {"S": "whole"}, "new": {"S": "y"}})
    assert get(db, hash_table, "whole") == {"pk": {"S": "whole"}, "new": {"S": "y"}}


def test_a_table_without_local_indexes_has_no_collection_metrics(db: Any, hash_table: str) -> None:
    """API: ItemCollectionMetrics is of tables with local secondary indexes."""
    assert put(db, hash_table, {"pk": {"S": "metrics"}}, ReturnItemCollectionMetrics="SIZE") == {}
    key = {"pk": {"S": "metrics"}}
    for call in (db.update_item, db.delete_item):
        answer = call(TableName=hash_table, Key=key, ReturnItemCollectionMetrics="SIZE")
        assert set(answer) == {"ResponseMetadata"}


def test_empty_text_and_bytes_are_values(db: Any, hash_table: str) -> None:
    """developerguide/HowItWorks.NamingRulesDataTypes: but for keys and for sets."""
    item = {"pk": {"S": "empty"}, "s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}}
    put(db, hash_table, item)
    assert get(db, hash_table, "empty") == item


def test_names_of_attributes(db: Any, hash_table: str, refused: Refused) -> None:
    """LIMITS: any UTF-8 of up to 64 KB, but not none."""
    item = {"pk": {"S": "names"}, "x" * 65535: {"S": "long"}, "\U0001f600 é.#:": {"S": "odd"}, " ": {"S": "blank"}}
    put(db, hash_table, item)
    assert get(db, hash_table, "names") == item
    code, _ = refused(db.put_item, TableName=hash_table, Item={"pk": {"S": "names"}, "": {"S": "x"}})
    assert code == VALIDATION
    code, _ = refused(db.put_item, TableName=hash_table, Item={"pk": {"S": "names"}, "x" * 65536: {"S": "x"}})
    assert code == VALIDATION
    assert get(db, hash_table, "names") == item
