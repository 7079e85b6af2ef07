"""Expected, QueryFilter and ScanFilter: what they hold for, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.expressions import Placeholders, parse_condition
from dynabus.core.legacy import as_expressions

INVALID = "One or more parameter values were invalid: "
ITEM: dict[str, Any] = {
    "s": {"S": "hello"},
    "n": {"N": "3"},
    "b": {"B": "aGkgdGhlcmU="},
    "ns": {"NS": ["2", "4", "7"]},
    "l": {"L": [{"N": "2"}, {"S": "x"}]},
    "m": {"M": {"k": {"BOOL": True}}},
    "z": {"NULL": True},
    "a.b[0]": {"S": "odd name"},
}


def matches(item: Any, **legacy: Any) -> bool:
    request = as_expressions(legacy)
    found = Placeholders(request["ExpressionAttributeNames"], request.get("ExpressionAttributeValues"))
    (text,) = [request[kind] for kind in ("ConditionExpression", "FilterExpression") if kind in request]
    condition = parse_condition(text, found)
    found.check_all_used()
    return condition.matches(item)


def compares(name: str, operator: str, *values: Any) -> bool:
    condition = {"ComparisonOperator": operator, "AttributeValueList": list(values)}
    found = matches(ITEM, Expected={name: condition})
    assert found is matches(ITEM, ScanFilter={name: condition}) is matches(ITEM, QueryFilter={name: condition})
    return found


def refusal(**legacy: Any) -> str:
    with pytest.raises(ApiError) as caught:
        as_expressions(legacy)
    assert caught.value.type.endswith("ValidationException")
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "operator", "values", "holds"),
    [
        ("n", "EQ", [{"N": "3.0"}], True),
        ("n", "EQ", [{"S": "3"}], False),
        ("ns", "EQ", [{"NS": ["7", "4", "2"]}], True),
        ("l", "EQ", [{"L": [{"N": "2"}, {"S": "x"}]}], True),
        ("m", "EQ", [{"M": {"k": {"BOOL": True}}}], True),
        ("a.b[0]", "EQ", [{"S": "odd name"}], True),
        ("none", "EQ", [{"N": "3"}], False),
        ("n", "NE", [{"N": "3"}], False),
        ("n", "NE", [{"S": "3"}], True),
        ("none", "NE", [{"N": "3"}], True),
        ("n", "LE", [{"N": "3"}], True),
        ("n", "LT", [{"N": "3"}], False),
        ("n", "GE", [{"N": "10"}], False),
        ("n", "GT", [{"N": "-1"}], True),
        ("n", "GT", [{"S": ""}], False),
        ("n", "BETWEEN", [{"N": "3"}, {"N": "4"}], True),
        ("none", "BETWEEN", [{"N": "3"}, {"N": "4"}], False),
        ("n", "IN", [{"N": "1"}, {"N": "3"}], True),
        ("n", "IN", [{"N": "1"}], False),
        ("ns", "IN", [{"N": "2"}], False),
        ("z", "NOT_NULL", [], True),
        ("z", "NULL", [], False),
        ("none", "NULL", [], True),
        ("none", "NOT_NULL", [], False),
        ("s", "CONTAINS", [{"S": "ell"}], True),
        ("b", "CONTAINS", [{"B": "dGhlcmU="}], True),
        ("ns", "CONTAINS", [{"N": "4"}], True),
        ("l", "CONTAINS", [{"N": "2"}], True),
        ("s", "CONTAINS", [{"N": "1"}], False),
        ("none", "CONTAINS", [{"N": "1"}], False),
        ("s", "NOT_CONTAINS", [{"S": "ell"}], False),
        ("s", "NOT_CONTAINS", [{"N": "1"}], True),
        ("ns", "NOT_CONTAINS", [{"N": "1"}], True),
        ("none", "NOT_CONTAINS", [{"N": "1"}], False),
        ("s", "BEGINS_WITH", [{"S": "hell"}], True),
        ("n", "BEGINS_WITH", [{"S": "3"}], False),
    ],
)
def test_operators(name: str, operator: str, values: list[Any], holds: bool) -> None:
    assert compares(name, operator, *values) is holds


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"Value": {"N": "3"}}, True),
        ({"Value": {"N": "4"}}, False),
        ({"Exists": True, "Value": {"N": "3"}}, True),
        ({"Exists": False}, False),
        ({"ComparisonOperator": "LT", "Value": {"N": "4"}}, True),
        ({"ComparisonOperator": "NOT_NULL"}, True),
    ],
)
def test_the_forms_of_expected(expected: dict[str, Any], holds: bool) -> None:
    assert matches(ITEM, Expected={"n": expected}) is holds


def test_there_is_no_item() -> None:
    assert matches(None, Expected={"n": {"Exists": False}})
    assert not matches(None, Expected={"n": {"Value": {"N": "3"}}})


@pytest.mark.parametrize(("operator", "holds"), [({}, False), ("AND", False), ("OR", True)])
def test_all_or_any(operator: Any, holds: bool) -> None:
    more = {"ConditionalOperator": operator} if operator else {}
    between = {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "5"}, {"N": "6"}]}
    none = {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"S": "ell"}]}
    assert (
        matches(ITEM, ScanFilter={"n": between, "s": none, "z": {"ComparisonOperator": "NOT_NULL"}}, **more) is holds
    )


ONE, TWO = [{"S": "a"}], [{"S": "a"}, {"S": "b"}]


@pytest.mark.parametrize(
    ("operator", "values"),
    [(operator, TWO) for operator in ("EQ", "NE", "LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH")]
    + [(operator, []) for operator in ("EQ", "IN", "BETWEEN", "BEGINS_WITH")]
    + [("NULL", ONE), ("NOT_NULL", ONE), ("BETWEEN", ONE), ("BETWEEN", ONE * 3)],
)
def test_number_of_values(operator: str, values: list[Any]) -> None:
    condition = {"ComparisonOperator": operator, "AttributeValueList": values}
    message = f"{INVALID}Invalid number of argument(s) for the {operator} ComparisonOperator"
    assert refusal(Expected={"a": condition}) == refusal(ScanFilter={"a": condition}) == message


@pytest.mark.parametrize("operator", ["IN", "LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH"])
@pytest.mark.parametrize(
    "value", [{"BOOL": True}, {"NULL": True}, {"SS": ["a"]}, {"NS": ["1"]}, {"BS": ["YQ=="]}, {"M": {}}, {"L": []}]
)
def test_types_of_values(operator: str, value: Any) -> None:
    (kind,) = value
    condition = {"ComparisonOperator": operator, "AttributeValueList": [value]}
    message = f"{INVALID}ComparisonOperator {operator} is not valid for {kind} AttributeValue type"
    assert refusal(Expected={"a": condition}) == refusal(QueryFilter={"a": condition}) == message


@pytest.mark.parametrize(
    ("operator", "values", "message"),
    [
        (
            "BEGINS_WITH",
            [{"N": "1"}],
            f"{INVALID}ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type",
        ),
        ("IN", [{"N": "1"}, {"S": "a"}], f"{INVALID}AttributeValues inside AttributeValueList must be of same type"),
        (
            "BETWEEN",
            [{"N": "1"}, {"S": "a"}],
            f"{INVALID}AttributeValues inside AttributeValueList must be of same type",
        ),
        (
            "BETWEEN",
            [{"N": "10"}, {"N": "9"}],
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ),
        ("EQ", [{"N": "x"}], "The parameter cannot be converted to a numeric value: x"),
    ],
)
def test_values(operator: str, values: list[Any], message: str) -> None:
    assert refusal(ScanFilter={"a": {"ComparisonOperator": operator, "AttributeValueList": values}}) == message


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({}, "Value must be provided when Exists is null"),
        ({"Exists": True}, "Value must be provided when Exists is true"),
        ({"Exists": False, "Value": {"S": "a"}}, "Value cannot be used when Exists is false"),
        ({"Value": {"S": "a"}, "AttributeValueList": []}, "Value and AttributeValueList cannot be used together"),
        (
            {"Value": {"S": "a"}, "AttributeValueList": [], "ComparisonOperator": "EQ"},
            "Value and AttributeValueList cannot be used together",
        ),
        ({"Exists": True, "AttributeValueList": []}, "AttributeValueList can only be used with a ComparisonOperator"),
        (
            {"Exists": True, "ComparisonOperator": "EQ", "AttributeValueList": ONE},
            "Exists and ComparisonOperator cannot be used together",
        ),
        ({"ComparisonOperator": "LT"}, "Value or AttributeValueList must be used with ComparisonOperator: LT"),
    ],
)
def test_forms_exclude_each_other(expected: dict[str, Any], message: str) -> None:
    assert refusal(Expected={"a": expected}) == f"{INVALID}{message} for Attribute: a"


def test_more_than_an_expression_holds() -> None:
    """Ours: some 120 conditions, 100 values of IN."""
    conditions = {f"a{number}": {"Exists": False} for number in range(120)}
    assert matches({}, Expected=conditions)
    assert refusal(Expected={**conditions, **{f"b{number}": {"Exists": False} for number in range(40)}}).startswith(
        "Invalid Expected: "
    )
    values = [{"N": str(number)} for number in range(101)]
    assert compares("n", "IN", *values[:100])
    message = refusal(ScanFilter={"a": {"ComparisonOperator": "IN", "AttributeValueList": values}})
    assert message.startswith("Invalid ScanFilter: The IN operator is provided with too many operands")


def test_an_empty_name() -> None:
    assert refusal(Expected={"": {"Exists": False}}) == "Empty attribute name"


def test_empty_maps_say_nothing() -> None:
    request: dict[str, Any] = {"Expected": {}, "ScanFilter": {}, "AttributeUpdates": {}}
    assert as_expressions(request) == request
