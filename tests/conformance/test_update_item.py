"""UpdateItem."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
ITEM: dict[str, Any] = {
    "pk": {"S": "up"},
    "n": {"N": "5"},
    "s": {"SS": ["a", "b"]},
    "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]},
    "m": {"M": {"a": {"S": "x"}}},
}
KEY = {"pk": {"S": "up"}}
REST = {name: value for name, value in ITEM.items() if name != "pk"}


@pytest.fixture(autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


def update(db: Any, table: str, expression: str, values: Any = None, wanted: str = "ALL_NEW", **more: Any) -> Any:
    given = {"ExpressionAttributeValues": values} if values else {}
    answer = db.update_item(
        TableName=table, Key=KEY, UpdateExpression=expression, ReturnValues=wanted, **given, **more
    )
    return answer.get("Attributes")


@pytest.mark.parametrize(
    ("expression", "values", "changed"),
    [
        ("SET n = :v", {":v": {"S": "x"}}, {"n": {"S": "x"}}),
        ("SET n = n + :v, o = n", {":v": {"N": "2"}}, {"n": {"N": "7"}, "o": {"N": "5"}}),
        ("SET n = n - :v", {":v": {"N": "0.5"}}, {"n": {"N": "4.5"}}),
        ("SET o = if_not_exists(o, :v), n = if_not_exists(n, :v)", {":v": {"N": "1"}}, {"o": {"N": "1"}}),
        ("SET l = list_append(l, :v)", {":v": {"L": [{"N": "3"}]}}, {"l": {"L": [{"N": str(i)} for i in range(4)]}}),
        ("SET l[1] = :v", {":v": {"S": "x"}}, {"l": {"L": [{"N": "0"}, {"S": "x"}, {"N": "2"}]}}),
        ("SET l[50] = :v", {":v": {"S": "x"}}, {"l": {"L": [*ITEM["l"]["L"], {"S": "x"}]}}),
        ("SET m.b = :v", {":v": {"S": "y"}}, {"m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}}),
        ("REMOVE n", None, {"n": None}),
        ("REMOVE l[0], l[1]", None, {"l": {"L": [{"N": "2"}]}}),
        ("REMOVE m.a, nothing", None, {"m": {"M": {}}}),
        ("ADD n :v, o :v", {":v": {"N": "-1"}}, {"n": {"N": "4"}, "o": {"N": "-1"}}),
        ("ADD s :v", {":v": {"SS": ["b", "c"]}}, {"s": {"SS": ["a", "b", "c"]}}),
        ("DELETE s :v", {":v": {"SS": ["a", "z"]}}, {"s": {"SS": ["b"]}}),
        ("DELETE s :v", {":v": {"SS": ["a", "b"]}}, {"s": None}),
        (
            "SET n = :v REMOVE m ADD o :v DELETE s :s",
            {":v": {"N": "1"}, ":s": {"SS": ["a"]}},
            {"n": {"N": "1"}, "m": None, "o": {"N": "1"}, "s": {"SS": ["b"]}},
        ),
    ],
)
def test_update_expressions(db: Any, hash_table: str, expression: str, values: Any, changed: Any) -> None:
    """EXPR.UpdateExpressions."""
    expected = {name: value for name, value in {**ITEM, **changed}.items() if value is not None}
    assert update(db, hash_table, expression, values) == expected
    assert db.get_item(TableName=hash_table, Key=KEY, ConsistentRead=True)["Item"] == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", ITEM),
        ("ALL_NEW", {**ITEM, "n": {"N": "6"}, "o": {"S": "x"}}),
        ("UPDATED_OLD", {"n": {"N": "5"}}),
        ("UPDATED_NEW", {"n": {"N": "6"}, "o": {"S": "x"}}),
    ],
)
def test_return_values(db: Any, hash_table: str, wanted: str, expected: Any) -> None:
    """API."""
    values = {":one": {"N": "1"}, ":x": {"S": "x"}}
    assert update(db, hash_table, "SET n = n + :one, o = :x", values, wanted) == expected


def test_what_does_not_exist_is_created(db: Any, hash_table: str) -> None:
    """API: an upsert."""
    key = {"pk": {"S": "created"}}
    db.delete_item(TableName=hash_table, Key=key)
    db.update_item(TableName=hash_table, Key=key)
    assert db.get_item(TableName=hash_table, Key=key, ConsistentRead=True)["Item"] == key


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("SET o = absent", None, "The provided expression refers to an attribute that does not exist in the item"),
        ("SET n = m + :v", {":v": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
        (
            "SET x.y = :v",
            {":v": {"N": "1"}},
            "The document path provided in the update expression is invalid for update",
        ),
        ("ADD m :v", {":v": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
        (
            "SET pk = :v",
            {":v": {"S": "1"}},
            "One or more parameter values were invalid: Cannot update attribute pk. "
            "This attribute is part of the key",
        ),
        (
            "SET n = :v, n = :v",
            {":v": {"N": "1"}},
            f"{ENVELOPE}Invalid UpdateExpression: Two document paths overlap with each other; "
            "must remove or rewrite one of these paths; path one: [n], path two: [n]",
        ),
        (
            "SET n = :v SET o = :v",
            {":v": {"N": "1"}},
            f'{ENVELOPE}Invalid UpdateExpression: The "SET" section can only be used once in an update expression;',
        ),
        (
            "SET n = :w",
            {":v": {"N": "1"}},
            f"{ENVELOPE}Invalid UpdateExpression: An expression attribute value used in expression is not defined; "
            "attribute value: :w",
        ),
        ("SET n = :v", {":v": {"N": "1"}, ":u": {"N": "2"}}, None),
    ],
)
def test_refusals_change_nothing(
    db: Any, hash_table: str, refused: Refused, expression: str, values: Any, message: str | None
) -> None:
    """observed."""
    given = {"ExpressionAttributeValues": values} if values else {}
    code, found = refused(db.update_item, TableName=hash_table, Key=KEY, UpdateExpression=expression, **given)
    assert code == "ValidationException"
    assert message is None or found == message
    assert db.get_item(TableName=hash_table, Key=KEY, ConsistentRead=True)["Item"] == ITEM


def test_an_item_may_not_grow_beyond_400_kb(db: Any, hash_table: str, refused: Refused) -> None:
    """LIMITS; the wording for updates: observed."""
    values = {":v": {"S": "x" * (400 * 1024)}}
    code, message = refused(
        db.update_item,
        TableName=hash_table,
        Key=KEY,
        UpdateExpression="SET big = :v",
        ExpressionAttributeValues=values,
    )
    assert code == "ValidationException"
    assert message.startswith("Item size")


def test_conditions(db: Any, hash_table: str, refused: Refused) -> None:
    """EXPR.ConditionExpressions."""
    values = {":five": {"N": "5"}, ":one": {"N": "1"}}
    call = {
        "TableName": hash_table,
        "Key": KEY,
        "UpdateExpression": "SET n = n + :one",
        "ConditionExpression": "n = :five AND attribute_exists(m.a)",
        "ExpressionAttributeValues": values,
    }
    db.update_item(**call)
    assert refused(db.update_item, **call)[0] == "ConditionalCheckFailedException"


def test_consumed_capacity(db: Any, hash_table: str) -> None:
    """CAPACITY: the larger of before and after, whatever the expression touches."""
    values = {":v": {"S": "x" * 3 * 1024}}
    call = {"TableName": hash_table, "Key": KEY, "ReturnConsumedCapacity": "TOTAL"}
    grown = db.update_item(**call, UpdateExpression="SET big = :v", ExpressionAttributeValues=values)
    assert grown["ConsumedCapacity"] == {"TableName": hash_table, "CapacityUnits": 4.0}
    shrunk = db.update_item(**call, UpdateExpression="REMOVE big")
    assert shrunk["ConsumedCapacity"] == grown["ConsumedCapacity"]


def test_taking_away_from_nothing_creates_nothing(db: Any, hash_table: str) -> None:
    """observed."""
    key = {"pk": {"S": "never-there"}}
    answer = db.update_item(TableName=hash_table, Key=key, UpdateExpression="REMOVE a", ReturnValues="ALL_NEW")
    assert "Attributes" not in answer
    assert "Item" not in db.get_item(TableName=hash_table, Key=key, ConsistentRead=True)


THREADS, TURNS = 8, 25


def test_counters_are_atomic(db: Any, hash_table: str) -> None:
    """developerguide/WorkingWithItems.AtomicCounters: no increment is lost, and each saw a number of its own."""
    key = {"pk": {"S": "counter"}}
    db.delete_item(TableName=hash_table, Key=key)

    def count(_: int) -> list[int]:
        answers = [
            db.update_item(
                TableName=hash_table,
                Key=key,
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
            for _ in range(TURNS)
        ]
        return [int(answer["Attributes"]["n"]["N"]) for answer in answers]

    with ThreadPoolExecutor(THREADS) as pool:
        seen = list(pool.map(count, range(THREADS)))
    assert sorted(number for numbers in seen for number in numbers) == list(range(1, THREADS * TURNS + 1))
    assert all(numbers == sorted(numbers) for numbers in seen)


def test_of_equal_conditions_one_holds(db: Any, hash_table: str) -> None:
    """developerguide/Expressions.ConditionExpressions: optimistic locking."""
    key = {"pk": {"S": "locked"}}
    db.put_item(TableName=hash_table, Item={**key, "version": {"N": "0"}})

    def take(version: int) -> bool:
        try:
            db.update_item(
                TableName=hash_table,
                Key=key,
                UpdateExpression="SET version = :next",
                ConditionExpression="version = :now",
                ExpressionAttributeValues={":now": {"N": str(version)}, ":next": {"N": str(version + 1)}},
            )
        except db.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        for version in range(10):
            assert sum(pool.map(take, [version] * THREADS)) == 1


def test_without_an_update_expression_nothing_is_touched(db: Any, hash_table: str) -> None:
    """API: an existing item stays as it is."""
    answer = db.update_item(TableName=hash_table, Key=KEY, ReturnValues="ALL_NEW")
    assert answer["Attributes"] == ITEM


@pytest.mark.parametrize("key", [{}, {"x": {"S": "a"}}, {"pk": {"N": "1"}}, {"pk": {"S": "a"}, "x": {"S": "b"}}])
def test_keys_that_do_not_match_the_schema(db: Any, hash_table: str, refused: Refused, key: Any) -> None:
    """observed."""
    values = {":v": {"N": "1"}}
    found = refused(
        db.update_item,
        TableName=hash_table,
        Key=key,
        UpdateExpression="SET n = :v",
        ExpressionAttributeValues=values,
    )
    assert found == ("ValidationException", "The provided key element does not match the schema")
