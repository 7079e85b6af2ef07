"""ReturnValues and ReturnValuesOnConditionCheckFailure of PutItem, UpdateItem and DeleteItem, in all variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
KEY = {"pk": {"S": "returned"}}
ITEM: dict[str, Any] = {
    **KEY,
    "n": {"N": "5"},
    "s": {"SS": ["a", "b"]},
    "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]},
    "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}},
}
NEW = {**KEY, "n": {"N": "6"}}
MEANS: list[tuple[str, dict[str, Any]]] = [
    ("put_item", {"Item": NEW}),
    ("delete_item", {"Key": KEY}),
    (
        "update_item",
        {"Key": KEY, "UpdateExpression": "SET n = :six", "ExpressionAttributeValues": {":six": {"N": "6"}}},
    ),
]
ALL = pytest.mark.parametrize(("call", "request_"), MEANS, ids=[call for call, _ in MEANS])


@pytest.fixture(autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


def stored(db: Any, table: str) -> Any:
    return db.get_item(TableName=table, Key=KEY, ConsistentRead=True).get("Item")


# -- ReturnValues -----------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("wanted", [None, "NONE", "ALL_OLD"])
def test_old_items(db: Any, hash_table: str, call: str, request_: Any, wanted: str | None) -> None:
    """API: ALL_OLD is the whole item as it was; without one there is no member."""
    more = {} if wanted is None else {"ReturnValues": wanted}
    answer = getattr(db, call)(TableName=hash_table, **request_, **more)
    assert answer.get("Attributes") == (ITEM if wanted == "ALL_OLD" else None)
    db.delete_item(TableName=hash_table, Key=KEY)
    answer = getattr(db, call)(TableName=hash_table, **request_, **more)
    assert "Attributes" not in answer


@pytest.mark.parametrize("wanted", ["ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
@pytest.mark.parametrize(("call", "request_"), MEANS[:2], ids=["put_item", "delete_item"])
def test_only_updates_return_more(
    db: Any, hash_table: str, refused: Refused, call: str, request_: Any, wanted: str
) -> None:
    """observed."""
    found = refused(getattr(db, call), TableName=hash_table, **request_, ReturnValues=wanted)
    assert found == ("ValidationException", f"{ENVELOPE}ReturnValues can only be ALL_OLD or NONE")
    assert stored(db, hash_table) == ITEM


@ALL
def test_what_does_not_exist_is_refused(db: Any, hash_table: str, refused: Refused, call: str, request_: Any) -> None:
    """observed."""
    found = refused(getattr(db, call), TableName=hash_table, **request_, ReturnValues="EVERYTHING")
    assert found == (
        "ValidationException",
        f"{ENVELOPE}Failed to satisfy constraint: Member must satisfy enum value set: "
        "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]",
    )
    assert stored(db, hash_table) == ITEM


def updated(db: Any, table: str, wanted: str, expression: str, values: Any) -> Any:
    given = {"ExpressionAttributeValues": values} if values else {}
    answer = db.update_item(TableName=table, Key=KEY, UpdateExpression=expression, ReturnValues=wanted, **given)
    return answer.get("Attributes")


@pytest.mark.parametrize(
    ("expression", "values", "old", "new"),
    [
        ("SET n = :v", {":v": {"N": "5"}}, {"n": {"N": "5"}}, {"n": {"N": "5"}}),
        ("SET o = :v", {":v": {"S": "z"}}, None, {"o": {"S": "z"}}),
        ("REMOVE n", None, {"n": {"N": "5"}}, None),
        ("REMOVE nothing", None, None, None),
        ("ADD n :v, o :v", {":v": {"N": "2"}}, {"n": {"N": "5"}}, {"n": {"N": "7"}, "o": {"N": "2"}}),
        ("DELETE s :v", {":v": {"SS": ["a"]}}, {"s": {"SS": ["a", "b"]}}, {"s": {"SS": ["b"]}}),
        ("DELETE s :v", {":v": {"SS": ["a", "b"]}}, {"s": {"SS": ["a", "b"]}}, None),
        ("SET m.a = :v", {":v": {"S": "z"}}, {"m": {"M": {"a": {"S": "x"}}}}, {"m": {"M": {"a": {"S": "z"}}}}),
        ("SET m.c = :v", {":v": {"S": "z"}}, None, {"m": {"M": {"c": {"S": "z"}}}}),
        ("SET l[1] = :v", {":v": {"S": "z"}}, {"l": {"L": [{"N": "1"}]}}, {"l": {"L": [{"S": "z"}]}}),
        (
            "SET l[0] = :v, l[2] = :v",
            {":v": {"S": "z"}},
            {"l": {"L": [{"N": "0"}, {"N": "2"}]}},
            {"l": {"L": [{"S": "z"}, {"S": "z"}]}},
        ),
        ("SET m = :v REMOVE l", {":v": {"S": "z"}}, {"m": ITEM["m"], "l": ITEM["l"]}, {"m": {"S": "z"}}),
    ],
)
def test_updated_attributes(db: Any, hash_table: str, expression: str, values: Any, old: Any, new: Any) -> None:
    """API: only what the expression writes, to the depth of its paths; without any of it there is no member."""
    assert updated(db, hash_table, "UPDATED_OLD", expression, values) == old
    db.put_item(TableName=hash_table, Item=ITEM)
    assert updated(db, hash_table, "UPDATED_NEW", expression, values) == new
    db.put_item(TableName=hash_table, Item=ITEM)
    whole = updated(db, hash_table, "ALL_NEW", expression, values)
    assert whole == stored(db, hash_table)
    db.put_item(TableName=hash_table, Item=ITEM)
    assert updated(db, hash_table, "ALL_OLD", expression, values) == ITEM
    assert stored(db, hash_table) == whole


def test_an_update_that_creates(db: Any, hash_table: str) -> None:
    """API: ALL_NEW holds the key; what is updated does not."""
    values = {":v": {"N": "1"}}
    for wanted, expected in (
        ("ALL_NEW", {**KEY, "n": {"N": "1"}}),
        ("UPDATED_NEW", {"n": {"N": "1"}}),
        ("ALL_OLD", None),
        ("UPDATED_OLD", None),
    ):
        db.delete_item(TableName=hash_table, Key=KEY)
        assert updated(db, hash_table, wanted, "SET n = :v", values) == expected
    db.delete_item(TableName=hash_table, Key=KEY)
    assert db.update_item(TableName=hash_table, Key=KEY, ReturnValues="ALL_NEW")["Attributes"] == KEY


# -- ReturnValuesOnConditionCheckFailure ------------------------------------------------------------------------


def failure(db: Any, call: str, **request: Any) -> dict[str, Any]:
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as failed:
        getattr(db, call)(**request)
    answer: dict[str, Any] = failed.value.response
    assert answer["Error"]["Message"] == "The conditional request failed"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "Attributes" not in answer
    return answer


@ALL
@pytest.mark.parametrize("wanted", [None, "NONE", "ALL_OLD"])
def test_a_failed_condition(db: Any, hash_table: str, call: str, request_: Any, wanted: str | None) -> None:
    """API: ALL_OLD is the item that failed it; without one there is no Item. Nothing is changed either way."""
    more: dict[str, Any] = {"TableName": hash_table, "ReturnValues": "ALL_OLD"}
    if wanted is not None:
        more["ReturnValuesOnConditionCheckFailure"] = wanted
    answer = failure(db, call, **request_, **more, ConditionExpression="attribute_not_exists(pk)")
    assert answer.get("Item") == (ITEM if wanted == "ALL_OLD" else None)
    assert stored(db, hash_table) == ITEM
    db.delete_item(TableName=hash_table, Key=KEY)
    answer = failure(db, call, **request_, **more, ConditionExpression="attribute_exists(pk)")
    assert "Item" not in answer
    assert stored(db, hash_table) is None


@ALL
def test_a_condition_that_holds_returns_no_item(db: Any, hash_table: str, call: str, request_: Any) -> None:
    """API."""
    answer = getattr(db, call)(
        TableName=hash_table,
        **request_,
        ConditionExpression="attribute_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert set(answer) == {"ResponseMetadata"}


@ALL
def test_variants_that_do_not_exist(db: Any, hash_table: str, refused: Refused, call: str, request_: Any) -> None:
    """observed."""
    found = refused(
        getattr(db, call), TableName=hash_table, **request_, ReturnValuesOnConditionCheckFailure="ALL_NEW"
    )
    assert found == (
        "ValidationException",
        "1 validation error detected: Value 'ALL_NEW' at 'returnValuesOnConditionCheckFailure' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ALL_OLD, NONE]",
    )
