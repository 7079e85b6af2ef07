"""Records of stream topics as applications see them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.unit.adapters.test_stream_codec import output

from dynabus.adapters.stream_codec import decode_change, encode_output
from dynabus.client.change import change_of
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


def test_what_parse_raises_is_raised() -> None:
    with pytest.raises(KeyError):
        change_of(RECORD, "", lambda item: item["not there"])
