"""Records of table topics: key, value and header.

The key has the bytes that it has in the table's stream. The value is Confluent's wire format: byte 0, the schema's id
in four bytes (big endian), an Avro body (schema `table_item`, a map of the item's attributes, fully typed); no value
is a tombstone. The id is the schema's number on our own bus (`core.messages`), or what a registry of the operator's
own has given; the header `schema` is the number in any case. The header `generation` is that of the partition's log
which the record comes of, in decimal; of a recovery's remains it is lower than that of what went on.
"""

from __future__ import annotations

import struct
from typing import cast

from confluent_kafka import Message

from dynabus.adapters.avro_values import images
from dynabus.adapters.codec import UndecodableMessage, decode_body, schema_text
from dynabus.adapters.stream_codec import Headers, StreamMessage, value_to_json
from dynabus.core.messages import SCHEMA_NUMBERS
from dynabus.core.propagation.table_records import TableRecord
from dynabus.core.values import Item

_PREFIX = struct.Struct(">BI")
ITEM_ID = SCHEMA_NUMBERS["table_item"]

PUBLISHED = {ITEM_ID: schema_text("table_item")}
"""Schemas that values of table topics may name, by id."""

_GENERATION = "generation"
_SCHEMA: Headers = [("schema", str(ITEM_ID).encode())]


def encode_table_record(record: TableRecord, wall_ms: int, schema_id: int = ITEM_ID) -> StreamMessage:
    """`wall_ms` is its time where that of the write is not known, as of what was there before the topic."""
    time_ms = wall_ms if record.time_ms is None else record.time_ms
    headers: Headers = [(_GENERATION, str(record.generation).encode())]
    if record.item is None:
        return StreamMessage(record.key, None, time_ms, headers)
    value = _PREFIX.pack(0, schema_id) + images(record.item)
    return StreamMessage(record.key, value, time_ms, [*headers, *_SCHEMA])


def generation_of(message: Message) -> int:
    """Of the log that a record comes of. Raises UndecodableMessage for what no propagator wrote."""
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    told = next((value for name, value in headers if name == _GENERATION), None)
    if told is None or not told.isdigit():
        raise UndecodableMessage(f"no generation at offset {message.offset()}")
    return int(told)


def decode_table_item(value: bytes) -> Item:
    """The item of a value, in DynamoDB's JSON. Raises UndecodableMessage."""
    if len(value) < _PREFIX.size or _PREFIX.unpack_from(value)[0] != 0:
        raise UndecodableMessage("not the wire format of a table's item")
    told = decode_body("table_item", value[_PREFIX.size :])
    return {attribute: value_to_json(each) for attribute, each in told["item"].items()}
