"""Local secondary indexes: what is answered, charged and refused. Every case names its source.

ALTERNATOR: scylladb/scylladb test/alternator/test_lsi.py and test_gsi.py, run against DynamoDB.
PARITY: paritysuite/dynamodb-conformance, captured from DynamoDB in 2026.
DYNALITE: architect/dynalite test/query.js, recorded from DynamoDB.
GUIDE: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.indexed import INVALID, Refused, charged, create

TABLE = "conformance-lsi"
PAD = "x" * 5000
"""More than 4 KB, so that what is fetched costs more than what is read of an index."""


@pytest.fixture(scope="module", autouse=True)
def _table(db: Any) -> None:
    create(db, TABLE)
    for number in range(4):
        db.put_item(TableName=TABLE, Item=item(number))
    db.put_item(TableName=TABLE, Item={"p": {"S": "q"}, "c": {"S": "sparse"}})
    db.put_item(TableName=TABLE, Item={"p": {"S": "other"}, "c": {"S": "0"}, "b": {"S": "b0"}})


def key(number: int) -> dict[str, Any]:
    return {"p": {"S": "q"}, "c": {"S": str(number)}}


def item(number: int) -> dict[str, Any]:
    return {
        **key(number),
        "b": {"S": f"b{number // 2}"},
        "n": {"N": str(-number)},
        "a": {"S": f"a{number}"},
        "x": {"S": PAD},
    }


def query(db: Any, name: str | None, condition: str = "p = :p", **more: Any) -> dict[str, Any]:
    values = {":p": {"S": "q"}, **more.pop("values", {})}
    if name is not None:
        more["IndexName"] = name
    found: dict[str, Any] = db.query(
        **{
            "TableName": TABLE,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            **more,
        }
    )
    return found


def found(answer: dict[str, Any], name: str = "c") -> list[str]:
    return [str(each[name]["S"]) for each in answer["Items"]]


def only(names: str, *numbers: int) -> list[dict[str, Any]]:
    return [{name: item(number)[name] for name in names if name in item(number)} for number in numbers]


def refusal(db: Any, refused: Refused, name: str = "whole", **more: Any) -> str:
    request = {
        "TableName": TABLE,
        "IndexName": name,
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "q"}},
    }
    code, message = refused(db.query, **{**request, **more})
    assert code == "ValidationException"
    return message


# -- what is answered ---------------------------------------------------------------------------------------------


def test_query_by_the_index_key(db: Any) -> None:
    """ALTERNATOR, test_lsi_1; PARITY, tier1/query/lsi: equal index keys in the order of the table's sort key."""
    assert found(query(db, "whole", "p = :p AND b = :b", values={":b": {"S": "b1"}})) == ["2", "3"]
    assert found(query(db, "whole", ScanIndexForward=False)) == ["3", "2", "1", "0"]
    assert found(query(db, "keys")) == ["3", "2", "1", "0"]


def test_legacy_conditions_on_an_index(db: Any) -> None:
    """ALTERNATOR, test_lsi_4: KeyConditions name the index's key; QueryFilter may name the table's sort key."""
    conditions = {
        "p": {"AttributeValueList": [{"S": "q"}], "ComparisonOperator": "EQ"},
        "n": {"AttributeValueList": [{"N": "-2"}], "ComparisonOperator": "GE"},
    }
    request = {"TableName": TABLE, "IndexName": "keys", "KeyConditions": conditions, "ConsistentRead": True}
    assert found(db.query(**request)) == ["2", "1", "0"]
    of_table = {"c": {"AttributeValueList": [{"S": "1"}], "ComparisonOperator": "EQ"}}
    assert found(db.query(**request, QueryFilter=of_table)) == ["1"]


def test_an_index_holds_items_with_its_key_only(db: Any) -> None:
    """GUIDE, sparse indexes: the item without b and n is in none."""
    assert "sparse" not in found(query(db, "whole")) + found(query(db, "keys"))
    assert query(db, None, Select="COUNT")["Count"] == 5
    assert query(db, "binary")["Items"] == []


