"""Messages of ingest topics, in and out: JSON, or Avro in Confluent's wire format.

| first byte | the value is                                                                             |
|------------|------------------------------------------------------------------------------------------|
| 0          | a schema's id in four bytes (big endian), then Avro: schema `ingest_command`             |
| other      | JSON: one command, or a list of them                                                     |

The id is not looked at: it is ours (`core.messages`), or one that a registry of the operator's own has given, and
there is one schema. A body that this schema does not read to its last byte is none. Outcomes have the form of their
commands.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import orjson
from fastavro import schemaless_reader, schemaless_writer

from dynabus.adapters.codec import SCHEMAS, UndecodableMessage, schema_text
from dynabus.adapters.stream_codec import value_to_json
from dynabus.core.ingest.results import Outcome
from dynabus.core.messages import SCHEMA_NUMBERS

_PREFIX = struct.Struct(">BI")
_COMMANDS, _OUTCOME = SCHEMAS["ingest_command"], SCHEMAS["ingest_outcome"]

COMMAND_ID, OUTCOME_ID = SCHEMA_NUMBERS["ingest_command"], SCHEMA_NUMBERS["ingest_outcome"]

PUBLISHED = {COMMAND_ID: schema_text("ingest_command"), OUTCOME_ID: schema_text("ingest_outcome")}
"""Schemas of topics of commands and outcomes, by id."""

_PLAIN = {
    "update_expression": "UpdateExpression",
    "condition_expression": "ConditionExpression",
    "expression_attribute_names": "ExpressionAttributeNames",
    "return_values": "ReturnValues",
    "return_values_on_condition_check_failure": "ReturnValuesOnConditionCheckFailure",
}
"""Members of the schema that are the API's as they are."""

_VALUES = {"item": "Item", "key": "Key", "expression_attribute_values": "ExpressionAttributeValues"}
"""Those that are maps of attribute values."""

_ABOUT = ("operation", "table", "token", "correlation_id")


def is_avro(value: bytes) -> bool:
    """Whether a value claims to be Avro; its outcomes are then, too."""
    return value[:1] == b"\x00"


def decode_message(value: bytes | None) -> Any:
    """What `core.ingest.commands` reads. Raises UndecodableMessage with words for people."""
    if not value:
        raise UndecodableMessage("an empty message")
    if is_avro(value):
        return [_command(each) for each in _read(value)]
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UndecodableMessage(f"neither Avro nor JSON: {error}") from error


def _read(value: bytes) -> list[dict[str, Any]]:
    body = io.BytesIO(value[_PREFIX.size :])
    try:
        message: Any = schemaless_reader(body, _COMMANDS, None)
    except (EOFError, ValueError, IndexError, TypeError, StopIteration, MemoryError, OverflowError) as error:
        raise UndecodableMessage(f"Avro that does not fit schema ingest_command: {error!r}") from error
    except RecursionError as error:
        raise UndecodableMessage("Avro with values inside values without end") from error
    if body.read(1):
        raise UndecodableMessage("Avro that goes on behind schema ingest_command")
    commands: list[dict[str, Any]] = message["commands"]
    return commands


def _command(record: dict[str, Any]) -> dict[str, Any]:
    """In the form that JSON has."""
    command = {name: record[name] for name in _ABOUT if record[name] is not None}
    request = {api: record[name] for name, api in _PLAIN.items() if record[name] is not None}
    try:
        for name, api in _VALUES.items():
            if record[name] is not None:
                request[api] = {each: value_to_json(value) for each, value in record[name].items()}
    except ValueError as error:
        raise UndecodableMessage("an attribute value of none, or of several types") from error
    return {**command, "request": request}


def encode_outcome(outcome: Outcome, *, avro: bool) -> bytes:
    """The value of a record of an outcomes topic."""
    if not avro:
        return outcome.json()
    place = outcome.place
    out = io.BytesIO()
    out.write(_PREFIX.pack(0, OUTCOME_ID))
    schemaless_writer(
        out,
        _OUTCOME,
        {
            "correlation_id": outcome.correlation_id,
            "token": outcome.token,
            "status": outcome.status.name,
            "answer": (outcome.answer or b"{}").decode(),
            "topic": place.topic,
            "partition": place.partition,
            "offset": place.offset,
            "index": place.position,
            "seen": outcome.seen,
        },
    )
    return out.getvalue()
