"""Limits of texts and placeholders, and that no text is too strange to be answered at once."""

from __future__ import annotations

import sys
from time import process_time
from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.expressions import Placeholders, parse_condition, parse_projection, parse_update, parsing

VALUES: dict[str, Any] = {":x": {"N": "1"}}


def refusal(text: str) -> str:
    parse = {"SET": parse_update, "GET": parse_projection}.get(text[:3], parse_condition)
    with pytest.raises(ApiError) as raised:
        parse(text.removeprefix("GET "), Placeholders(None, VALUES))
    return raised.value.message.split(": ", 1)[1]


def test_expression_size_is_counted_in_bytes() -> None:
    assert refusal("a" * 4097) == "Expression size has exceeded the maximum allowed size; expression size: 4097"
    assert refusal("é" * 2049) == "Expression size has exceeded the maximum allowed size; expression size: 4098"
    assert parse_condition("a" * 4091 + " = :x", Placeholders(None, VALUES)).matches({}) is False


TOO_MANY = "The expression contains too many operators; operator count: 301"


@pytest.mark.parametrize(
    ("fits", "too_many"),
    [
        # 150 comparisons and 149 ANDs; one comparison and one OR more
        ("a=:x" + " AND a=:x" * 149, "a=:x" + " AND a=:x" * 150),
        ("NOT b=:x" + " OR a=:x" * 149, "NOT b=:x" + " OR a=:x" * 149 + " AND NOT a=:x"),
        (
            "SET " + ",".join(f"a{at}=a+:x" for at in range(300)),
            "SET " + ",".join(f"a{at}=a+:x" for at in range(301)),
        ),
    ],
)
def test_operators(fits: str, too_many: str) -> None:
    parse = parse_update if fits.startswith("SET") else parse_condition
    parse(fits, Placeholders(None, VALUES))
    assert refusal(too_many) == TOO_MANY


def test_actions_are_no_operators() -> None:
    text = "SET " + ",".join(f"a{at}=:x" for at in range(400))
    after = parse_update(text, Placeholders(None, VALUES)).apply(None, {"pk": {"S": "k"}})
    assert len(after.item) == 401


TOO_DEEP = "The expression has too many nested levels; the limit is 150"
REDUNDANT = "The expression has redundant parentheses;"
END = 'Syntax error; token: "<EOF>", near: "('


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 4096, END + '"'),
        ("((a = :x", 'Syntax error; token: "<EOF>", near: ":x"'),
        ("(" * 2000 + "a = :x" + ")" * 2000, REDUNDANT),
        ("(" * 2000 + "a" + ")" * 2000 + " = :x", REDUNDANT),
        ("(" * 1000 + "contains(a, :x)" + ")" * 1000, REDUNDANT),
        ("NOT " * 1000 + "a=:x", TOO_MANY),
        ("NOT (" * 600 + "a=:x" + ")" * 600, TOO_MANY),
        ("NOT " * 150 + "a=:x", TOO_DEEP),
        ("f(" * 1300 + "a" + ")" * 1300, "Invalid function name; function: f"),
        ("size(" * 160 + "a" + ")" * 160 + "=:x", TOO_DEEP),
        ("SET a=" + "list_append(l," * 151 + "l" + ")" * 151, TOO_DEEP),
        ("SET a=" + "(" * 1500 + "l" + ")" * 1500, REDUNDANT),
        ("SET a=" + "(" * 1500 + "a+:x" + ")" * 1500, REDUNDANT),
        ("a" + ".b" * 32 + " = :x", "The document path has too many nesting levels; nesting levels: 33"),
        ("GET a" + "[1]" * 1000, "The document path has too many nesting levels; nesting levels: 1001"),
        ("a[2147483648] = :x", "List index is not within the allowable range; index: [2147483648]"),
        ("SET l[" + "9" * 30 + "] = :x", f"List index is not within the allowable range; index: [{'9' * 30}]"),
        ("GET l[" + "9" * 4000 + "]", f"List index is not within the allowable range; index: [{'9' * 4000}]"),
        ("GET l[" + "0" * 4000 + "]", 'Syntax error; token: "0", near: "000"'),
        ("\0", 'Syntax error; token: "\0", near: "\0"'),
        ("a" * 2000 + " " * 2000, f'Syntax error; token: "<EOF>", near: "{"a" * 2000}"'),
    ],
)
def test_strange_texts_are_refused_at_once(text: str, message: str) -> None:
    begun = process_time()
    assert refusal(text) == message
    assert process_time() - begun < 0.5  # some 10 ms


