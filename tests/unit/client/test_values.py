"""Attribute values as Python's, both ways; boto3 is the measure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer
from hypothesis import given
from tests.unit.adapters.test_stream_codec import items

from dynabus.client.values import Item, image_of, item_of, value_of


@given(items())
def test_values_are_those_that_boto3_gives(image: Item) -> None:
    boto: Any = TypeDeserializer()

    def plain(value: object) -> object:
        if isinstance(value, Binary):
            return value.__dict__["value"]
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        if isinstance(value, list | set):
            return type(value)(plain(each) for each in value)
        return value

    raw = {name: _binary(value) for name, value in image.items()}
    assert item_of(image) == {name: plain(boto.deserialize(value)) for name, value in raw.items()}


def _binary(value: Item) -> Item:
    """As botocore hands it to the deserializer: bytes, where our images have base64."""
    [(kind, content)] = value.items()
    if kind == "B":
        return {kind: value_of(value)}
    if kind == "BS":
        return {kind: list(value_of(value))}
    if kind == "L":
        return {kind: [_binary(each) for each in content]}
    if kind == "M":
        return {kind: {name: _binary(each) for name, each in content.items()}}
    return value


@given(items())
def test_what_is_read_can_be_written(image: Item) -> None:
    assert item_of(image_of(item_of(image))) == item_of(image)


def test_more_types_can_be_written_than_are_read() -> None:
    item = {"n": 3, "l": (1, "a"), "b": bytearray(b"x"), "s": frozenset({"a"}), "t": True, "z": None}
    assert image_of(item) == {
        "n": {"N": "3"},
        "l": {"L": [{"N": "1"}, {"S": "a"}]},
        "b": {"B": "eA=="},
        "s": {"SS": ["a"]},
        "t": {"BOOL": True},
        "z": {"NULL": True},
    }


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1.5, "pass decimal.Decimal or int"),
        (object(), "no type for object"),
        ({"a", 1}, "a set has strings, or numbers"),
        ({True}, "a set has strings, or numbers"),
        ({(1,)}, "a set has strings, or numbers"),
        ({1: "a"}, "an attribute's name is a str, not 1"),
        ([[1.5]], "pass decimal.Decimal or int"),
    ],
)
def test_what_dynamodb_has_no_type_for_is_said_at_once(value: object, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        image_of({"a": value})


@pytest.mark.parametrize("value", [set(), Decimal("NaN"), 10**38])
def test_what_dynamodb_refuses_is_left_to_it(value: object) -> None:
    assert image_of({"a": value})
