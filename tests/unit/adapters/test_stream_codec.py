"""Records of stream topics: typed, in Confluent's wire format, the same bytes whenever they are written again."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.propagation.test_follower import LABEL, message

from dynabus.adapters import stream_codec
from dynabus.adapters.avro_values import MEMBERS
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.stream_codec import (
    CONFLICT_ID,
    SCHEMA_ID,
    decode_change,
    decode_new,
    encode_conflict,
    encode_output,
    read_entry,
    value_to_json,
)
from dynabus.core.global_tables.conflicts import Conflict, Side
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.propagation.outputs import Output
from dynabus.core.streams.changes import Change, View
from dynabus.core.streams.reading import CHANGE, CLOSED, CONFLICT, OPENED
from dynabus.core.streams.sequence import Sequence
from dynabus.core.streams.view import read_stream

SCHEMA = Path(__file__).parents[3] / "schemas" / "stream_record.avsc"
STREAM = read_stream(message())
ITEM: dict[str, Any] = {
    "pk": {"S": "a"},
    "n": {"N": "-1.5E-130"},
    "b": {"B": "AP8="},
    "t": {"BOOL": False},
    "z": {"NULL": True},
    "ss": {"SS": ["", "é"]},
    "ns": {"NS": ["1"]},
    "bs": {"BS": ["", "AA=="]},
    "l": {"L": [{"L": []}, {"M": {}}, {"S": ""}]},
    "m": {"M": {"S": {"M": {"M": {"N": "0"}}}}},
}


def output(kind: str = CHANGE, change: Change | None = None) -> Output:
    made = change or Change("MODIFY", {"pk": {"S": "a"}}, ITEM, {**ITEM, "n": {"N": "2"}}, 1_700_000_000_123)
    return Output(STREAM, 0, kind, Sequence(1, 1_700_000_000_123, 7), made if kind == CHANGE else None)


def test_every_type_comes_back_as_it_was() -> None:
    value = encode_output(output(), 0).value or b""
    record = decode_change(value)
    assert record["old_image"] == ITEM
    as_far_as_new = decode_new(value)
    assert as_far_as_new["new_image"] == {**ITEM, "n": {"N": "2"}}
    assert as_far_as_new == {name: record[name] for name in as_far_as_new}
    assert "old_image" not in as_far_as_new
    assert record["new_image"] == {**ITEM, "n": {"N": "2"}}
    assert (record["event_name"], record["table"], record["stream_label"]) == ("MODIFY", "music", LABEL)
    assert record["created"].timestamp() == 1_700_000_000.123


def test_any_avro_reader_reads_it_with_the_published_schema() -> None:
    value = encode_output(output(), 0).value or b""
    assert value[:5] == b"\x00" + SCHEMA_ID.to_bytes(4, "big")
    schema = fastavro.parse_schema(json.loads(SCHEMA.read_text()))
    record: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    assert record["new_image"]["b"]["B"] == b"\x00\xff"
    assert record["keys"]["pk"]["S"] == "a"


def items() -> st.SearchStrategy[dict[str, Any]]:
    """Stored ones: one member a value, binary in base64, numbers of up to 38 digits."""
    numbers = st.integers(1 - 10**38, 10**38 - 1).map(str)
    binary = st.binary(max_size=90).map(lambda value: b64encode(value).decode())
    leaves = st.one_of(
        st.text(max_size=200).map(lambda value: {"S": value}),
        numbers.map(lambda value: {"N": value}),
        binary.map(lambda value: {"B": value}),
        st.booleans().map(lambda value: {"BOOL": value}),
        st.just({"NULL": True}),
        st.lists(st.text(max_size=5), min_size=1, max_size=70).map(lambda values: {"SS": values}),
        st.lists(numbers, min_size=1).map(lambda values: {"NS": values}),
        st.lists(binary, min_size=1).map(lambda values: {"BS": values}),
    )
    names = st.text(max_size=70)
    values = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda each: {"L": each}),
            st.dictionaries(names, inner, max_size=4).map(lambda each: {"M": each}),
        ),
        max_leaves=12,
    )
    return st.dictionaries(names, values, max_size=6)


@given(items(), items() | st.none(), st.integers(0, 10**13 - 1))
def test_what_is_written_by_hand_is_what_avro_reads(old: dict[str, Any], new: dict[str, Any] | None, ms: int) -> None:
    event = "REMOVE" if new is None else "MODIFY"
    written = encode_output(output(change=Change(event, old, old, new, ms)), 0).value or b""
    record = decode_change(written)
    assert (record["keys"], record["old_image"], record["new_image"]) == (old, old, new)
    assert record["event_name"] == event
    assert round(record["created"].timestamp() * 1000) == ms


def test_the_service_is_named_where_it_did_it() -> None:
    """Developer guide, TTL: by that a consumer tells expired items from those that somebody deleted."""
    expired = Change("REMOVE", {"pk": {"S": "a"}}, ITEM, None, 1_700_000_000_123, expired=True)
    record = decode_change(encode_output(output(change=expired), 0).value or b"")
    assert record["user_identity"] == {"type": "Service", "principal_id": "dynamodb.amazonaws.com"}
    assert record["old_image"] == ITEM
    assert decode_change(encode_output(output(), 0).value or b"")["user_identity"] is None


def test_symbols_and_members_are_the_schema_s() -> None:
    fields = {field["name"]: field["type"] for field in json.loads(SCHEMA.read_text())["fields"]}
    assert tuple(fields["event_name"]["symbols"]) == stream_codec._EVENTS
    assert tuple(fields["view_type"]["symbols"]) == stream_codec._VIEWS == tuple(view.value for view in View)
    value = fields["keys"]["values"]
    assert tuple(field["name"] for field in value["fields"]) == MEMBERS
    assert all(field["type"][0] == "null" for field in value["fields"])


def test_a_repeat_has_the_same_bytes() -> None:
    assert encode_output(output(), 1) == encode_output(output(), 2)


@pytest.mark.parametrize("kind", [OPENED, CLOSED])
def test_marks_have_no_value_and_the_time_of_writing(kind: str) -> None:
    written = encode_output(output(kind), 99)
    assert (written.key, written.value, written.timestamp_ms) == (None, None, 99)
    headers = {name: value for name, value in written.headers if isinstance(value, bytes)}
    entry = read_entry(4, headers, written.value)
    assert (entry.type, entry.sequence, entry.offset) == (kind, output().sequence, 4)


def test_headers_say_what_routers_look_at() -> None:
    written = encode_output(output(), 0)
    headers = {name: value for name, value in written.headers if isinstance(value, bytes)}
    entry = read_entry(1, headers, written.value)
    assert (entry.type, entry.sequence) == (CHANGE, output().sequence)
    assert decode_change(entry.value)["event_id"] == headers["event-id"].decode()
    with pytest.raises(UndecodableMessage, match="no sequence number"):
        read_entry(1, {}, b"")


@pytest.mark.parametrize(
    "value", [b"", b"\x00", b"\x01\x00\x00\x00\x5b", b"\x00\x00\x00\x00\x01x", b"\x00\x00\x00\x00\x5b"]
)
def test_foreign_values_are_refused(value: bytes) -> None:
    with pytest.raises(UndecodableMessage):
        decode_change(value)


def test_a_value_with_no_member_is_refused() -> None:
    written = encode_output(output(change=Change("MODIFY", {"pk": {"S": "a"}}, None, {}, 5)), 0).value or b""
    nothing = dict.fromkeys(MEMBERS)
    body = io.BytesIO(written[5:])
    record: Any = fastavro.schemaless_reader(body, json.loads(SCHEMA.read_text()), None)
    foreign = io.BytesIO()
    fastavro.schemaless_writer(foreign, json.loads(SCHEMA.read_text()), {**record, "new_image": {"x": nothing}})
    with pytest.raises(UndecodableMessage, match="does not fit"):
        decode_change(written[:5] + foreign.getvalue())


def test_a_change_in_a_global_table_says_which_write_it_was() -> None:
    change = Change("REMOVE", {"pk": {"S": "a"}}, ITEM, None, 5, version=b"\x02us12345678")
    headers = dict(encode_output(output(change=change), 0).headers)
    assert headers["dynabus-version"] == b"\x02us12345678"
    assert "dynabus-version" not in dict(encode_output(output(), 0).headers)


def conflict(loser: Any = None) -> Output:
    keys = {"pk": {"S": "a"}}
    told = Conflict(keys, Side(Stamp(1_700_000_000_123 << 16, "us"), ITEM), Side(Stamp(7, "eu-west-1"), loser), 99)
    return Output(STREAM, 3, CONFLICT, Sequence(1, 1_700_000_000_123, 7), None, told)


@pytest.mark.parametrize("loser", [None, ITEM])
def test_any_avro_reader_reads_a_conflict_with_the_published_schema(loser: Any) -> None:
    written = encode_conflict(conflict(loser))
    value = written.value or b""
    assert value[:5] == b"\x00" + CONFLICT_ID.to_bytes(4, "big")
    schema = fastavro.parse_schema(json.loads((SCHEMA.parent / "conflict.avsc").read_text()))
    stream = io.BytesIO(value[5:])
    record: Any = fastavro.schemaless_reader(stream, schema, None)
    assert stream.read() == b""
    winner, lost = record["winner"], record["loser"]
    assert (winner["region"], winner["time"]) == ("us", 1_700_000_000_123 << 16)
    assert winner["written"].timestamp() == 1_700_000_000.123
    assert {name: value_to_json(each) for name, each in winner["item"].items()} == ITEM
    assert (lost["region"], lost["time"]) == ("eu-west-1", 7)
    assert (lost["item"] is None) == (loser is None)
    assert record["decided"].timestamp() == 0.099
    assert (record["table"], written.key, written.timestamp_ms) == ("music", b'{"pk":{"S":"a"}}', 1_700_000_000_123)
    headers = dict(written.headers)
    assert headers["type"] == b"conflict"
    assert headers["event-id"] == str(record["event_id"]).encode()
    assert headers["sequence"] == str(record["sequence_number"]).encode()
    assert written == encode_conflict(conflict(loser)), "a repeat has the same bytes"
