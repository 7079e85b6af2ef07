"""The envelope of log records, byte for byte as the vectors say: what is in a log must be readable for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.replication.records import Envelope, Kind, decode_record, encode_record, next_chain

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "vectors" / "records.json").read_text())


def envelope(vector: dict[str, Any]) -> Envelope:
    return Envelope(
        vector["generation"],
        vector["term"],
        vector["sequence"],
        bytes.fromhex(vector["previous"]),
        vector["log_time_ms"],
        Writer(NodeName(vector["node"]), Incarnation(vector["incarnation"])),
        vector["nonce"],
        Kind[vector["kind"]],
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_vectors(vector: dict[str, Any]) -> None:
    body, value = bytes.fromhex(vector["body"]), bytes.fromhex(vector["value"])
    assert encode_record(envelope(vector), vector["schema_number"], body).hex() == vector["value"]
    assert next_chain(bytes.fromhex(vector["previous"]), value).hex() == vector["next_chain"]
    record = decode_record(7, 3, value)
    assert record.intact
    assert (record.offset, record.leader_epoch, record.body) == (7, 3, body)
    assert (record.generation, record.term, record.sequence) == tuple(envelope(vector)[:3])
    assert record.writer == envelope(vector).writer


@given(st.data())
def test_a_changed_byte_never_passes(data: st.DataObject) -> None:
    """But for version and schema number, which stand in front of the checksum and are judged by themselves."""
    value = bytearray.fromhex(VECTORS[-1]["value"])
    at = data.draw(st.integers(3, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    assert not decode_record(0, 0, bytes(value)).intact


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(value: bytes) -> None:
    decode_record(0, 0, value)
