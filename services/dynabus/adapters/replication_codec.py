"""Batches, acknowledgements and parked changes of global tables in Avro, and what RepOut makes of stream records.

A batch and an acknowledgement have a format of their own besides the prefix's version, of all that is in them: what
another one means is not known here, so it is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.stream_codec import FLOORS_HEADER, KEY_HEADER, VERSION_HEADER, decode_new
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.floors import Word, decode_floors, read_word
from dynabus.core.global_tables.rep_out import Batch, Export
from dynabus.core.global_tables.versions import Version, decode_version
from dynabus.core.key_schema import KeySchema

FORMAT = 2


class Arrived(NamedTuple):
    """A batch as its destination reads it."""

    source: str
    sender: str
    table: str
    replica: str
    batch: Batch


def encode_batch(source: str, sender: str, table: str, batch: Batch, replica: str = "") -> bytes:
    """A message for the destination's topic; all of a batch is of one table. `replica`: the table's id there; empty:
    whichever has that name."""
    changes = [{"key": each.key, "item": each.item, "version": each.version.encode()} for each in batch.exports]
    head = {"format": FORMAT, "source": source, "sender": sender, "number": batch.number}
    word = batch.word.told() if batch.word is not None else None
    of = {"table": table, "replica": replica}
    return encode("replication_batch", {**head, "word": word, **of, "changes": changes})


def decode_batch(value: bytes | None) -> Arrived:
    """Raises UndecodableMessage: nothing of it may be applied."""
    message = _read("replication_batch", value)
    try:
        exports = [
            Export(message["table"], each["key"], each["item"], decode_version(each["version"]))
            for each in message["changes"]
        ]
    except (ValueError, IndexError) as error:
        raise UndecodableMessage(f"a version that is none: {error}") from error
    word = read_word(message["word"]) if message["word"] is not None else None
    batch = Batch(message["number"], exports, word)
    return Arrived(message["source"], message["sender"], message["table"], message["replica"], batch)


def encode_acknowledgement(region: str, sender: str, number: int) -> bytes:
    """`region`: the destination, which has decided the batch."""
    told = {"format": FORMAT, "region": region, "sender": sender, "number": number}
    return encode("replication_acknowledgement", told)


def decode_acknowledgement(value: bytes | None) -> tuple[str, int]:
    """(sender, number of its batch). Raises UndecodableMessage."""
    message = _read("replication_acknowledgement", value)
    return message["sender"], message["number"]


def _read(kind: str, value: bytes | None) -> dict[str, Any]:
    found, message = decode(value)
    if found != kind:
        raise UndecodableMessage(f"a {found} where a {kind} belongs")
    if message["format"] != FORMAT:
        raise UndecodableMessage(f"format {message['format']}; this code reads {FORMAT}")
    return dict(message)


def encode_parked(source: str, export: Export, reason: str) -> bytes:
    """A change that can never be decided here."""
    change = {"table": export.table, "key": export.key, "item": export.item, "version": export.version.encode()}
    return encode("parked_change", {"source": source, "reason": reason, **change, "batch": None})


def encode_unreadable(source: str, value: bytes, reason: str) -> bytes:
    """A batch of which nothing can be read."""
    change = dict.fromkeys(("table", "key", "item", "version"))
    return encode("parked_change", {"source": source, "reason": reason, **change, "batch": value})


def version_in(headers: Mapping[str, bytes]) -> Version | None:
    """Of a stream record; None of one from before its table was global. Raises UndecodableMessage."""
    raw = headers.get(VERSION_HEADER)
    try:
        return decode_version(raw) if raw is not None else None
    except (ValueError, IndexError) as error:
        raise UndecodableMessage(f"a version that is none: {error}") from error


def word_in(headers: Mapping[str, bytes], region: str) -> Word:
    """What a record of floors says to this region. Raises UndecodableMessage."""
    try:
        return decode_floors(headers.get(FLOORS_HEADER, b"")).word_for(region)
    except (ValueError, KeyError, TypeError) as error:
        raise UndecodableMessage(f"floors that are none: {error}") from error


def export_of(table: str, schema: KeySchema, version: Version, headers: Mapping[str, bytes], value: bytes) -> Export:
    """The change of a stream record. Raises UndecodableMessage."""
    if not value and KEY_HEADER in headers:
        return Export(table, headers[KEY_HEADER], None, version)
    record = decode_new(value)
    try:
        key = schema.encode_item(record["keys"])
    except ApiError as error:
        raise UndecodableMessage(f"the key is none of the table's: {error}") from error
    if record["event_name"] == "REMOVE":
        return Export(table, key, None, version)
    if record["new_image"] is None:
        raise UndecodableMessage("the stream shows no new images")
    return Export(table, key, orjson.dumps(record["new_image"]), version)
