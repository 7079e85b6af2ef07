"""Expressions and their placeholders: what is empty, malformed, undefined, unused or reserved, and in which words.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import bare

Refused = Callable[..., tuple[str, str]]
KEY = {"pk": {"S": "placeholders"}}
MEMBERS = {
    "put_item": ("ConditionExpression", {"Item": {**KEY, "v": {"S": "written"}}}),
    "delete_item": ("ConditionExpression", {"Key": KEY}),
    "update_item": ("UpdateExpression", {"Key": KEY}),
    "get_item": ("ProjectionExpression", {"Key": KEY}),
    "query": ("KeyConditionExpression", {}),
    "scan": ("FilterExpression", {}),
}
GOOD = {
    "put_item": "#a = :v",
    "delete_item": "#a = :v",
    "update_item": "SET #a = :v",
    "get_item": "#a",
    "query": "#a = :v",
    "scan": "#a = :v",
}
ALL = pytest.mark.parametrize("call", sorted(MEMBERS))
ITEM = {**KEY, "v": {"S": "there"}}


@pytest.fixture(scope="module", autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


@pytest.fixture(autouse=True)
def _untouched(db: Any, hash_table: str) -> Any:
    yield
    assert db.get_item(TableName=hash_table, Key=KEY, ConsistentRead=True)["Item"] == ITEM


def message(db: Any, refused: Refused, table: str, call: str, expression: str | None, **more: Any) -> str:
    """Why the call with this expression is refused."""
    member, needed = MEMBERS[call]
    given = {} if expression is None else {member: expression}
    code, text = refused(getattr(db, call), TableName=table, **needed, **given, **more)
    assert code == "ValidationException"
    return bare(call, text)


@ALL
def test_an_empty_expression(db: Any, hash_table: str, refused: Refused, call: str) -> None:
    """observed."""
    expected = f"Invalid {MEMBERS[call][0]}: The expression can not be empty;"
    assert message(db, refused, hash_table, call, "") == expected


@ALL
def test_what_is_no_expression(db: Any, hash_table: str, refused: Refused, call: str) -> None:
    """observed: with the token and what is near it."""
    text = message(db, refused, hash_table, call, "!! nonsense")
    assert text.startswith(f'Invalid {MEMBERS[call][0]}: Syntax error; token: "!"')


@ALL
def test_an_undefined_name(db: Any, hash_table: str, refused: Refused, call: str) -> None:
    """observed."""
    more = {} if call == "get_item" else {"ExpressionAttributeValues": {":v": {"S": "x"}}}
    assert message(db, refused, hash_table, call, GOOD[call], **more) == (
        f"Invalid {MEMBERS[call][0]}: An expression attribute name used in the document path is not defined; "
        "attribute name: #a"
    )


@pytest.mark.parametrize("call", sorted(set(MEMBERS) - {"get_item"}))
def test_an_undefined_value(db: Any, hash_table: str, refused: Refused, call: str) -> None:
    """observed."""
    text = message(db, refused, hash_table, call, GOOD[call], ExpressionAttributeNames={"#a": "a"})
    assert text == (
        f"Invalid {MEMBERS[call][0]}: An expression attribute value used in expression is not defined; "
        "attribute value: :v"
    )


@ALL
def test_an_unused_name(db: Any, hash_table: str, refused: Refused, call: str) -> None:
    """observed."""
    more = {} if call == "get_item" else {"ExpressionAttributeValues": {":v": {"S": "x"}}}
    names = {"#a": "pk" if call == "query" else "a", "#unused": "x"}
    assert message(db, refused, hash_table, call, GOOD[call], ExpressionAttributeNames=names, **more) == (
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#unused}"
    )


@ALL
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, "ExpressionAttributeNames must not be empty"),
        ({"a": "x"}, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'),
        ({"#": "x"}, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#"'),
        ({"#a b": "x"}, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#a b"'),
        ({"#a": ""}, "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"),
    ],
)
def test_names_that_are_none(
    db: Any, hash_table: str, refused: Refused, call: str, names: dict[str, str], expected: str
) -> None:
    """observed."""
    more = {} if call == "get_item" else {"ExpressionAttributeValues": {":v": {"S": "x"}}}
    assert message(db, refused, hash_table, call, GOOD[call], ExpressionAttributeNames=names, **more) == expected


@pytest.mark.parametrize("call", sorted(set(MEMBERS) - {"get_item"}))
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "ExpressionAttributeValues must not be empty"),
        ({"v": {"S": "x"}}, 'ExpressionAttributeValues contains invalid key: Syntax error; key: "v"'),
        ({":": {"S": "x"}}, 'ExpressionAttributeValues contains invalid key: Syntax error; key: ":"'),
    ],
)
def test_values_that_are_none(
    db: Any, hash_table: str, refused: Refused, call: str, values: dict[str, Any], expected: str
) -> None:
    """observed."""
    more = {"ExpressionAttributeNames": {"#a": "a"}, "ExpressionAttributeValues": values}
    assert message(db, refused, hash_table, call, GOOD[call], **more) == expected


@ALL
def test_placeholders_without_an_expression(db: Any, hash_table: str, refused: Refused, call: str) -> None:
    """observed."""
    text = message(db, refused, hash_table, call, None, ExpressionAttributeNames={"#a": "a"})
    assert text == "ExpressionAttributeNames can only be specified when using expressions"


@pytest.mark.parametrize("word", ["size", "name", "Status", "COUNT", "timestamp", "value", "zone"])
def test_reserved_words(db: Any, hash_table: str, refused: Refused, word: str) -> None:
    """developerguide/ReservedWords: in capitals or not; by placeholder they are names like any other."""
    text = message(db, refused, hash_table, "get_item", word)
    assert text == (f"Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: {word}")
    answer = db.get_item(
        TableName=hash_table,
        Key=KEY,
        ConsistentRead=True,
        ProjectionExpression="#w",
        ExpressionAttributeNames={"#w": word},
    )
    assert answer["Item"] == {}


def test_the_longest_expression(db: Any, hash_table: str, refused: Refused) -> None:
    """LIMITS: 4 KB."""
    fits = "pk, v" + " " * (4096 - len("pk, v"))
    db.get_item(TableName=hash_table, Key=KEY, ProjectionExpression=fits)
    text = message(db, refused, hash_table, "get_item", fits + " ")
    assert text.startswith(
        "Invalid ProjectionExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"
    )
