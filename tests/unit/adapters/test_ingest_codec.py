"""Commands in JSON and in Avro say the same; outcomes come in the form of their command; what is neither is told."""

from __future__ import annotations

import io
from base64 import b64decode
from contextlib import suppress
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.adapters.codec import SCHEMAS, UndecodableMessage
from dynabus.adapters.ingest_codec import decode_message, encode_outcome, is_avro
from dynabus.core.ingest.commands import Command, Place, read_message
from dynabus.core.ingest.results import Outcome, Status, dead_letter_headers, unreadable
from dynabus.core.messages import SCHEMA_NUMBERS

PLACE = Place("dynabus.ingest.music", "id", 3, 17, 1)

UPDATE: dict[str, Any] = {
    "operation": "UpdateItem",
    "token": "x",
    "correlation_id": "c",
    "request": {
        "Key": {"pk": {"S": "a"}, "sk": {"B": "AP8="}},
        "UpdateExpression": "SET #n = :n",
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": {"L": [{"N": "1"}, {"M": {"b": {"BS": ["AA=="]}}}]}},
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    },
}
PUT: dict[str, Any] = {"operation": "PutItem", "table": "music", "request": {"Item": {"pk": {"S": "b"}}}}


def typed(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute value as a writer of Avro has it."""
    [(kind, content)] = value.items()
    if kind == "B":
        content = b64decode(content)
    elif kind == "BS":
        content = [b64decode(each) for each in content]
    elif kind == "L":
        content = [typed(each) for each in content]
    elif kind == "M":
        content = {name: typed(each) for name, each in content.items()}
    return {kind: content}


def avro(*commands: dict[str, Any], schema_id: int = SCHEMA_NUMBERS["ingest_command"]) -> bytes:
    out = io.BytesIO(b"\x00" + schema_id.to_bytes(4, "big"))
    out.seek(5)
    fastavro.schemaless_writer(out, SCHEMAS["ingest_command"], {"commands": [_record(each) for each in commands]})
    return out.getvalue()


def _record(command: dict[str, Any]) -> dict[str, Any]:
    record = {name: content for name, content in command.items() if name != "request"}
    for name, content in command["request"].items():
        snake = "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
        is_typed = name in ("Item", "Key", "ExpressionAttributeValues")
        record[snake] = {each: typed(value) for each, value in content.items()} if is_typed else content
    return record


def test_both_forms_say_the_same() -> None:
    assert decode_message(avro(UPDATE, PUT)) == [UPDATE, PUT]
    assert decode_message(orjson.dumps([UPDATE, PUT])) == [UPDATE, PUT]


def test_a_retry_in_the_other_form_is_the_same_command() -> None:
    (first,), (second,) = (read_message(decode_message(value), "music") for value in (avro(UPDATE), _json(UPDATE)))
    assert isinstance(first, Command)
    assert isinstance(second, Command)
    assert first.identity(PLACE) == second.identity(PLACE)


def _json(command: dict[str, Any]) -> bytes:
    return orjson.dumps(command)


def test_the_id_may_be_a_registrys_own() -> None:
    assert decode_message(avro(PUT, schema_id=7)) == [PUT]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"PutItem",
        b"\xff\xfe",
        b"\x00",
        b"\x00\x00\x00\x00\x84",
        avro(UPDATE)[:-3],
        avro(UPDATE) + b"\x00",
        b"[" * 100_000,
    ],
)
def test_what_is_neither_is_told(value: bytes | None) -> None:
    with pytest.raises(UndecodableMessage):
        decode_message(value)


@pytest.mark.parametrize("value", [{}, {"S": "a", "N": "1"}])
def test_a_value_of_no_type_or_of_two_is_told(value: dict[str, Any]) -> None:
    out = io.BytesIO()
    record = {"operation": "PutItem", "item": {"pk": value}}
    fastavro.schemaless_writer(out, SCHEMAS["ingest_command"], {"commands": [record]})
    with pytest.raises(UndecodableMessage, match="attribute value"):
        decode_message(b"\x00\x00\x00\x00\x84" + out.getvalue())


@given(st.binary(max_size=60))
def test_rubbish_raises_nothing_else(body: bytes) -> None:
    for value in (body, b"\x00\x00\x00\x00\x84" + body):
        with suppress(UndecodableMessage):
            read_message(decode_message(value), "music")


@pytest.mark.parametrize("answer", [b"", b'{"Attributes":{"n":{"N":"1"}}}'])
def test_outcomes(answer: bytes) -> None:
    outcome = Outcome(PLACE, Status.APPLIED, answer, "x", None, "t/0.1.33")
    told = orjson.loads(encode_outcome(outcome, avro=False))
    assert told == {
        "correlation_id": None,
        "token": "x",
        "status": "APPLIED",
        "topic": "dynabus.ingest.music",
        "partition": 3,
        "offset": 17,
        "index": 1,
        "seen": "t/0.1.33",
        "answer": orjson.loads(answer or b"{}"),
    }
    value = encode_outcome(outcome, avro=True)
    assert is_avro(value)
    record: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), SCHEMAS["ingest_outcome"], None)
    assert {**record, "answer": orjson.loads(record["answer"])} == told


def test_statuses_are_the_schemas_symbols() -> None:
    fields = {field["name"]: field["type"] for field in SCHEMAS["ingest_outcome"]["fields"]}
    assert fields["status"]["symbols"] == [each.name for each in Status]


def test_a_dead_letter_says_where_it_comes_from_and_why() -> None:
    headers = dict(dead_letter_headers(PLACE, "no"))
    assert headers == {
        "error": b"no",
        "topic": b"dynabus.ingest.music",
        "partition": b"3",
        "offset": b"17",
        "index": b"1",
    }
    assert orjson.loads(unreadable("no")) == {"__type": "dynabus#UnreadableCommand", "message": "no"}
