"""Batches come back as they were; what is damaged, newer or something else is refused as a whole."""

from __future__ import annotations

import pytest
from tests.unit.adapters.test_stream_codec import ITEM, output

from dynabus.adapters import replication_codec
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.replication_codec import (
    Arrived,
    decode_acknowledgement,
    decode_batch,
    encode_acknowledgement,
    encode_batch,
    encode_parked,
    encode_unreadable,
    export_of,
    version_in,
    word_in,
)
from dynabus.adapters.stream_codec import FLOORS_HEADER, encode_output
from dynabus.core.global_tables.floors import Floors, Word
from dynabus.core.global_tables.rep_out import Batch, Export
from dynabus.core.global_tables.unseen import Unseen
from dynabus.core.global_tables.versions import written
from dynabus.core.key_schema import KeySchema
from dynabus.core.streams.changes import Change
from dynabus.core.values import Item

VERSION = written(None, "eu", 17)
EXPORTS = [Export("music", b"a", b"{}", VERSION), Export("music", b"b", None, written(VERSION, "us", 18))]
WORD = Word(3, -1, frozenset({"eu", "us"}), "there")
BATCH = encode_batch("eu", "eu-1", "music", Batch(7, EXPORTS, WORD), "there")
SCHEMA = KeySchema("pk", "S")


def test_a_batch_comes_back() -> None:
    assert decode_batch(BATCH) == Arrived("eu", "eu-1", "music", "there", Batch(7, EXPORTS, WORD))


def test_a_batch_need_not_say_anything_of_the_time_before() -> None:
    batch = Batch(8, [])
    assert decode_batch(encode_batch("eu", "eu-1", "music", batch)).batch == batch


def test_a_record_of_floors_has_a_word_for_each_region() -> None:
    floors = Floors("eu", frozenset({"us", "za"}), {"us": 5}, promised=9)
    headers = {FLOORS_HEADER: floors.encode()}
    assert word_in(headers, "us") == Word(9, 5, frozenset({"eu", "us", "za"}))
    assert word_in(headers, "za").seen == -1
    for damaged in ({}, {FLOORS_HEADER: b"{}"}, {FLOORS_HEADER: b"?"}):
        with pytest.raises(UndecodableMessage, match="floors that are none"):
            word_in(damaged, "us")


def test_an_acknowledgement_comes_back() -> None:
    assert decode_acknowledgement(encode_acknowledgement("us", "eu-1", 7)) == ("eu-1", 7)


@pytest.mark.parametrize("at", range(0, len(BATCH), 3))
def test_a_batch_with_a_changed_byte_is_refused(at: int) -> None:
    with pytest.raises(UndecodableMessage):
        decode_batch(BATCH[:at] + bytes([BATCH[at] ^ 4]) + BATCH[at + 1 :])


def test_what_is_of_another_format_or_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UndecodableMessage, match="a replication_batch where"):
        decode_acknowledgement(BATCH)
    monkeypatch.setattr(replication_codec, "FORMAT", 3)
    newer = encode_batch("eu", "eu-1", "music", Batch(7, EXPORTS))
    monkeypatch.undo()
    with pytest.raises(UndecodableMessage, match="format 3; this code reads 2"):
        decode_batch(newer)


def test_a_batch_with_a_version_that_is_none_is_refused() -> None:
    _, message = decode(BATCH)
    message["changes"][1]["version"] = b"\x02e"
    with pytest.raises(UndecodableMessage, match="a version that is none"):
        decode_batch(encode("replication_batch", message))


def test_parked_changes_say_what_they_were_and_why() -> None:
    _, change = decode(encode_parked("eu", EXPORTS[0], "another key schema"))
    assert (change["source"], change["table"], change["key"], change["item"]) == ("eu", "music", b"a", b"{}")
    assert (change["version"], change["reason"], change["batch"]) == (VERSION.encode(), "another key schema", None)
    _, batch = decode(encode_unreadable("eu", b"\x00\x01", "too short"))
    assert (batch["table"], batch["batch"], batch["reason"]) == (None, b"\x00\x01", "too short")


def test_a_stream_record_becomes_an_export() -> None:
    value = encode_output(output(), 0).value or b""
    export = export_of("music", SCHEMA, VERSION, {}, value)
    assert (export.table, export.key, export.version) == ("music", SCHEMA.encode_item(ITEM), VERSION)
    assert export.item is not None
    assert b'"n":{"N":"2"}' in export.item


def test_a_deletion_has_no_item() -> None:
    change = Change("REMOVE", {"pk": {"S": "a"}}, ITEM, None, 5)
    assert export_of("music", SCHEMA, VERSION, {}, encode_output(output(change=change), 0).value or b"").item is None


@pytest.mark.parametrize("item", [ITEM, None])
def test_a_write_that_changed_no_item_can_be_sent_on(item: Item | None) -> None:
    key = SCHEMA.encode_item(ITEM)
    change = None if item is None else Change("MODIFY", {"pk": {"S": "a"}}, None, item, 5, False, VERSION.encode())
    made = encode_output(output("version")._replace(unseen=Unseen(key, VERSION.encode(), change)), 0)
    headers = {name: value for name, value in made.headers if isinstance(value, bytes)}
    assert headers["type"] == b"version"
    assert version_in(headers) == VERSION
    export = export_of("music", SCHEMA, VERSION, headers, made.value or b"")
    assert (export.key, export.version) == (key, VERSION)
    assert (export.item is None) == (item is None)


def test_the_version_stands_in_a_header() -> None:
    assert version_in({}) is None
    assert version_in({"dynabus-version": VERSION.encode()}) == VERSION
    with pytest.raises(UndecodableMessage):
        version_in({"dynabus-version": b"\x05us"})


def test_a_stream_of_another_key_is_told() -> None:
    value = encode_output(output(), 0).value or b""
    with pytest.raises(UndecodableMessage, match="the key is none of the table's"):
        export_of("music", KeySchema("id", "S"), VERSION, {}, value)
