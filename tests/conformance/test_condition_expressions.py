"""Condition expressions through the whole path: an update that changes nothing passes or fails.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
KEY = {"pk": {"S": "conditions"}}
ITEM: dict[str, Any] = {
    **KEY,
    "n": {"N": "5"},
    "text": {"S": "abcdef"},
    "bytes": {"B": b"\x01\x02\xff"},
    "tags": {"SS": ["red", "blue"]},
    "list": {"L": [{"N": "1"}, {"S": "two"}, {"M": {"deep": {"BOOL": True}}}]},
    "map": {"M": {"a": {"N": "1"}, "dotted.name": {"S": "x"}}},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
}
NAMES = {"#b": "bytes", "#t": "text", "#l": "list", "#m": "map", "#dn": "dotted.name", "#n": "n", "#x": "nothing"}
VALUES: dict[str, Any] = {
    ":five": {"N": "5.00"},
    ":ten": {"N": "1E1"},
    ":one": {"N": "1"},
    ":six": {"N": "6"},
    ":abc": {"S": "abc"},
    ":cde": {"S": "cde"},
    ":low": {"B": b"\x01\x02"},
    ":red": {"S": "red"},
    ":two": {"S": "two"},
    ":x": {"S": "x"},
    ":true": {"BOOL": True},
    ":null": {"NULL": True},
    ":type": {"S": "SS"},
    ":both": {"SS": ["blue", "red"]},
}

HOLD = [
    "#n = :five",
    "n <> :one",
    "n BETWEEN :one AND :ten",
    "n IN (:one, :five)",
    "n < :ten AND n >= :five",
    "NOT n > :five",
    "n > :ten OR n = :five AND NOT (n = :ten)",
    "attribute_exists(#l[2].deep)",
    "attribute_not_exists(#l[3])",
    "attribute_not_exists(#m.a.b)",
    "#m.#dn = :x",
    "#l[1] = :two",
    "attribute_type(tags, :type)",
    "begins_with(#t, :abc)",
    "begins_with(#b, :low)",
    "contains(#t, :cde)",
    "contains(tags, :red)",
    "contains(#l, :two)",
    "size(#t) = :six",
    "size(#b) < size(#t)",
    "size(#m) < size(#l)",
    "tags = :both",
    "yes = :true AND #x = :null",
    "absent <> :one",
]
FAIL = [
    "n = :one",
    "absent = :one",
    "absent < :one",
    "#t = :five",
    "#t < :five",
    "n BETWEEN :six AND :ten",
    "contains(#t, :red)",
    "size(absent) = :one",
    "attribute_exists(absent)",
    "attribute_type(#t, :type)",
    "begins_with(n, :abc)",
    "NOT (n = :five OR n = :one)",
]


@pytest.fixture(scope="module", autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


def conditional(table: str, expression: str) -> dict[str, Any]:
    """An UpdateItem without an update; only the placeholders that the expression names are given."""
    names = {name: value for name, value in NAMES.items() if name in expression}
    values = {name: value for name, value in VALUES.items() if name in expression}
    members = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    given = {name: member for name, member in members.items() if member}
    return {"TableName": table, "Key": KEY, "ConditionExpression": expression, **given}


@pytest.mark.parametrize("expression", HOLD)
def test_conditions_that_hold(db: Any, hash_table: str, expression: str) -> None:
    answer = db.update_item(**conditional(hash_table, expression), ReturnValues="ALL_NEW")
    item = answer["Attributes"]
    assert {**item, "tags": {"SS": sorted(item["tags"]["SS"])}} == {**ITEM, "tags": {"SS": ["blue", "red"]}}


@pytest.mark.parametrize("expression", FAIL)
def test_conditions_that_fail(db: Any, hash_table: str, refused: Refused, expression: str) -> None:
    found = refused(db.update_item, **conditional(hash_table, expression))
    assert found == ("ConditionalCheckFailedException", "The conditional request failed")


@pytest.mark.parametrize("expression", HOLD + FAIL)
def test_filters_mean_the_same(db: Any, hash_table: str, expression: str) -> None:
    """A filter is a condition on what was found."""
    asked = {"ExpressionAttributeValues": {}, **conditional(hash_table, expression)}
    asked["FilterExpression"] = asked.pop("ConditionExpression")
    asked["ExpressionAttributeValues"][":pk"] = asked.pop("Key")["pk"]
    answer = db.query(**asked, KeyConditionExpression="pk = :pk", ConsistentRead=True)
    assert (answer["Count"], answer["ScannedCount"]) == (int(expression in HOLD), 1)