@pytest.mark.parametrize(
    "text",
    [
        "a < b AND (" * 149 + "a < b" + ")" * 149,
        "NOT " * 149 + "a = :x",
        "NOT (" * 149 + "a = :x" + ")" * 149,
    ],
)
def test_what_may_be_nested_deeply_is_bound_and_evaluated_on_any_stack(text: str) -> None:
    def further_down(frames: int) -> bool:
        if frames:
            return further_down(frames - 1)
        return parse_condition(text, Placeholders(None, VALUES if ":x" in text else None)).matches({"a": {"N": "1"}})

    room = sys.getrecursionlimit() - 500  # what a deep caller leaves
    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    assert further_down(max(room - used, 0)) is False


def test_many_paths_are_checked_in_linear_time() -> None:
    text = ",".join(f"a.b{at}" for at in range(600))
    begun = process_time()
    for _ in range(10):
        parse_projection(text, Placeholders(None, None))
    assert process_time() - begun < 1  # some 10 ms; pair by pair it took seconds


LONG = "The expression attribute map contains a key that is too long;"


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ({}, None, "ExpressionAttributeNames must not be empty"),
        (None, {}, "ExpressionAttributeValues must not be empty"),
        ({"a": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'),
        ({"#": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#"'),
        ({"#a\n": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#a\n"'),
        ({"#é": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#é"'),
        (None, {"#a": {"N": "1"}}, 'ExpressionAttributeValues contains invalid key: Syntax error; key: "#a"'),
        ({"#" + "a" * 255: "b"}, None, f"ExpressionAttributeNames contains invalid key: {LONG} size of key: 256"),
        (None, {":" + "a" * 300: {"N": "1"}}, f"ExpressionAttributeValues contains invalid key: {LONG}"),
        ({"#" + "é" * 128: "b"}, None, f"ExpressionAttributeNames contains invalid key: {LONG} size of key: 257"),
        ({"#a": ""}, None, "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"),
        ({"#a": 1}, None, "Unexpected value type in payload"),
        (
            {"#a": "b"},
            {f":{at}": {"S": "x" * 2**18} for at in range(8)},
            "Expression attribute names and values have exceeded the maximum allowed size; "
            "size of names and values: 2097153",
        ),
        (
            {f"#{at}": "é" * 2**15 for at in range(33)},
            None,
            "Expression attribute names and values have exceeded the maximum allowed size; "
            "size of names and values: 2162688",
        ),
    ],
)
def test_placeholders(names: Any, values: Any, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        Placeholders(names, values)
    assert raised.value.message == message


def test_placeholders_of_the_largest_size() -> None:
    Placeholders({"#" + "a" * 254: "b"}, {f":{at}": {"S": "x" * (2**18 - (at == 0))} for at in range(8)})


def test_placeholders_must_be_used() -> None:
    found = Placeholders({"#a": "a", "#b": "b"}, {":x": {"N": "1"}, ":y": {"N": "2"}, ":z": {"N": "3"}})
    parse_condition("#a = :y", found)
    with pytest.raises(ApiError, match=r"Names unused in expressions: keys: \{#b\}"):
        found.check_all_used()
    parse_projection("#b", found)
    with pytest.raises(ApiError, match=r"Values unused in expressions: keys: \{:x, :z\}"):
        found.check_all_used()
    parse_condition("#a = :x OR #a = :z", found)
    found.check_all_used()


def test_texts_that_are_too_long_are_not_kept() -> None:
    """The cache of parsed texts would hold on to megabytes of each."""
    kept = parsing._parse.cache_info().currsize
    for number in range(3):
        with pytest.raises(ApiError, match="Expression size has exceeded the maximum allowed size"):
            parsing.parse(f"a = :{number}" + " " * 100_000, "ConditionExpression")
    assert parsing._parse.cache_info().currsize == kept
