"""Records of public stream topics: key, value and headers, written by propagators and read by routers.

The value is Confluent's wire format, which stock Kafka tools decode: byte 0, the schema's id in four bytes (big
endian), an Avro body (schema `stream_record`, fully typed). The id is the schema's number on our own bus
(`core.messages`), or what a registry of the operator's own has given; the header `schema` is the number in any case,
so that a second schema can be told from this one. `opened`, `closed` and `floors` have neither key nor value; their
headers say it all. So do those of a `version` that is a deletion; another one has the item, as a change has it.
"""

from __future__ import annotations

import io
import json
import struct
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, cast

from confluent_kafka import Message
from fastavro import parse_schema, schemaless_reader

from dynabus.adapters.avro_values import ABSENT, PRESENT, images, integer, optional_images, text
from dynabus.adapters.codec import SCHEMAS, UndecodableMessage, schema_text
from dynabus.core.global_tables.conflicts import Side
from dynabus.core.messages import SCHEMA_NUMBERS
from dynabus.core.propagation.outputs import Output
from dynabus.core.streams.reading import Entry
from dynabus.core.streams.sequence import read_sequence
from dynabus.core.time_to_live import PRINCIPAL

_PREFIX = struct.Struct(">BI")
_SCHEMA = SCHEMAS["stream_record"]
SCHEMA_ID = SCHEMA_NUMBERS["stream_record"]


def _as_far_as(member: str) -> Any:
    schema = json.loads(schema_text("stream_record"))
    names = [field["name"] for field in schema["fields"]]
    return parse_schema({**schema, "fields": schema["fields"][: names.index(member) + 1]})


_AS_FAR_AS_NEW = _as_far_as("new_image")

CONFLICT_ID = SCHEMA_NUMBERS["conflict"]

PUBLISHED = {SCHEMA_ID: schema_text("stream_record"), CONFLICT_ID: schema_text("conflict")}
"""Schemas that values of stream topics, and of conflicts topics, may name, by id."""

FLOORS_HEADER = "dynabus-floors"
"""Of a record of floors in a global table's stream (`core.global_tables.promises`): JSON."""

VERSION_HEADER = "dynabus-version"
"""Of a change in a global table: which write of which region it was (`core.global_tables.versions`)."""

KEY_HEADER = "dynabus-key"
"""Of a `version` without an item: the key, as rows have it."""

_EVENTS = ("INSERT", "MODIFY", "REMOVE")
_VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")
"""Symbols of the schema's enumerations, in its order (tests/unit/adapters compares)."""

_BY_SERVICE = PRESENT + b"".join(map(text, PRINCIPAL))

Headers = list[tuple[str, str | bytes | None]]


