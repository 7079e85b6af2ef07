"""Query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
COUNT = 20


@pytest.fixture(scope="module", autouse=True)
def _items(db: Any, range_table: str) -> None:
    for pk in ("q1", "q2"):
        for number in range(COUNT):
            item = {
                "pk": {"S": pk},
                "sk": {"N": str(number)},
                "even": {"BOOL": number % 2 == 0},
                "v": {"S": "x" * 50},
            }
            db.put_item(TableName=range_table, Item=item)


def query(db: Any, table: str, condition: str = "pk = :p", values: Any = None, **more: Any) -> dict[str, Any]:
    given = {":p": {"S": "q1"}, **(values or {})}
    found: dict[str, Any] = db.query(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=given,
        ConsistentRead=True,
        **more,
    )
    return found


def numbers(answer: dict[str, Any]) -> list[int]:
    return [int(item["sk"]["N"]) for item in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("pk = :p", {}, range(20)),
        ("pk = :p AND sk = :a", {":a": "7"}, [7]),
        ("pk = :p AND sk < :a", {":a": "3"}, [0, 1, 2]),
        ("pk = :p AND sk <= :a", {":a": "3"}, [0, 1, 2, 3]),
        ("pk = :p AND sk > :a", {":a": "17"}, [18, 19]),
        (":a <= sk AND :p = pk", {":a": "18"}, [18, 19]),
        ("(pk = :p) AND (sk BETWEEN :a AND :b)", {":a": "4.5", ":b": "7"}, [5, 6, 7]),
        ("pk = :p AND sk > :a", {":a": "100"}, []),
    ],
)
def test_key_conditions(db: Any, range_table: str, condition: str, values: Any, expected: Any) -> None:
    """developerguide/Query.KeyConditionExpressions."""
    given = {name: {"N": value} for name, value in values.items()}
    answer = query(db, range_table, condition, given)
    assert numbers(answer) == list(expected)
    assert answer["Count"] == answer["ScannedCount"] == len(list(expected))
    backward = query(db, range_table, condition, given, ScanIndexForward=False)
    assert numbers(backward) == list(expected)[::-1]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 7, 20, 21])
def test_paging(db: Any, range_table: str, forward: bool, limit: int) -> None:
    """PAGES: each item once, in order, whatever the Limit."""
    found: list[int] = []
    more: dict[str, Any] = {}
    for _ in range(COUNT + 2):
        answer = query(db, range_table, Limit=limit, ScanIndexForward=forward, **more)
        assert answer["Count"] <= limit
        found += numbers(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert set(answer["LastEvaluatedKey"]) == {"pk", "sk"}
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert found == list(range(COUNT))[:: 1 if forward else -1]


def test_filters_count_after_the_limit(db: Any, range_table: str) -> None:
    """PAGES: Limit and 1 MB are measured before the filter."""
    answer = query(db, range_table, values={":t": {"BOOL": True}}, FilterExpression="even = :t", Limit=6)
    assert numbers(answer) == [0, 2, 4]
    assert (answer["Count"], answer["ScannedCount"]) == (3, 6)
    assert answer["LastEvaluatedKey"]["sk"] == {"N": "5"}


def test_a_page_ends_at_1_mb(db: Any, make_table: Callable[..., str]) -> None:
    """PAGES: the item that crosses 1 MB still belongs to the page."""
    table = make_table("conformance-large", ("pk", "S"), ("sk", "N"))
    for number in range(5):
        item = {"pk": {"S": "q1"}, "sk": {"N": str(number)}, "v": {"S": "x" * 300_000}}
        db.put_item(TableName=table, Item=item)
    first = query(db, table, ReturnConsumedCapacity="TOTAL")
    assert numbers(first) == [0, 1, 2, 3]
    assert first["ConsumedCapacity"]["CapacityUnits"] == pytest.approx(293, abs=1)
    second = query(db, table, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert numbers(second) == [4]
    assert "LastEvaluatedKey" not in second


def test_select_and_projection(db: Any, range_table: str, refused: Refused) -> None:
    """API."""
    counted = query(db, range_table, Select="COUNT")
    assert "Items" not in counted
    assert counted["Count"] == COUNT
    projected = query(db, range_table, ProjectionExpression="sk", Limit=1)
    assert projected["Items"] == [{"sk": {"N": "0"}}]
    call = {
        "TableName": range_table,
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "q1"}},
    }
    for more in (
        {"Select": "COUNT", "ProjectionExpression": "sk"},
        {"Select": "ALL_PROJECTED_ATTRIBUTES"},
        {"Select": "SPECIFIC_ATTRIBUTES"},
        {"IndexName": "nope"},
        {"Limit": 0},
    ):
        assert refused(db.query, **call, **more)[0] == "ValidationException"


def test_consumed_capacity(db: Any, range_table: str) -> None:
    """CAPACITY: sizes are added up, then rounded; halved where not strongly consistent."""
    answer = query(db, range_table, ReturnConsumedCapacity="INDEXES")
    expected = {"TableName": range_table, "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}
    assert answer["ConsumedCapacity"] == expected
    eventual = db.query(
        TableName=range_table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "q1"}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert eventual["ConsumedCapacity"]["CapacityUnits"] == 0.5


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("sk = :a", {":a": {"N": "1"}}, "Query condition missed key schema element: pk"),
        ("pk > :a", {":a": {"S": "x"}}, "Query key condition not supported"),
        ("pk = :a AND v = :a", {":a": {"S": "x"}}, "Query condition missed key schema element: sk"),
        ("pk = :a OR sk = :a", {":a": {"S": "x"}}, "Invalid operator used in KeyConditionExpression: OR"),
        (
            "pk = :a AND pk = :a",
            {":a": {"S": "x"}},
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "pk = :a",
            {":a": {"N": "1"}},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "pk = :a",
            {":a": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
    ],
)
def test_conditions_that_are_refused(
    db: Any, range_table: str, refused: Refused, condition: str, values: Any, message: str
) -> None:
    """observed."""
    found = refused(
        db.query, TableName=range_table, KeyConditionExpression=condition, ExpressionAttributeValues=values
    )
    assert found == ("ValidationException", message)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ({"pk": {"S": "q1"}}, "The provided starting key is invalid"),
        ({"x": {"S": "1"}}, "The provided starting key is invalid"),
        ({"pk": {"S": "q1"}, "x": {"N": "1"}}, "The provided starting key is invalid"),
        ({"pk": {"S": "q1"}, "sk": {"S": "1"}}, "The provided key element does not match the schema"),
        ({"pk": {"N": "1"}, "x": {"N": "1"}}, "The provided key element does not match the schema"),
        (
            {"pk": {"S": "q1"}, "sk": {}},
            "The provided starting key is invalid: Supplied AttributeValue is empty, must contain exactly one of the "
            "supported datatypes",
        ),
        ({"pk": {"S": "q1"}, "sk": {"N": "x"}}, "The parameter cannot be converted to a numeric value: x"),
    ],
)
def test_start_keys_that_are_no_keys(db: Any, range_table: str, refused: Refused, start: Any, expected: str) -> None:
    """dynalite, test/query; paritysuite/dynamodb-conformance, error-messages/query and valueLayers."""
    code, message = refused(
        db.query,
        TableName=range_table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "q1"}},
        ExclusiveStartKey=start,
    )
    assert code == "ValidationException"
    assert message == expected


def test_a_filter_may_not_name_the_key(db: Any, range_table: str, refused: Refused) -> None:
    """observed."""
    found = refused(
        db.query,
        TableName=range_table,
        KeyConditionExpression="pk = :p",
        FilterExpression="sk = :p",
        ExpressionAttributeValues={":p": {"S": "q1"}},
    )
    expected = "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"
    assert found == ("ValidationException", expected)


def test_the_page_that_ends_at_its_limit_has_a_last_key(db: Any, range_table: str) -> None:
    """PAGES: whether something follows is not looked at; the page after it is empty."""
    answer = query(db, range_table, Limit=COUNT)
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "q1"}, "sk": {"N": str(COUNT - 1)}}
    after = query(db, range_table, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert (after["Count"], after["ScannedCount"], after["Items"]) == (0, 0, [])
    assert "LastEvaluatedKey" not in after
    assert "LastEvaluatedKey" not in query(db, range_table, Limit=COUNT + 1)


def test_a_filter_that_drops_all_still_pages(db: Any, range_table: str) -> None:
    """PAGES: an empty page is not the last one."""
    answer = query(db, range_table, FilterExpression="attribute_not_exists(v)", Limit=3)
    assert (answer["Items"], answer["Count"], answer["ScannedCount"]) == ([], 0, 3)
    assert answer["LastEvaluatedKey"]["sk"] == {"N": "2"}


@pytest.mark.parametrize("forward", [True, False])
def test_a_start_key_need_not_exist(db: Any, range_table: str, forward: bool) -> None:
    """PAGES: the page begins behind it, in its direction."""
    start = {"pk": {"S": "q1"}, "sk": {"N": "9.5"}}
    found = numbers(query(db, range_table, ExclusiveStartKey=start, ScanIndexForward=forward))
    assert found == (list(range(10, COUNT)) if forward else list(range(9, -1, -1)))


@pytest.mark.parametrize(
    ("pk", "sk", "message"),
    [
        ("q2", "5", "The query can return at most one row and cannot be restarted"),
        ("q2", "2", "The provided starting key does not match the range key predicate"),
        ("q1", "2", "The provided starting key does not match the range key predicate"),
    ],
)
def test_start_keys_outside_the_range(
    db: Any, range_table: str, refused: Refused, pk: str, sk: str, message: str
) -> None:
    """observed."""
    found = refused(
        db.query,
        TableName=range_table,
        KeyConditionExpression="pk = :p AND sk > :a",
        ExpressionAttributeValues={":p": {"S": "q1"}, ":a": {"N": "3"}},
        ExclusiveStartKey={"pk": {"S": pk}, "sk": {"N": sk}},
    )
    assert found == ("ValidationException", message)


def test_nobodys_collection_is_empty(db: Any, range_table: str) -> None:
    """API."""
    answer = query(db, range_table, values={":p": {"S": "nobody"}})
    assert (answer["Items"], answer["Count"], answer["ScannedCount"]) == ([], 0, 0)
    assert "LastEvaluatedKey" not in answer


def test_names_by_placeholder(db: Any, range_table: str) -> None:
    """EXPR.ExpressionAttributeNames: in all three expressions."""
    answer = query(
        db,
        range_table,
        "#p = :p AND #s < :a",
        {":a": {"N": "6"}, ":t": {"BOOL": True}},
        ExpressionAttributeNames={"#p": "pk", "#s": "sk", "#e": "even"},
        FilterExpression="#e = :t",
        ProjectionExpression="#s, #e",
    )
    assert answer["Items"] == [{"sk": {"N": str(number)}, "even": {"BOOL": True}} for number in (0, 2, 4)]


def test_what_is_missing_or_unused(db: Any, range_table: str, refused: Refused) -> None:
    """observed."""
    missing = "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
    assert refused(db.query, TableName=range_table) == ("ValidationException", missing)
    call = {"TableName": range_table, "KeyConditionExpression": "pk = :p"}
    unused = refused(db.query, **call, ExpressionAttributeValues={":p": {"S": "q1"}, ":u": {"S": "x"}})
    assert unused == (
        "ValidationException",
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:u}",
    )
    undefined = refused(db.query, **call, ExpressionAttributeValues={":q": {"S": "q1"}})
    assert undefined == (
        "ValidationException",
        "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; "
        "attribute value: :p",
    )


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """API."""
    found = refused(
        db.query,
        TableName="no-such-table",
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "q1"}},
    )
    assert found == ("ResourceNotFoundException", "Requested resource not found")
