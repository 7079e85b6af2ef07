"""Conditions and filters: what they mean, and what DynamoDB refuses."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.expressions import Placeholders, parse_condition

NAMES = {"#a": "a", "#s": "select", "#dots": "x.y"}
VALUES: dict[str, Any] = {
    ":1": {"N": "1"},
    ":2": {"N": "2"},
    ":10": {"N": "10"},
    ":abc": {"S": "abc"},
    ":ab": {"S": "ab"},
    ":b": {"B": "YWI="},
    ":true": {"BOOL": True},
    ":null": {"NULL": True},
    ":n": {"S": "N"},
    ":odd": {"S": "Number"},
    ":ss": {"SS": ["b", "a"]},
    ":map": {"M": {"c": {"N": "1"}}},
    ":list": {"L": [{"N": "1"}]},
}
ITEM: dict[str, Any] = {
    "a": {"N": "2"},
    "s": {"S": "abc"},
    "b": {"B": "YWJj"},
    "t": {"BOOL": True},
    "z": {"NULL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": ["YWI=", "YQ=="]},
    "l": {"L": [{"N": "1"}, {"S": "abc"}, {"M": {"c": {"N": "1"}}}]},
    "m": {"M": {"c": {"N": "1"}, "d": {"M": {"e": {"S": "ab"}}}}},
    "select": {"N": "10"},
    "x.y": {"N": "1"},
    "utf": {"S": "\U0001d11e"},
}


def holds(text: str, item: dict[str, Any] | None = ITEM) -> bool:
    return parse_condition(text, Placeholders(NAMES, VALUES)).matches(item)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = :2", True),
        ("a = :1", False),
        ("#a = :2", True),
        ("#s = :10", True),
        ("#dots = :1", True),
        (":2 = a", True),
        ("a <> :1", True),
        ("a > :10", False),  # by value, not as text
        ("a < :10", True),
        ("a <= :2 AND a >= :2", True),
        ("s > :ab", True),
        ("b > :b", True),
        ("a > :ab", False),
        ("s < a", False),
        # what is not there, or of another type, is unequal and has no order
        ("gone = :1", False),
        ("gone <> :1", True),
        ("gone < :1", False),
        ("s = :1", False),
        ("s <> :1", True),
        ("l[7] = :1", False),
        ("l.c = :1", False),
        ("m[0] = :1", False),
        ("a.b.c = :1", False),
        ("ss = :ss", True),
        ("m = :map", False),
        ("l[2] = :map", True),
        ("l[2].c = :1", True),
        ("m.d.e = :ab", True),
        ("t = :true", True),
        ("z = :null", True),
        ("a BETWEEN :1 AND :10", True),
        ("a BETWEEN :2 AND :2", True),
        ("s BETWEEN :1 AND :2", False),
        ("a between :1 and :2 and s = :abc", True),
        (":2 BETWEEN l[0] AND a", True),
        ("a IN (:1, :2)", True),
        ("a IN (:1)", False),
        ("gone IN (:1, a)", False),
        ("a in (:1, #s, :2)", True),
        ("attribute_exists(m.d.e)", True),
        ("attribute_exists(m.x)", False),
        ("attribute_not_exists(m.x)", True),
        ("attribute_type(a, :n)", True),
        ("attribute_type(s, :n)", False),
        ("begins_with(s, :ab)", True),
        ("begins_with(s, m.d.e)", True),
        ("begins_with(b, :b)", True),
        ("begins_with(a, :ab)", False),
        ("begins_with(gone, :ab)", False),
        ("contains(s, :ab)", True),
        ("contains(b, :b)", True),
        ("contains(ss, :ab)", False),
        ("contains(ns, :2)", True),
        ("contains(ns, :ab)", False),
        ("contains(bs, :b)", True),
        ("contains(l, :abc)", True),
        ("contains(l, :map)", True),
        ("contains(l, :2)", False),
        ("contains(gone, :2)", False),
        ("contains(a, gone)", False),
        ("size(s) > a", True),
        ("size(b) = size(l)", True),
        ("size(ss) = :2", True),
        ("size(m) = :2", True),
        ("size(a) = :1", False),
        ("size(a) <> :1", True),
        ("size(gone) = :1", False),
        # precedence: NOT, then AND, then OR
        ("a = :1 OR a = :2 AND s = :abc", True),
        ("(a = :1 OR a = :2) AND s = :ab", False),
        ("a = :2 OR a = :1 AND s = :ab", True),
        ("NOT a = :1 AND s = :abc", True),
        ("NOT (a = :2 AND s = :abc)", False),
        ("NOT NOT a = :2", True),
        ("not a = :1 Or s = :ab", True),
        # parentheses around operands, calls and conditions
        ("(a) = (:2)", True),
        ("(size(s)) > (a)", True),
        ("(attribute_exists(a)) AND (a = :2)", True),
        ("((size(s)) > :1 AND (contains(s, (:ab)))) OR a = :1", True),
        ("(a) BETWEEN (:1) AND (:2)", True),
        ("(a) IN ((:1), (:2))", True),
        ("NOT (attribute_exists(a))", False),
        ("(NOT (a = :1))", True),
        ("\ta\n=\r:2 ", True),
        # DynamoDB counts the UTF-16 units of a string
        ("size(utf) = :2", True),
        ("attribute_type(:1, :n)", True),
        ("attribute_type(:ab, :n)", False),
    ],
)
def test_meaning(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attribute_not_exists(pk)", True),
        ("attribute_exists(pk)", False),
        ("a = :1", False),
        ("a <> :1", True),
        ("NOT a = :1", True),
        ("size(a) > :1", False),
    ],
)
def test_no_item(text: str, expected: bool) -> None:
    assert holds(text, None) is expected


BOUNDS = "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: "
USED = "The function is not allowed to be used this way in an expression; function: "
DISTINCT = "The first operand must be distinct from the remaining operands for this operator or function; operator: "
OPERAND_TYPE = "Incorrect operand type for operator or function; operator or function: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("  ", "The expression can not be empty;"),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("a = ", 'Syntax error; token: "<EOF>", near: "="'),
        ("a == :1", 'Syntax error; token: "=", near: "== :1"'),
        ("a = :1 :2", 'Syntax error; token: ":2", near: ":1 :2"'),
        ("= :1", 'Syntax error; token: "=", near: "= :1"'),
        ("a ! :1", 'Syntax error; token: "!", near: "a ! :1"'),
        ("a = :", 'Syntax error; token: ":", near: "= :"'),
        ("a AND _b = :1", 'Syntax error; token: "AND", near: "a AND _"'),
        ("_b = :1", 'Syntax error; token: "_", near: "_b"'),
        ("a =\f:1", 'Syntax error; token: "\f", near: "=\f:1"'),
        ("l[01] = :1", 'Syntax error; token: "1", near: "01]"'),
        ("size() = :1", 'Syntax error; token: ")", near: "() ="'),
        ("a = :1 AND SET", 'Syntax error; token: "SET", near: "AND SET"'),
        ("a = :1 +", 'Syntax error; token: "+", near: ":1 +"'),
        ("((a = :1))", "The expression has redundant parentheses;"),
        ("((a)) = :1", "The expression has redundant parentheses;"),
        ("((size(s))) = :1", "The expression has redundant parentheses;"),
        ("a = :1 AND ((attribute_exists(a)))", "The expression has redundant parentheses;"),
        ("((a = :1)) AND", "The expression has redundant parentheses;"),
        ("name = :1", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("m.Value = :1", "Attribute name is a reserved keyword; reserved keyword: Value"),
        ("f(a)", "Invalid function name; function: f"),
        ("SIZE(a) = :1", "Invalid function name; function: SIZE"),
        ("size(a)", f"{USED}size"),
        ("contains(a, :1) = :1", f"{USED}contains"),
        (
            "if_not_exists(a, :1) = :1",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (
            "attribute_exists(a, b)",
            "Incorrect number of operands for operator or function; "
            "operator or function: attribute_exists, number of operands: 2",
        ),
        ("#x = :1", "An expression attribute name used in the document path is not defined; attribute name: #x"),
        ("a = :x", "An expression attribute value used in expression is not defined; attribute value: :x"),
        ("a = a", f"{DISTINCT}=, first operand: [a]"),
        ("m.l[3] < #a OR m.l[3] < m.l[3]", f"{DISTINCT}<, first operand: [m, l, [3]]"),
        ("a BETWEEN :1 AND #a", f"{DISTINCT}BETWEEN, first operand: [a]"),
        ("a IN (:1, a)", f"{DISTINCT}IN, first operand: [a]"),
        ("contains(a, a)", f"{DISTINCT}contains, first operand: [a]"),
        ("a < :true", f"{OPERAND_TYPE}<, operand type: BOOL"),
        ("a BETWEEN :list AND :1", f"{OPERAND_TYPE}BETWEEN, operand type: L"),
        ("begins_with(s, :1)", f"{OPERAND_TYPE}begins_with, operand type: N"),
        ("begins_with(size(s), :ab)", f"{OPERAND_TYPE}begins_with, operand type: N"),
        ("size(:1) = :1", f"{OPERAND_TYPE}size, operand type: N"),
        ("attribute_type(a, :1)", f"{OPERAND_TYPE}attribute_type, operand type: N"),
        ("attribute_type(a, s)", f"{OPERAND_TYPE}attribute_type, operand type: {{NS,SS,L,BS,N,M,B,BOOL,NULL,S}}"),
        (
            "attribute_type(a, :odd)",
            "Invalid attribute type name found; type: Number, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "attribute_exists(:1)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "a BETWEEN :2 AND :1",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            + BOUNDS
            + "{N:1}",
        ),
        (
            "a BETWEEN :2 AND :ab",
            "The BETWEEN operator requires same data type for lower and upper bounds; " + BOUNDS + "{S:ab}",
        ),
        (
            f"a IN ({', '.join([':1'] * 101)})",
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
    ],
)
def test_refusals(text: str, message: str) -> None:
    for kind in ("ConditionExpression", "FilterExpression"):
        with pytest.raises(ApiError) as raised:
            parse_condition(text, Placeholders(NAMES, VALUES), kind)
        assert raised.value.message == f"Invalid {kind}: {message}"
        assert raised.value.type == "com.amazon.coral.validate#ValidationException"


def test_a_hundred_choices() -> None:
    assert holds(f"a IN ({', '.join([':1'] * 99)}, :2)")


def test_paths_are_top_level_names() -> None:
    condition = parse_condition("m.d = :1 OR contains(#dots, l[1]) AND size(s) > :1", Placeholders(NAMES, VALUES))
    assert condition.paths() == {"m", "x.y", "l", "s"}
