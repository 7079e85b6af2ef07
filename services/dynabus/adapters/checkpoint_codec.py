"""Checkpoints of log propagators as the metadata of committed offsets: Avro (schema `checkpoint`), base64.

A string, because Kafka's protocol has one there. Brokers take 4,096 bytes (`offset.metadata.max.bytes`). While
indexes are being filled it is schema `filling_checkpoint`, behind a mark that no base64 has.
"""

from __future__ import annotations

import base64
import binascii

from dynabus.adapters.codec import UndecodableMessage, decode_body, encode_body
from dynabus.adapters.log_codec import decode_place, encode_place
from dynabus.core.propagation.checkpoint import Checkpoint

METADATA_BYTES_MOST = 4096

FILLING = ":"


def encode_checkpoint(checkpoint: Checkpoint) -> str:
    """Raises ValueError for one that no broker takes, which none can be (tests/unit/adapters)."""
    children = {child.number: child.generation for child in checkpoint.place.children or ()}
    body = encode_body(
        "filling_checkpoint" if checkpoint.fills else "checkpoint",
        {
            "place": encode_place(checkpoint.place),
            "range_mark": checkpoint.mark,
            "children": [
                {"number": number, "generation": children[number], "mark": mark} for number, mark in checkpoint.marks
            ],
            "version": checkpoint.version,
            "clock_ms": checkpoint.clock_ms,
            "open": list(checkpoint.open),
            **({"fills": _told(checkpoint.fills)} if checkpoint.fills else {}),
        },
    )
    text = (FILLING if checkpoint.fills else "") + base64.b64encode(body).decode()
    if len(text) > METADATA_BYTES_MOST:
        raise ValueError(f"a checkpoint of {len(text)} bytes: brokers take {METADATA_BYTES_MOST}")
    return text


def decode_checkpoint(text: str) -> Checkpoint:
    """Raises UndecodableMessage for what is no whole checkpoint."""
    filling = text.startswith(FILLING)
    try:
        body = base64.b64decode(text.removeprefix(FILLING).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise UndecodableMessage(f"no base64: {error}") from error
    kind = "filling_checkpoint" if filling else "checkpoint"
    raw = decode_body(kind, body)
    if encode_body(kind, raw) != body:
        # Avro reads past nothing: what lost its mark, or has more behind it, would be taken for less than it says.
        raise UndecodableMessage(f"more than a body of schema {kind}")
    return Checkpoint(
        decode_place(raw["place"]),
        raw["range_mark"],
        tuple((child["number"], child["mark"]) for child in raw["children"]),
        raw["version"],
        raw["clock_ms"],
        tuple(raw["open"]),
        tuple((each["label"], each["position"]) for each in raw.get("fills", ())),
    )


def _told(fills: tuple[tuple[str, bytes], ...]) -> list[dict[str, object]]:
    return [{"label": label, "position": position} for label, position in fills]
