"""Order and equality of attribute values."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.values import compare, equal


@pytest.mark.parametrize(
    "ascending",
    [
        [{"N": "-100"}, {"N": "-9"}, {"N": "-0.5"}, {"N": "0"}, {"N": "0.5"}, {"N": "9"}, {"N": "10"}],
        [
            {"S": ""},
            {"S": "A"},
            {"S": "a"},
            {"S": "a\0"},
            {"S": "aa"},
            {"S": "é"},
            {"S": "\uffff"},
            {"S": "\U00010000"},
        ],
        [{"B": ""}, {"B": "AA=="}, {"B": "AAA="}, {"B": "fw=="}, {"B": "gA=="}, {"B": "/w=="}],
    ],
)
def test_order(ascending: list[dict[str, Any]]) -> None:
    for position, left in enumerate(ascending):
        for other, right in enumerate(ascending):
            assert compare(left, right) == (position > other) - (position < other)


@given(st.binary(max_size=4), st.binary(max_size=4))
def test_binary_is_compared_by_its_bytes(left: bytes, right: bytes) -> None:
    a, b = ({"B": b64encode(raw).decode()} for raw in (left, right))
    assert compare(a, b) == (left > right) - (left < right)


@given(st.text(max_size=4), st.text(max_size=4))
def test_strings_are_compared_by_utf_8(left: str, right: str) -> None:
    a, b = left.encode(), right.encode()
    assert compare({"S": left}, {"S": right}) == (a > b) - (a < b)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"S": "1"}, {"S": "1"}, True),
        ({"S": "1"}, {"N": "1"}, False),
        ({"N": "1"}, {"N": "1"}, True),
        ({"BOOL": True}, {"BOOL": False}, False),
        ({"BOOL": True}, {"NULL": True}, False),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True),
        ({"SS": ["a", "b"]}, {"SS": ["a"]}, False),
        ({"SS": ["1"]}, {"NS": ["1"]}, False),
        ({"NS": ["1", "2"]}, {"NS": ["2", "1"]}, True),
        ({"BS": ["AA==", ""]}, {"BS": ["", "AA=="]}, True),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}, False),
        ({"L": [{"SS": ["a", "b"]}]}, {"L": [{"SS": ["b", "a"]}]}, True),
        ({"L": []}, {"M": {}}, False),
        ({"M": {"a": {"N": "1"}, "b": {"NS": ["1", "2"]}}}, {"M": {"b": {"NS": ["2", "1"]}, "a": {"N": "1"}}}, True),
        ({"M": {"a": {"N": "1"}}}, {"M": {"b": {"N": "1"}}}, False),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a": {"N": "2"}}}, False),
    ],
)
def test_equality(left: dict[str, Any], right: dict[str, Any], expected: bool) -> None:
    assert equal(left, right) is expected
    assert equal(right, left) is expected
