"""Legacy parameters through whole operations: shapes, mixtures, answers, and rubbish in them."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.core.operations.cluster import Cluster

INVALID = "One or more parameter values were invalid: "
KEY: dict[str, Any] = {"pk": {"S": "a"}, "sk": {"N": "1"}}


def condition(operator: str, *values: Any) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


IS_A = condition("EQ", {"S": "a"})
REQUESTS: dict[str, dict[str, Any]] = {
    "GetItem": {"TableName": "tab", "Key": KEY, "AttributesToGet": ["n", "s"]},
    "BatchGetItem": {"RequestItems": {"tab": {"Keys": [KEY], "AttributesToGet": ["n"]}}},
    "PutItem": {
        "TableName": "tab",
        "Item": KEY,
        "Expected": {"n": condition("BETWEEN", {"N": "1"}, {"N": "2"}), "s": {"Exists": False}},
        "ConditionalOperator": "OR",
    },
    "DeleteItem": {"TableName": "tab", "Key": KEY, "Expected": {"n": {"Exists": True, "Value": {"N": "1"}}}},
    "UpdateItem": {
        "TableName": "tab",
        "Key": KEY,
        "AttributeUpdates": {"n": {"Action": "ADD", "Value": {"N": "1"}}, "s": {"Action": "DELETE"}},
        "Expected": {"n": condition("NOT_NULL")},
        "ReturnValues": "ALL_NEW",
    },
    "Query": {
        "TableName": "tab",
        "KeyConditions": {"pk": IS_A, "sk": condition("GE", {"N": "0"})},
        "QueryFilter": {"n": condition("IN", {"N": "1"}), "s": condition("CONTAINS", {"S": "x"})},
        "ConditionalOperator": "OR",
        "AttributesToGet": ["pk", "n"],
    },
    "Scan": {"TableName": "tab", "ScanFilter": {"n": condition("NE", {"N": "5"})}, "AttributesToGet": ["n"]},
}


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.table("tab", "N")
    for number in range(4):
        cluster.ask("PutItem", TableName="tab", Item={**KEY, "sk": {"N": str(number)}, "n": {"N": str(number)}})
    return cluster


def test_projections(cluster: Cluster) -> None:
    assert cluster.answer("GetItem", REQUESTS["GetItem"]) == {"Item": {"n": {"N": "1"}}}
    assert cluster.answer("BatchGetItem", REQUESTS["BatchGetItem"])["Responses"] == {"tab": [{"n": {"N": "1"}}]}
    found = cluster.answer("Scan", REQUESTS["Scan"])["Items"]
    assert sorted(item["n"]["N"] for item in found) == ["0", "1", "2", "3"]
    assert all(set(item) == {"n"} for item in found)


def test_conditional_writes(cluster: Cluster) -> None:
    assert cluster.answer("PutItem", REQUESTS["PutItem"]) == {}
    assert "ConditionalCheckFailed" in cluster.answer("DeleteItem", REQUESTS["DeleteItem"])["__type"]
    other = {**KEY, "sk": {"N": "2"}}
    assert cluster.ask("DeleteItem", TableName="tab", Key=other, Expected={"n": {"Value": {"N": "2"}}}) == {}
    assert cluster.ask("GetItem", TableName="tab", Key=other) == {}


def test_updates(cluster: Cluster) -> None:
    answer = cluster.answer("UpdateItem", REQUESTS["UpdateItem"])
    assert answer == {"Attributes": {**KEY, "n": {"N": "2"}}}
    add = {"n": {"Action": "ADD", "Value": {"SS": ["x"]}}}
    message = cluster.message("UpdateItem", TableName="tab", Key=KEY, AttributeUpdates=add)
    assert message == "Type mismatch for attribute to update"
    put = {"sk": {"Value": {"N": "7"}}}
    message = cluster.message("UpdateItem", TableName="tab", Key=KEY, AttributeUpdates=put)
    assert message == f"{INVALID}Cannot update attribute sk. This attribute is part of the key"


def test_updates_of_a_missing_item(cluster: Cluster) -> None:
    new = {**KEY, "sk": {"N": "9"}}
    delete = {"n": {"Action": "DELETE"}, "s": {"Action": "DELETE", "Value": {"SS": ["x"]}}}
    assert cluster.ask("UpdateItem", TableName="tab", Key=new, AttributeUpdates=delete) == {}
    assert cluster.ask("GetItem", TableName="tab", Key=new) == {}
    assert cluster.ask("UpdateItem", TableName="tab", Key=new, AttributeUpdates={}) == {}
    assert cluster.ask("GetItem", TableName="tab", Key=new) == {"Item": new}


def test_queries(cluster: Cluster) -> None:
    answer = cluster.answer("Query", REQUESTS["Query"])
    assert (answer["Items"], answer["ScannedCount"]) == ([{"pk": {"S": "a"}, "n": {"N": "1"}}], 4)
    beside = cluster.ask(
        "Query",
        TableName="tab",
        KeyConditions={"pk": IS_A},
        FilterExpression="n > :v",
        ProjectionExpression="n",
        ExpressionAttributeValues={":v": {"N": "2"}},
    )
    assert beside["Items"] == [{"n": {"N": "3"}}]
    between = {"pk": IS_A, "sk": condition("BETWEEN", {"N": "1"}, {"N": "2"})}
    assert cluster.ask("Query", TableName="tab", KeyConditions=between)["Count"] == 2


MIXED = "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
ENUM = (
    "failed to satisfy constraint: Member must satisfy enum value set: "
    "[IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"
)
NULL = "failed to satisfy constraint: Member must not be null"
TWO = {"n": IS_A, "s": IS_A}
FILTERED = "QueryFilter can only contain non-primary key attributes: Primary key attribute: "


@pytest.mark.parametrize(
    ("operation", "more", "message"),
    [
        ("Scan", {"ScanFilter": {}}, "ConditionalOperator cannot be used without Filter or Expected"),
        ("Scan", {}, "ConditionalOperator cannot be used without Filter or Expected"),
        ("Query", {"KeyConditions": {"pk": IS_A}}, "ConditionalOperator cannot be used without Filter or Expected"),
        ("Query", {}, "ConditionalOperator cannot be used without Filter or Expected"),
        (
            "Query",
            {"QueryFilter": {"n": IS_A}},
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ),
        (
            "Query",
            {
                "KeyConditions": {"pk": IS_A},
                "QueryFilter": TWO,
                "KeyConditionExpression": "pk = :p",
                "FilterExpression": "a = :v",
                "ProjectionExpression": "b",
            },
            MIXED + "{QueryFilter, ConditionalOperator, KeyConditions} Expression parameters: "
            "{ProjectionExpression, FilterExpression, KeyConditionExpression}",
        ),
        (
            "Scan",
            {"AttributesToGet": ["a"], "ScanFilter": TWO, "FilterExpression": "a = :v", "ProjectionExpression": "b"},
            MIXED + "{AttributesToGet, ScanFilter, ConditionalOperator} Expression parameters: "
            "{ProjectionExpression, FilterExpression}",
        ),
    ],
)
def test_conditional_operator(cluster: Cluster, operation: str, more: Any, message: str) -> None:
    assert cluster.message(operation, TableName="tab", ConditionalOperator="AND", **more) == message


@pytest.mark.parametrize(
    ("operation", "more", "message"),
    [
        (
            "Query",
            {"KeyConditions": {"pk": {}}, "QueryFilter": {"n": {"ComparisonOperator": "eq"}}, "AttributesToGet": []},
            "3 validation errors detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: Member must "
            "have length greater than or equal to 1; "
            f"Value 'eq' at 'queryFilter.n.member.comparisonOperator' {ENUM}; "
            f"Value null at 'keyConditions.pk.member.comparisonOperator' {NULL}",
        ),
        (
            "UpdateItem",
            {"Key": KEY, "AttributeUpdates": {"n": {"Action": "put"}}, "ConditionalOperator": "XOR"},
            "2 validation errors detected: Failed to satisfy constraint: Member must satisfy enum value set: "
            "[ALL, OR]; Value 'put' at 'attributeUpdates.n.member.action' failed to "
            "satisfy constraint: Member must satisfy enum value set: [ADD, PUT, DELETE]",
        ),
        (
            "Query",
            {"KeyConditions": {"pk": IS_A}, "QueryFilter": {"sk": IS_A}},
            f"{FILTERED}sk",
        ),
        ("Query", {"KeyConditions": {"n": IS_A}}, "Query condition missed key schema element: pk"),
        (
            "Query",
            {"KeyConditions": {"pk": condition("EQ", {"N": "1"})}},
            f"{INVALID}Condition parameter type does not match schema type",
        ),
        (
            "Query",
            {"KeyConditions": {"pk": IS_A}, "AttributesToGet": ["n"], "Select": "COUNT"},
            "1 validation error detected: Cannot specify the AttributesToGet when choosing to get only the Count",
        ),
        (
            "Scan",
            {"AttributesToGet": ["n"], "Select": "ALL_ATTRIBUTES"},
            "Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES",
        ),
        ("Scan", {"AttributesToGet": ["n", "n"]}, f"{INVALID}Duplicate value in attribute name: n"),
        ("Scan", {"AttributesToGet": [1]}, "NUMBER_VALUE cannot be converted to String"),
        ("Scan", {"ScanFilter": []}, "Start of list found where not expected"),
        (
            "Scan",
            {"ScanFilter": {"n": []}},
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Condition",
        ),
        ("Scan", {"ScanFilter": {"n": 1}}, "Unexpected value type in payload"),
    ],
)
def test_refusals(cluster: Cluster, operation: str, more: Any, message: str) -> None:
    assert cluster.message(operation, TableName="tab", **more) == message


RUBBISH: list[Any] = [None, True, 0, 1.5, "", "x", [], {}, [None], {"S": 1}, {"S": "a"}, {"": {}}, {"n": None}, [[]]]
RUBBISH += ["EQ", "NULL", "AND", [{"S": "a"}], [{"N": "1"}, {"S": "b"}], {"L": []}, {"N": "1e999"}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for step in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[step], (*path, step))


@pytest.mark.parametrize("operation", REQUESTS)
def test_rubbish(cluster: Cluster, operation: str) -> None:
    """Whatever stands in them, the answer is a good one or an API error of the client's."""
    random.seed(f"legacy {operation}")
    for place in list(places(REQUESTS[operation]))[1:]:
        for rubbish in random.sample(RUBBISH, 8):
            request = copy.deepcopy(REQUESTS[operation])
            inside: Any = request
            for step in place[:-1]:
                inside = inside[step]
            inside[place[-1]] = rubbish
            answer = cluster.answer(operation, request)
            assert "InternalServer" not in answer.get("__type", ""), (request, answer)