def test_scan_of_an_index(db: Any) -> None:
    """ALTERNATOR, test_lsi_identical; PARITY, tier1/scan/lsi: entries of all item collections, in parallel too."""
    assert sorted(found(db.scan(TableName=TABLE, IndexName="whole", ConsistentRead=True))) == [
        "0",
        "0",
        "1",
        "2",
        "3",
    ]
    parts = [
        db.scan(TableName=TABLE, IndexName="whole", Segment=segment, TotalSegments=3, ConsistentRead=True)
        for segment in range(3)
    ]
    assert sorted(name for part in parts for name in found(part)) == ["0", "0", "1", "2", "3"]


def test_eventual_reads_of_an_index(db: Any) -> None:
    """ALTERNATOR, test_lsi_consistent_read: both kinds of reads are allowed."""
    assert found(query(db, "whole", ConsistentRead=False)) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "projected"),
    [("whole", "pcbnax"), ("include", "pcba"), ("keys", "pcn")],
)
@pytest.mark.parametrize("select", [{}, {"Select": "ALL_PROJECTED_ATTRIBUTES"}])
def test_what_an_index_projects(db: Any, name: str, projected: str, select: Any) -> None:
    """ALTERNATOR, test_lsi_get_all_projected_attributes, test_lsi_query_select: the default is what is projected."""
    answer = query(db, name, **select, FilterExpression="c = :c", values={":c": {"S": "1"}})
    assert answer["Items"] == only(projected, 1)


@pytest.mark.parametrize("name", ["whole", "include", "keys"])
def test_all_attributes_are_fetched(db: Any, name: str) -> None:
    """ALTERNATOR, test_lsi_query_select: unlike in a global index, ALL_ATTRIBUTES is always allowed."""
    answer = query(db, name, Select="ALL_ATTRIBUTES", FilterExpression="c = :c", values={":c": {"S": "1"}})
    assert answer["Items"] == [item(1)]


@pytest.mark.parametrize(
    "wanted",
    [
        {"ProjectionExpression": "a, n"},
        {"ProjectionExpression": "a, n", "Select": "SPECIFIC_ATTRIBUTES"},
    ],
)
def test_attributes_that_are_not_projected(db: Any, wanted: Any) -> None:
    """ALTERNATOR, test_lsi_get_not_projected_attribute."""
    assert query(db, "keys", **wanted)["Items"] == only("an", 3, 2, 1, 0)


def test_attributes_to_get_of_an_index(db: Any) -> None:
    """ALTERNATOR, test_lsi_query_select: the legacy form."""
    condition = {"p": {"AttributeValueList": [{"S": "q"}], "ComparisonOperator": "EQ"}}
    answer = db.query(
        TableName=TABLE,
        IndexName="include",
        KeyConditions=condition,
        AttributesToGet=["a", "n"],
        Select="SPECIFIC_ATTRIBUTES",
    )
    assert answer["Items"] == only("an", 0, 1, 2, 3)


@pytest.mark.parametrize("name", ["whole", "include"])
def test_count(db: Any, name: str) -> None:
    """ALTERNATOR, test_lsi_query_select: no Items; PARITY, tier1/query/select: a filter counts after the scan."""
    answer = query(db, name, Select="COUNT", FilterExpression="a = :a", values={":a": {"S": "a1"}})
    assert (answer["Count"], answer["ScannedCount"], "Items" in answer) == (1, 4, False)


