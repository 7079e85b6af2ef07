"""Key conditions: what they are for a key schema, and what DynamoDB refuses."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.expressions import KeyCondition, Placeholders, key_conditions, on_keys, parse_key_condition

NAMES = {"#pk": "pk", "#sk": "sk"}
VALUES: dict[str, Any] = {":p": {"S": "p"}, ":1": {"N": "1"}, ":2": {"N": "2"}, ":t": {"BOOL": True}}
P, ONE, TWO = VALUES[":p"], VALUES[":1"], VALUES[":2"]


@pytest.mark.parametrize(
    ("text", "operator", "operands"),
    [
        ("pk = :p", None, []),
        ("(:p = #pk)", None, []),
        ("pk = :p AND sk = :1", "=", [ONE]),
        ("#sk < :1 and #pk = :p", "<", [ONE]),
        ("pk = :p AND :1 < sk", ">", [ONE]),
        ("pk = :p AND :1 >= sk", "<=", [ONE]),
        ("(pk = :p) AND (sk > (:1))", ">", [ONE]),
        ("pk = :p AND sk BETWEEN :1 AND :2", "BETWEEN", [ONE, TWO]),
        ("pk = :p AND sk BETWEEN :1 AND :1", "BETWEEN", [ONE, ONE]),
        ("pk = :p AND (begins_with(sk, :p))", "begins_with", [P]),
    ],
)
def test_meaning(text: str, operator: str | None, operands: list[Any]) -> None:
    found = parse_key_condition(text, Placeholders(NAMES, VALUES), "pk", "sk")
    assert found == KeyCondition(P, operator, operands)


INVALID = "Invalid condition in KeyConditionExpression: "
BOUNDS = "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: "
FAULT = "Invalid KeyConditionExpression: "
OPERATOR = "Invalid operator used in KeyConditionExpression: "
MISSED = "Query condition missed key schema element: "
COUNT = "The number of query conditions "
ONCE = "KeyConditionExpressions must only contain one condition per key"
NESTED = "KeyConditionExpressions cannot have conditions on nested attributes"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"{FAULT}The expression can not be empty;"),
        ("((pk = :p))", f"{FAULT}The expression has redundant parentheses;"),
        ("pk = :p OR sk = :1", f"{OPERATOR}OR"),
        ("pk = :p AND NOT sk = :1", f"{OPERATOR}NOT"),
        ("pk IN (:p)", f"{OPERATOR}IN"),
        ("pk <> :p", f"{OPERATOR}<>"),
        ("attribute_exists(pk)", f"{OPERATOR}attribute_exists"),
        ("pk = :p AND size(sk) > :1", "KeyConditionExpressions cannot contain nested operations"),
        ("pk = :p AND sk BETWEEN size(sk) AND :1", "KeyConditionExpressions cannot contain nested operations"),
        ("pk = :p AND sk.x = :1", NESTED),
        ("pk[0] = :p", NESTED),
        (":p = :1", f"{INVALID}No key attribute specified"),
        ("pk = sk", f"{INVALID}Multiple attribute names used in one condition"),
        (
            "pk = :p AND :1 BETWEEN :1 AND sk",
            f"{INVALID}BETWEEN operator must have the key attribute as its first operand",
        ),
        ("begins_with(:p, pk)", f"{INVALID}begins_with operator must have the key attribute as its first operand"),
        ("pk = :p AND pk = :p", f"{FAULT}{ONCE}"),
        ("pk = :p AND sk > :1 AND sk < :2", f"{FAULT}{ONCE}"),
        (
            "pk = :p AND sk = :1 AND a = :1",
            f"{COUNT}(3) exceeds the number of key attributes defined in the schema (2)",
        ),
        ("sk = :1", f"{MISSED}pk"),
        ("sk = :1 AND a = :1", f"{MISSED}pk"),
        ("pk = :p AND a = :1", f"{MISSED}sk"),
        ("pk > :p", "Query key condition not supported"),
        ("begins_with(pk, :p) AND sk = :1", "Query key condition not supported"),
        (
            "pk = :p AND sk BETWEEN :2 AND :1",
            f"{FAULT}The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            f"{BOUNDS}{{N:1}}",
        ),
        (
            "pk = :p AND sk BETWEEN :2 AND :p",
            f"{FAULT}The BETWEEN operator requires same data type for lower and upper bounds; {BOUNDS}{{S:p}}",
        ),
        (
            "pk = :p AND sk > :t",
            f"{FAULT}Incorrect operand type for operator or function; operator or function: >, operand type: BOOL",
        ),
        (
            "pk = :p AND begins_with(sk, :1)",
            f"{FAULT}Incorrect operand type for operator or function; "
            "operator or function: begins_with, operand type: N",
        ),
        (
            "pk = pk",
            f"{FAULT}The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: =, first operand: [pk]",
        ),
        ("pk = :q", f"{FAULT}An expression attribute value used in expression is not defined; attribute value: :q"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse_key_condition(text, Placeholders(NAMES, VALUES), "pk", "sk")
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pk = :p AND a = :1", f"{COUNT}(2) exceeds the number of key attributes defined in the schema (1)"),
        ("pk > :p", "Query key condition not supported"),
        ("a = :1", f"{MISSED}pk"),
    ],
)
def test_refusals_without_a_sort_key(text: str, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse_key_condition(text, Placeholders(NAMES, VALUES), "pk", None)
    assert raised.value.message == message


SEVERAL = ("ab", "cd")
"""Partition key attributes a and b, sort key attributes c and d."""


def several(text: str) -> KeyCondition:
    return on_keys(key_conditions(text, Placeholders(None, VALUES)), *map(list, SEVERAL))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = :1 AND b = :2", KeyCondition(ONE, None, [], (TWO,))),
        ("b = :2 AND c > :1 AND a = :1", KeyCondition(ONE, ">", [ONE], (TWO,))),
        ("a = :1 AND b = :2 AND c = :1", KeyCondition(ONE, "=", [ONE], (TWO,))),
        (
            "a = :1 AND b = :2 AND d BETWEEN :1 AND :2 AND c = :p",
            KeyCondition(ONE, "BETWEEN", [ONE, TWO], (TWO,), (P,)),
        ),
    ],
)
def test_conditions_on_keys_of_several_attributes(text: str, found: KeyCondition) -> None:
    assert several(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = :1", "Query condition missed key schema element: b"),
        ("a = :1 AND b = :2 AND d = :1", "Query condition missed key schema element: c"),
        ("a = :1 AND b > :2", "Query key condition not supported"),
        ("a = :1 AND b = :2 AND c > :1 AND d = :1", "Query key condition not supported"),
        ("a = :1 AND b = :2 AND z = :1", "Query condition missed key schema element: c"),
        (
            "a = :1 AND b = :2 AND c = :1 AND d = :1 AND z = :1",
            "The number of query conditions (5) exceeds the number of key attributes defined in the schema (4)",
        ),
    ],
)
def test_what_is_refused_of_several_attributes(text: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        several(text)
    assert caught.value.message == words