class StreamMessage(NamedTuple):
    """As it is produced; `timestamp_ms` is Kafka's, by which sequence numbers are found."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers


def encode_output(output: Output, wall_ms: int, schema_id: int = SCHEMA_ID) -> StreamMessage:
    """The record of an output; `schema_id` stands before its value.

    Marks have the time at which they are written: retention must not take the end of an idle shard away at once.
    Whoever seeks a time finds one of them too early at most, and reads on.
    """
    sequence = str(output.sequence)
    event_id = _event_id(output, sequence)
    headers: Headers = [
        ("type", output.type.encode()),
        ("sequence", sequence.encode()),
        ("event-id", event_id.encode()),
    ]
    change, unseen = output.change, output.unseen
    if unseen is not None:
        change = unseen.change
        if change is None:
            headers += [(VERSION_HEADER, unseen.version), (KEY_HEADER, unseen.key)]
    if output.floors:
        headers.append((FLOORS_HEADER, output.floors))
    if change is None:
        return StreamMessage(None, None, wall_ms, headers)
    headers.append(("schema", str(SCHEMA_ID).encode()))
    if change.version:
        headers.append((VERSION_HEADER, change.version))
    stream = output.stream
    body = b"".join(
        (
            text(event_id),
            integer(_EVENTS.index(change.event)),
            text(stream.name),
            text(stream.label),
            text(sequence),
            integer(change.time_ms),
            integer(_VIEWS.index(stream.view.value)),
            integer(change.size),
            images(change.keys),
            optional_images(change.new),
            optional_images(change.old),
            _BY_SERVICE if change.expired else ABSENT,
        )
    )
    return StreamMessage(change.key_bytes, _PREFIX.pack(0, schema_id) + body, output.sequence.time_ms, headers)


def encode_conflict(output: Output, schema_id: int = CONFLICT_ID) -> StreamMessage:
    """The record of an output with a conflict, which was decided when the log had come so far."""
    conflict, sequence = output.conflict, str(output.sequence)
    assert conflict is not None
    event_id = _event_id(output, sequence)
    headers: Headers = [
        ("type", output.type.encode()),
        ("sequence", sequence.encode()),
        ("event-id", event_id.encode()),
        ("schema", str(CONFLICT_ID).encode()),
    ]
    head = (text(event_id), text(output.stream.name), text(sequence), integer(conflict.time_ms))
    body = b"".join((*head, images(conflict.keys), _side(conflict.winner), _side(conflict.loser)))
    value = _PREFIX.pack(0, schema_id) + body
    return StreamMessage(conflict.key_bytes, value, output.sequence.time_ms, headers)


def _side(side: Side) -> bytes:
    stamp = side.stamp
    return text(stamp.region) + integer(stamp.ms) + integer(stamp.time) + optional_images(side.item)


def _event_id(output: Output, sequence: str) -> str:
    """The same whenever the output is produced again."""
    stream = output.stream
    what = f"{stream.table}/{stream.label}/{output.number}/{output.type}/{sequence}"
    return blake2b(what.encode(), digest_size=16).hexdigest()


def read_entry(offset: int, headers: Mapping[str, bytes], value: bytes | None) -> Entry:
    """What routers look at. Raises UndecodableMessage for what no propagator wrote."""
    sequence = read_sequence(headers.get("sequence", b"").decode("ascii", "replace"))
    if sequence is None:
        raise UndecodableMessage(f"no sequence number at offset {offset}")
    return Entry(offset, headers.get("type", b"").decode("ascii", "replace"), sequence, value or b"")


def headers_of(message: Message) -> dict[str, bytes]:
    """Of a message that was consumed."""
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return {name: value or b"" for name, value in pairs}


def entry_of(message: Message) -> Entry:
    """What routers look at, of a message that was consumed."""
    return read_entry(message.offset() or 0, headers_of(message), message.value())


def decode_change(value: bytes) -> dict[str, Any]:
    """The record of a value, its images in DynamoDB's JSON. Raises UndecodableMessage."""
    return _decoded(value, _SCHEMA, ("keys", "new_image", "old_image"))


def decode_new(value: bytes) -> dict[str, Any]:
    """The same as far as the new image: most of the time goes into images. Raises UndecodableMessage."""
    return _decoded(value, _AS_FAR_AS_NEW, ("keys", "new_image"))


def _decoded(value: bytes, schema: Any, images_in: Iterable[str]) -> dict[str, Any]:
    # The id is the writer's registry's; there is one schema so far, and a header tells it from those that may come.
    if len(value) < _PREFIX.size or _PREFIX.unpack_from(value)[0] != 0:
        raise UndecodableMessage("not the wire format of a stream record")
    try:
        record: Any = schemaless_reader(io.BytesIO(value[_PREFIX.size :]), schema, None)
        for name in images_in:
            if record[name] is not None:
                record[name] = {attribute: value_to_json(each) for attribute, each in record[name].items()}
    except (EOFError, ValueError, IndexError, TypeError, StopIteration) as error:
        raise UndecodableMessage(f"body does not fit schema stream_record: {error!r}") from error
    return dict(record)


def value_to_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """An AttributeValue of the schemas in DynamoDB's JSON. Raises ValueError where it has not exactly one member."""
    [(kind, content)] = [(kind, content) for kind, content in value.items() if content is not None]
    if kind == "B":
        content = b64encode(content).decode()
    elif kind == "BS":
        content = [b64encode(each).decode() for each in content]
    elif kind == "L":
        content = [value_to_json(each) for each in content]
    elif kind == "M":
        content = {name: value_to_json(each) for name, each in content.items()}
    return {kind: content}