def test_a_filter_looks_at_what_is_projected(db: Any, refused: Refused) -> None:
    """dynamodb-toolbox, issue 1195. A Scan is not refused."""
    asked: dict[str, Any] = {
        "TableName": TABLE,
        "IndexName": "keys",
        "FilterExpression": "a = :a OR attribute_exists(x)",
        "ExpressionAttributeValues": {":a": {"S": "a1"}},
    }
    values = {**asked["ExpressionAttributeValues"], ":p": {"S": "q"}}
    query = {**asked, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": values}
    assert refused(db.query, **query) == (
        "ValidationException",
        "One or more parameter values were invalid: Secondary index keys does not project one or more filter "
        "attributes: [a, x]",
    )
    assert db.scan(**asked)["Count"] > 0


def test_filters_on_keys_of_the_table(db: Any) -> None:
    """ALTERNATOR, test_lsi_filter_expression_and_projection_expression: c is the table's key, not the index's."""
    answer = query(db, "whole", FilterExpression="c = :c", ProjectionExpression="a", values={":c": {"S": "2"}})
    assert answer["Items"] == only("a", 2)


# -- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forward", [True, False])
def test_pages_over_equal_index_keys(db: Any, forward: bool) -> None:
    """PARITY, tier1/query/lsi (tied sort keys): LastEvaluatedKey has the keys of table and index."""
    seen: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(6):
        answer = query(db, "whole", Limit=1, ScanIndexForward=forward, **more)
        seen += found(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert set(answer["LastEvaluatedKey"]) == {"p", "c", "b"}
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert seen == (["0", "1", "2", "3"] if forward else ["3", "2", "1", "0"])


def test_a_start_key_of_the_index_need_not_exist(db: Any) -> None:
    """GUIDE: it is a place in the order."""
    start = {"p": {"S": "q"}, "c": {"S": "1x"}, "b": {"S": "b0"}}
    assert found(query(db, "whole", ExclusiveStartKey=start)) == ["2", "3"]


START = {"p": {"S": "q"}, "c": {"S": "1"}, "b": {"S": "b0"}}
SCHEMA = "The provided key element does not match the schema"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({}, "The provided starting key is invalid"),
        ({"p": {"S": "q"}, "c": {"S": "1"}}, "The provided starting key is invalid"),
        ({"p": {"S": "q"}, "b": {"S": "b0"}}, "The provided starting key is invalid"),
        ({**START, "n": {"N": "1"}}, "The provided starting key is invalid"),
        ({"p": {"S": "q"}, "c": {"S": "1"}, "n": {"N": "1"}}, "The provided starting key is invalid"),
        ({**START, "p": {"N": "1"}}, SCHEMA),
        ({**START, "b": {"N": "1"}}, SCHEMA),
        ({**START, "c": {"N": "1"}}, f"The provided starting key is invalid: {SCHEMA}"),
        (
            {**START, "p": {"S": "other"}},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
    ],
)
def test_start_keys_that_are_none_of_the_index(db: Any, refused: Refused, start: Any, message: str) -> None:
    """DYNALITE: "ExclusiveStartKey is invalid for local index", "does not match schema for local index", others."""
    assert refusal(db, refused, ExclusiveStartKey=start) == message


@pytest.mark.parametrize(
    ("condition", "value", "start", "message"),
    [
        ("b > :b", "b0", START, "The provided starting key does not match the range key predicate"),
        (
            "b >= :b",
            "b0",
            {**START, "p": {"S": "other"}},
            "The query can return at most one row and cannot be restarted",
        ),
        (
            "c = :b",
            "1",
            START,
            "Query condition missed key schema element: b",
        ),
    ],
)
def test_start_keys_beside_conditions(
    db: Any, refused: Refused, condition: str, value: str, start: Any, message: str
) -> None:
    """DYNALITE: "local index and not matching predicate", "matching range but non-matching hash key" and others."""
    values = {":p": {"S": "q"}, ":b": {"S": value}}
    more: dict[str, Any] = {
        "KeyConditionExpression": f"p = :p AND {condition}",
        "ExpressionAttributeValues": values,
    }
    assert refusal(db, refused, ExclusiveStartKey=start, **more) == message


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"p": {"S": "q"}, "c": {"S": "1"}}, "The provided starting key is invalid"),
        ({**START, "b": {"N": "1"}}, SCHEMA),
        ({**START, "c": {"N": "1"}}, f"The provided starting key is invalid: {SCHEMA}"),
    ],
)
def test_start_keys_of_a_scan(db: Any, refused: Refused, start: Any, message: str) -> None:
    """DYNALITE, actions/scan."""
    found_ = refused(db.scan, TableName=TABLE, IndexName="whole", ExclusiveStartKey=start)
    assert found_ == ("ValidationException", message)


# -- what is refused ----------------------------------------------------------------------------------------------


