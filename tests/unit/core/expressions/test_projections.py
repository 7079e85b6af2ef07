"""Projections: the parts of an item, and what DynamoDB refuses."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.expressions import Placeholders, parse_projection

NAMES = {"#n": "name", "#d": "x.y"}
ITEM: dict[str, Any] = {
    "a": {"N": "1"},
    "name": {"S": "n"},
    "x.y": {"S": "d"},
    "l": {"L": [{"N": "0"}, {"M": {"p": {"N": "1"}, "q": {"N": "2"}}}, {"L": [{"N": "3"}, {"N": "4"}]}]},
    "m": {"M": {"p": {"N": "5"}, "q": {"M": {"r": {"N": "6"}}}, "e": {"M": {}}}},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", {"a": {"N": "1"}}),
        ("#n, zz, #d", {"name": {"S": "n"}, "x.y": {"S": "d"}}),
        ("m.p", {"m": {"M": {"p": {"N": "5"}}}}),
        ("m.q.r, m.p", {"m": {"M": {"q": {"M": {"r": {"N": "6"}}}, "p": {"N": "5"}}}}),
        ("m.e", {"m": {"M": {"e": {"M": {}}}}}),
        ("m.e.x", {}),
        ("m.zz, m.p.zz, a[0]", {}),
        ("l[2], l[0]", {"l": {"L": [{"N": "0"}, {"L": [{"N": "3"}, {"N": "4"}]}]}}),  # in the list's order
        ("l[2][1], l[1].q, l[1].zz", {"l": {"L": [{"M": {"q": {"N": "2"}}}, {"L": [{"N": "4"}]}]}}),
        ("l[7], l[2][2]", {}),
        ("l.p, m[0], a.b", {}),
    ],
)
def test_what_is_picked(text: str, expected: dict[str, Any]) -> None:
    assert parse_projection(text, Placeholders(NAMES, None)).apply(ITEM) == expected


PATHS = "must remove or rewrite one of these paths; path one: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        ("(a)", 'Syntax error; token: "(", near: "(a"'),
        (":v", 'Syntax error; token: ":v", near: ":v"'),
        ("a.1", 'Syntax error; token: "1", near: ".1"'),
        ("l[-1]", 'Syntax error; token: "-", near: "[-1"'),
        ("name", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("l[2147483648]", "List index is not within the allowable range; index: [2147483648]"),
        ("a.b, #q", "An expression attribute name used in the document path is not defined; attribute name: #q"),
        ("a, b, a", f"Two document paths overlap with each other; {PATHS}[a], path two: [a]"),
        ("m.p, m", f"Two document paths overlap with each other; {PATHS}[m, p], path two: [m]"),
        ("#n.p, #n[1]", f"Two document paths conflict with each other; {PATHS}[name, p], path two: [name, [1]]"),
        (
            "a.b[1].c, a.b.c",
            f"Two document paths conflict with each other; {PATHS}[a, b, [1], c], path two: [a, b, c]",
        ),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse_projection(text, Placeholders(NAMES, None))
    assert raised.value.message == f"Invalid ProjectionExpression: {message}"


def test_the_largest_index() -> None:
    assert parse_projection("l[2147483647]", Placeholders(None, None)).apply(ITEM) == {}
