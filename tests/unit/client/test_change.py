"""Records of stream topics as applications see them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer
from hypothesis import given
from tests.unit.adapters.test_stream_codec import items, output

from dynabus.adapters.stream_codec import decode_change, encode_output
from dynabus.client.change import Item, change_of, item_of, value_of
from dynabus.core.streams.changes import Change

RECORD = decode_change(encode_output(output(), 0).value or b"")


def test_a_change_has_what_the_record_says() -> None:
    change = change_of(RECORD, "shardId-1", lambda item: item)
    assert (change.event, change.table, change.keys, change.shard) == ("MODIFY", "music", {"pk": "a"}, "shardId-1")
    assert change.created == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)
    assert (change.sequence, change.event_id) == (RECORD["sequence_number"], RECORD["event_id"])
    assert change.service is None
    assert change.new is not None
    assert change.old is not None
    assert (change.old["n"], change.new["n"]) == (Decimal("-1.5E-130"), Decimal(2))
    assert change.old["bs"] == {b"", b"\x00"}
    assert change.old["m"] == {"S": {"M": Decimal(0)}}


def test_images_are_what_the_application_makes_of_them() -> None:
    made = output(change=Change("INSERT", {"pk": {"S": "a"}}, None, {"pk": {"S": "a"}}, 7))
    record = decode_change(encode_output(made, 0).value or b"")
    change = change_of(record, "", lambda item: f"<{item['pk']}>")
    assert (change.new, change.old) == ("<a>", None)


def test_a_service_is_named() -> None:
    identity = {"type": "Service", "principal_id": "dynamodb.amazonaws.com"}
    assert change_of({**RECORD, "user_identity": identity}, "", lambda item: item).service == "dynamodb.amazonaws.com"


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


def test_what_parse_raises_is_raised() -> None:
    with pytest.raises(KeyError):
        change_of(RECORD, "", lambda item: item["not there"])