def test_an_index_that_is_not_there(db: Any, refused: Refused) -> None:
    """PARITY, validation-ordering/index; DYNALITE: a scan with a start key finds that first."""
    message = "The table does not have the specified index: nope"
    assert refusal(db, refused, "nope") == message
    assert refused(db.scan, TableName=TABLE, IndexName="nope") == ("ValidationException", message)
    found_ = refused(db.scan, TableName=TABLE, IndexName="nope", ExclusiveStartKey=START)
    assert found_ == ("ValidationException", "The provided starting key is invalid")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
        (
            {"Select": "ALL_ATTRIBUTES", "ProjectionExpression": "a"},
            "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES",
        ),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES", "ProjectionExpression": "a"},
            "Cannot specify the ProjectionExpression when choosing to get ALL_PROJECTED_ATTRIBUTES",
        ),
        (
            {"Select": "COUNT", "ProjectionExpression": "a"},
            "Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
    ],
)
def test_select_that_contradicts(db: Any, refused: Refused, more: Any, message: str) -> None:
    """PARITY, error-messages/query and scan: Query envelopes it, Scan does not."""
    assert refusal(db, refused, **more) == f"1 validation error detected: {message}"
    assert refused(db.scan, TableName=TABLE, IndexName="whole", **more) == ("ValidationException", message)


def test_all_projected_attributes_need_an_index(db: Any, refused: Refused) -> None:
    """PARITY, tier1/query/select."""
    message = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    found_ = refused(db.scan, TableName=TABLE, Select="ALL_PROJECTED_ATTRIBUTES")
    assert found_ == ("ValidationException", message)


def test_filters_on_keys_of_the_index(db: Any, refused: Refused) -> None:
    """DYNALITE: "local range key in FilterExpression"."""
    values = {":p": {"S": "q"}, ":b": {"S": "b0"}}
    message = refusal(db, refused, FilterExpression="b = :b", ExpressionAttributeValues=values)
    assert message == "Filter Expression can only contain non-primary key attributes: Primary key attribute: b"


@pytest.mark.parametrize("member", ["FilterExpression", "ProjectionExpression"])
@pytest.mark.parametrize("path", ["n[0]", "n.m"])
def test_nothing_lies_inside_an_index_key(db: Any, refused: Refused, member: str, path: str) -> None:
    """DYNALITE: "non-scalar index access", of the table too."""
    text = path if member == "ProjectionExpression" else f"attribute_exists({path})"
    message = (
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: n"
    )
    assert refusal(db, refused, **{member: text}) == message
    assert refused(db.scan, TableName=TABLE, **{member: text}) == ("ValidationException", message)


def test_conditions_name_the_key_of_the_index(db: Any, refused: Refused) -> None:
    """DYNALITE: "missing part"; types are those of the index's key."""
    values = {":p": {"S": "q"}, ":v": {"S": "1"}}
    more = {"ExpressionAttributeValues": values}
    missed = refusal(db, refused, "keys", KeyConditionExpression="p = :p AND c = :v", **more)
    assert missed == "Query condition missed key schema element: n"
    typed = refusal(db, refused, "keys", KeyConditionExpression="p = :p AND n = :v", **more)
    assert typed == f"{INVALID}Condition parameter type does not match schema type"


# -- what is charged ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("consistent", "factor"), [(True, 1.0), (False, 0.5)])
def test_reads_of_an_index_alone(db: Any, consistent: bool, factor: float) -> None:
    """GUIDE, provisioned throughput: only what the index holds is read: 4 items of 5 KB or 4 small entries."""
    asked: dict[str, Any] = {"ConsistentRead": consistent, "ReturnConsumedCapacity": "INDEXES"}
    assert charged(query(db, "keys", **asked)) == (1.0 * factor, 0.0, {"keys": 1.0 * factor})
    assert charged(query(db, "whole", **asked)) == (5.0 * factor, 0.0, {"whole": 5.0 * factor})
    counted = query(db, "keys", Select="COUNT", **asked)
    assert charged(counted) == (1.0 * factor, 0.0, {"keys": 1.0 * factor})


@pytest.mark.parametrize(
    "wanted",
    [
        {"Select": "ALL_ATTRIBUTES"},
        {"ProjectionExpression": "x"},
    ],
)
def test_reads_that_fetch(db: Any, wanted: Any) -> None:
    """GUIDE, provisioned throughput: each fetched item is charged for itself, 5 KB as 2 units, beside the index."""
    answer = query(db, "keys", ReturnConsumedCapacity="INDEXES", **wanted)
    assert charged(answer) == (9.0, 8.0, {"keys": 1.0})
    total = query(db, "keys", ReturnConsumedCapacity="TOTAL", **wanted)
    assert total["ConsumedCapacity"] == {"TableName": TABLE, "CapacityUnits": 9.0}
