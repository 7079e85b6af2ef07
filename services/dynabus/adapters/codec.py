"""Avro on the bus: prefix, CRC and body of every message (layout in `core.messages`)."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from zlib import crc32

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from dynabus.core.messages import SCHEMA_NUMBERS

FORMAT_VERSION = 1
_PREFIX = struct.Struct(">BHI")
PREFIX_BYTES = _PREFIX.size


class UndecodableMessage(Exception):
    """A message that is not ours, is damaged, or is newer than this code. Counted, logged and skipped."""


def _schema_folder() -> Any:
    installed = files("dynabus") / "schemas"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / "schemas"


def schema_text(kind: str) -> str:
    """The JSON of a schema, as it is published, without its blanks."""
    return json.dumps(json.loads((_schema_folder() / f"{kind}.avsc").read_text()), separators=(",", ":"))


def load_schemas() -> dict[str, Any]:
    """Every schema of the registry, parsed, by its name."""
    folder = _schema_folder()
    return {name: parse_schema(json.loads((folder / f"{name}.avsc").read_text())) for name in SCHEMA_NUMBERS}


SCHEMAS = load_schemas()
_BY_NUMBER = {number: (name, SCHEMAS[name]) for name, number in SCHEMA_NUMBERS.items()}


def encode_body(kind: str, message: Mapping[str, Any]) -> bytes:
    """The Avro body of a message, without prefix."""
    out = io.BytesIO()
    schemaless_writer(out, SCHEMAS[kind], message)
    return out.getvalue()


def decode_body(kind: str, body: bytes) -> Any:
    """The message of an Avro body; raises UndecodableMessage where the body does not fit the schema."""
    try:
        return schemaless_reader(io.BytesIO(body), SCHEMAS[kind], None)
    except (EOFError, ValueError, IndexError, TypeError, StopIteration, MemoryError, OverflowError) as error:
        raise UndecodableMessage(f"body does not fit schema {kind}: {error!r}") from error


def encode(kind: str, message: Mapping[str, Any]) -> bytes:
    """A whole message value: prefix, CRC, body."""
    return framed(kind, encode_body(kind, message))


def framed(kind: str, body: bytes) -> bytes:
    """A message value with a body that is encoded already."""
    return _PREFIX.pack(FORMAT_VERSION, SCHEMA_NUMBERS[kind], crc32(body)) + body


def decode(value: bytes | None) -> tuple[str, Any]:
    """(kind, message) of a message value; raises UndecodableMessage, which the caller counts and skips."""
    if value is None or len(value) < PREFIX_BYTES:
        raise UndecodableMessage("shorter than its prefix")
    version, number, crc = _PREFIX.unpack_from(value)
    if version != FORMAT_VERSION:
        raise UndecodableMessage(f"format version {version}; this code reads {FORMAT_VERSION}")
    if crc32(memoryview(value)[PREFIX_BYTES:]) != crc:
        raise UndecodableMessage("checksum does not match")
    if number not in _BY_NUMBER:
        raise UndecodableMessage(f"schema number {number} is unknown to this code")
    kind, _ = _BY_NUMBER[number]
    return kind, decode_body(kind, value[PREFIX_BYTES:])
