"""Projections, updates and key conditions; placeholders that meet those of the request."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.operations.cluster import Cluster

from dynabus.core.errors import ApiError
from dynabus.core.expressions import Placeholders, parse_projection, parse_update
from dynabus.core.legacy import as_expressions, check_select_of_names, legacy_conditions

INVALID = "One or more parameter values were invalid: "
KEY: dict[str, Any] = {"pk": {"S": "k"}}


def found_in(request: dict[str, Any]) -> Placeholders:
    return Placeholders(request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues"))


def updated(item: Any, **updates: Any) -> Any:
    request = as_expressions({"AttributeUpdates": updates})
    found = found_in(request)
    update = parse_update(request["UpdateExpression"], found)
    found.check_all_used()
    return update.apply(item, KEY).item


def refusal(**legacy: Any) -> str:
    with pytest.raises(ApiError) as caught:
        as_expressions(legacy)
    return caught.value.message


def test_without_legacy_parameters_a_request_is_itself() -> None:
    request = {"Key": KEY, "ProjectionExpression": "a"}
    assert as_expressions(request) is request


def test_attributes_to_get() -> None:
    request = as_expressions({"AttributesToGet": ["a.b", "size", "#0", "none"]})
    project = parse_projection(request["ProjectionExpression"], found_in(request))
    item = {"a.b": {"N": "1"}, "size": {"N": "2"}, "#0": {"N": "3"}, "other": {"N": "4"}}
    assert project.apply(item) == {"a.b": {"N": "1"}, "size": {"N": "2"}, "#0": {"N": "3"}}
    assert refusal(AttributesToGet=["a", "b", "a"]) == f"{INVALID}Duplicate value in attribute name: a"


@pytest.mark.parametrize(
    ("select", "shown"),
    [("COUNT", "only the Count"), ("ALL_ATTRIBUTES", "ALL_ATTRIBUTES"), ("ALL_PROJECTED_ATTRIBUTES",) * 2],
)
def test_select_beside_attributes_to_get(select: str, shown: str) -> None:
    check_select_of_names({})
    check_select_of_names({"Select": "SPECIFIC_ATTRIBUTES"})
    with pytest.raises(ApiError) as caught:
        check_select_of_names({"Select": select})
    assert caught.value.message == f"Cannot specify the AttributesToGet when choosing to get {shown}"


def test_updates() -> None:
    old = {**KEY, "n": {"N": "1"}, "ss": {"SS": ["a", "b"]}, "l": {"L": [{"N": "1"}]}, "gone": {"S": "x"}}
    new = updated(
        old,
        plain={"Value": {"S": "put"}},
        put={"Action": "PUT", "Value": {"M": {}}},
        n={"Action": "ADD", "Value": {"N": "2"}},
        m={"Action": "ADD", "Value": {"N": "5"}},
        ss={"Action": "DELETE", "Value": {"SS": ["a"]}},
        ts={"Action": "ADD", "Value": {"SS": ["c"]}},
        l={"Action": "ADD", "Value": {"L": [{"N": "2"}]}},
        gone={"Action": "DELETE"},
    )
    assert new == {
        **KEY,
        "plain": {"S": "put"},
        "put": {"M": {}},
        "n": {"N": "3"},
        "m": {"N": "5"},
        "ss": {"SS": ["b"]},
        "ts": {"SS": ["c"]},
        "l": {"L": [{"N": "1"}, {"N": "2"}]},
    }


def test_updates_where_there_is_no_item() -> None:
    added = {"Action": "ADD", "Value": {"L": [{"N": "2"}]}}
    assert updated(None, l=added) == {**KEY, "l": {"L": [{"N": "2"}]}}
    request = as_expressions({"AttributeUpdates": {"a": {"Action": "DELETE"}}})
    assert parse_update(request["UpdateExpression"], found_in(request)).removes_only


@pytest.mark.parametrize("value", [{"S": "1"}, {"B": "Yg=="}, {"NULL": True}, {"BOOL": True}, {"M": {}}, {"L": []}])
def test_types_of_updates(value: Any) -> None:
    (kind,) = value
    message = f"{INVALID}DELETE action with value is not supported for the type {kind}"
    assert refusal(AttributeUpdates={"a": {"Action": "DELETE", "Value": value}}) == message
    if kind != "L":
        message = f"{INVALID}ADD action is not supported for the type {kind}"
        assert refusal(AttributeUpdates={"a": {"Action": "ADD", "Value": value}}) == message


@pytest.mark.parametrize("update", [{}, {"Action": "PUT"}, {"Action": "ADD"}])
def test_an_update_without_a_value(update: Any) -> None:
    message = f"{INVALID}Only DELETE action is allowed when no attribute value is specified"
    assert refusal(AttributeUpdates={"a": update}) == message


def test_many_updates() -> None:
    """Ours: as many as 4 KB of text hold."""
    put = {"Value": {"N": "1"}}
    assert len(updated({}, **{f"a{number}": put for number in range(370)})) == 370
    message = refusal(AttributeUpdates={f"a{number}": put for number in range(500)})
    assert message.startswith("Invalid AttributeUpdates: Expression size has exceeded the maximum allowed size")


def condition(operator: str, *values: Any) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


IS_A = condition("EQ", {"S": "a"})
NOT_SUPPORTED = "Query key condition not supported"
NOT_INDEXABLE = "Attempted conditional constraint is not an indexable operation"


@pytest.mark.parametrize(
    ("conditions", "range_name", "message"),
    [
        ({"h": IS_A}, None, None),
        ({"h": IS_A}, "r", None),
        ({"r": condition("BEGINS_WITH", {"S": "a"}), "h": IS_A}, "r", None),
        ({"h": IS_A, "r": IS_A}, None, NOT_SUPPORTED),
        ({"r": IS_A}, "r", "Query condition missed key schema element: h"),
        ({"h": IS_A, "x": IS_A}, "r", "Query condition missed key schema element: r"),
        ({"h": condition("LT", {"S": "a"})}, "r", NOT_SUPPORTED),
        ({"h": condition("NULL")}, None, NOT_INDEXABLE),
        ({"h": condition("NE", {"S": "a"})}, "r", NOT_INDEXABLE),
        ({"h": IS_A, "r": condition("IN", {"S": "a"})}, "r", NOT_INDEXABLE),
        ({"h": IS_A, "r": condition("NOT_CONTAINS", {"S": "a"})}, "r", NOT_INDEXABLE),
    ],
)
def test_key_conditions(conditions: Any, range_name: str | None, message: str | None) -> None:
    """What a table makes of them: through Query."""
    request = as_expressions({"KeyConditions": conditions})
    assert legacy_conditions(request).keys() == conditions.keys()
    cluster = Cluster()
    keys = {"HASH": "h"} if range_name is None else {"HASH": "h", "RANGE": range_name}
    cluster.ask(
        "CreateTable",
        TableName="tab",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys.values()],
        KeySchema=[{"AttributeName": name, "KeyType": role} for role, name in keys.items()],
        BillingMode="PAY_PER_REQUEST",
    )
    answer = cluster.ask("Query", TableName="tab", KeyConditions=conditions)
    assert answer.get("message") == message


@pytest.mark.parametrize("names", ["", "abc"])
def test_number_of_key_conditions(names: str) -> None:
    assert refusal(KeyConditions=dict.fromkeys(names, IS_A)) == "Conditions can be of length 1 or 2 only"


def test_placeholders_of_the_request_keep_their_meaning() -> None:
    """KeyConditions beside a FilterExpression; `#2` is not defined, and stays so."""
    request = as_expressions(
        {
            "KeyConditions": {"h": IS_A},
            "FilterExpression": "#0 = :1 AND #2 = :0",
            "ExpressionAttributeNames": {"#0": "a", "#1": "b"},
            "ExpressionAttributeValues": {":0": {"N": "1"}, ":1": {"N": "2"}},
        }
    )
    assert request["ExpressionAttributeNames"] == {"#0": "a", "#1": "b", "#3": "h"}
    assert request["ExpressionAttributeValues"] == {":0": {"N": "1"}, ":1": {"N": "2"}, ":2": {"S": "a"}}
    assert request["KeyConditionExpression"] == "#3=:2"


def test_an_empty_map_of_the_request_stays_empty() -> None:
    request = as_expressions({"KeyConditions": {"h": IS_A}, "ExpressionAttributeNames": {}})
    assert request["ExpressionAttributeNames"] == {}
