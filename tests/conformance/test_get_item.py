"""GetItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cluster import wait_until

Refused = Callable[..., tuple[str, str]]
ITEM: dict[str, Any] = {
    "pk": {"S": "get"},
    "n": {"N": "1"},
    "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]},
    "m": {"M": {"a": {"S": "x"}, "b": {"M": {"c": {"S": "y"}}}}},
    "name": {"S": "reserved"},
}
KEY = {"pk": {"S": "get"}}


@pytest.fixture(scope="module", autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


def get(db: Any, table: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = db.get_item(TableName=table, Key=KEY, ConsistentRead=True, **more)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_missing_item_is_no_member(db: Any, hash_table: str) -> None:
    """API."""
    answer = db.get_item(TableName=hash_table, Key={"pk": {"S": "nobody"}}, ConsistentRead=True)
    assert "Item" not in answer


def test_an_eventual_read_sees_the_item_before_long(db: Any, hash_table: str) -> None:
    """developerguide/HowItWorks.ReadConsistency."""
    wait_until("seen", lambda: db.get_item(TableName=hash_table, Key=KEY).get("Item") == ITEM)


@pytest.mark.parametrize(
    ("expression", "names", "expected"),
    [
        ("n", None, {"n": ITEM["n"]}),
        ("nothing", None, {}),
        ("m.a, m.b.c", None, {"m": ITEM["m"]}),
        ("l[2], l[0]", None, {"l": {"L": [{"N": "0"}, {"N": "2"}]}}),
        ("l[9]", None, {}),
        ("#n, pk", {"#n": "name"}, {"name": ITEM["name"], "pk": ITEM["pk"]}),
    ],
)
def test_projections(db: Any, hash_table: str, expression: str, names: Any, expected: Any) -> None:
    """EXPR.ProjectionExpressions."""
    more = {"ExpressionAttributeNames": names} if names else {}
    assert get(db, hash_table, ProjectionExpression=expression, **more) == {"Item": expected}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"ProjectionExpression": "name"},
            "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            {"ProjectionExpression": "#x"},
            "Invalid ProjectionExpression: An expression attribute name used in the document path is not defined; "
            "attribute name: #x",
        ),
        ({"ProjectionExpression": ""}, "Invalid ProjectionExpression: The expression can not be empty;"),
        (
            {"ProjectionExpression": "m, m.a"},
            "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of "
            "these paths; path one: [m], path two: [m, a]",
        ),
        (
            {"ProjectionExpression": "n", "ExpressionAttributeNames": {"#u": "u"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#u}",
        ),
    ],
)
def test_refusals(db: Any, hash_table: str, refused: Refused, more: Any, message: str) -> None:
    """observed."""
    assert refused(db.get_item, TableName=hash_table, Key=KEY, **more) == ("ValidationException", message)


@pytest.mark.parametrize("key", [{}, {"x": {"S": "a"}}, {"pk": {"N": "1"}}, {"pk": {"S": "a"}, "x": {"S": "b"}}])
def test_keys_that_do_not_match_the_schema(db: Any, hash_table: str, refused: Refused, key: Any) -> None:
    """observed."""
    found = refused(db.get_item, TableName=hash_table, Key=key)
    assert found == ("ValidationException", "The provided key element does not match the schema")


@pytest.mark.parametrize(
    ("consistent", "size", "units"),
    [(True, 10, 1.0), (False, 10, 0.5), (True, 5000, 2.0), (False, 5000, 1.0), (False, 8200, 1.5)],
)
def test_consumed_capacity(db: Any, hash_table: str, consistent: bool, size: int, units: float) -> None:
    """CAPACITY: per 4 KB, halved for eventually consistent reads."""
    key = {"pk": {"S": f"size-{size}"}}
    db.put_item(TableName=hash_table, Item={**key, "v": {"S": "x" * size}})

    def ask() -> Any:
        answer = db.get_item(TableName=hash_table, Key=key, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        return answer if "Item" in answer else None

    answer = wait_until("seen", ask)
    assert answer["ConsumedCapacity"] == {"TableName": hash_table, "CapacityUnits": units}


def test_a_missing_item_costs_the_least(db: Any, hash_table: str) -> None:
    """CAPACITY."""
    answer = db.get_item(
        TableName=hash_table, Key={"pk": {"S": "nobody"}}, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1.0


@pytest.mark.parametrize("size", [0, 2049])
def test_key_sizes(db: Any, hash_table: str, refused: Refused, size: int) -> None:
    """LIMITS."""
    code, message = refused(db.get_item, TableName=hash_table, Key={"pk": {"S": "x" * size}})
    assert code == "ValidationException"
    assert ("empty string value" if size == 0 else "2048 bytes") in message
