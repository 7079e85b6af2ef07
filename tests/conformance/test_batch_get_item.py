"""BatchGetItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module", autouse=True)
def _items(db: Any, hash_table: str, range_table: str) -> None:
    for number in range(30):
        db.put_item(TableName=hash_table, Item=item(number))
        db.put_item(TableName=range_table, Item={"pk": {"S": f"batch-{number}"}, "sk": {"N": "1"}})


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"batch-{number}"}}


def item(number: int) -> dict[str, Any]:
    return {**key(number), "n": {"N": str(number)}, "v": {"S": "x"}}


def test_items_of_several_tables(db: Any, hash_table: str, range_table: str) -> None:
    """API: what is missing is left out, order is not promised."""
    wanted = {
        hash_table: {"Keys": [key(n) for n in range(40)], "ConsistentRead": True, "ProjectionExpression": "n"},
        range_table: {"Keys": [{**key(n), "sk": {"N": "1"}} for n in range(30)], "ConsistentRead": True},
    }
    answer = db.batch_get_item(RequestItems=wanted, ReturnConsumedCapacity="TOTAL")
    assert sorted(int(each["n"]["N"]) for each in answer["Responses"][hash_table]) == list(range(30))
    assert len(answer["Responses"][range_table]) == 30
    assert answer["UnprocessedKeys"] == {}
    units = {each["TableName"]: each["CapacityUnits"] for each in answer["ConsumedCapacity"]}
    assert units == {hash_table: 40.0, range_table: 30.0}


def test_nothing_found(db: Any, hash_table: str) -> None:
    """API."""
    answer = db.batch_get_item(RequestItems={hash_table: {"Keys": [{"pk": {"S": "nobody"}}]}})
    assert answer["Responses"] == {hash_table: []}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([key(1), key(1)], "Provided list of item keys contains duplicates"),
        (
            [key(n) for n in range(101)],
            "1 validation error detected: Value at 'RequestItems.conformance-hash.member.Keys' failed to satisfy "
            "constraint: Member must have length less than or equal to 100",
        ),
        ([{"x": {"S": "1"}}], "The provided key element does not match the schema"),
    ],
)
def test_refusals(db: Any, hash_table: str, refused: Refused, keys: Any, message: str) -> None:
    """observed."""
    found = refused(db.batch_get_item, RequestItems={hash_table: {"Keys": keys}})
    assert found == ("ValidationException", message)


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """API."""
    found = refused(db.batch_get_item, RequestItems={"no-such-table": {"Keys": [key(1)]}})
    assert found == ("ResourceNotFoundException", "Requested resource not found")
