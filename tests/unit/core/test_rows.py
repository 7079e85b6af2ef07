"""Stored rows: round trip, and that no changed byte goes unnoticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.rows import (
    CorruptRow,
    Row,
    Source,
    decode_row,
    encode_global_row,
    encode_index_row,
    encode_row,
    is_tombstone,
    item_json,
    item_of,
    items_in,
    live_row,
    row_size,
    source_of,
    version_bytes,
    version_of,
)


@given(st.binary(max_size=200), st.integers(0, 409_600), st.integers(0, 2**64 - 1))
def test_round_trip(item_json: bytes, size: int, timestamp_ms: int) -> None:
    assert decode_row(encode_row(item_json, size, timestamp_ms)) == Row(size, timestamp_ms, item_json)


def test_layout() -> None:
    row = encode_row(b'{"a":{"S":"b"}}', 2, 1_700_000_000_000)
    assert row.hex() == "01" + "913f512c" + "00000002" + "0000018bcfe56800" + b'{"a":{"S":"b"}}'.hex()


def test_every_flipped_bit_is_noticed() -> None:
    row = encode_row(b'{"a":{"S":"b"}}', 2, 1_700_000_000_000)
    for position in range(len(row) * 8):
        changed = bytearray(row)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(CorruptRow):
            decode_row(bytes(changed))


@given(st.binary(max_size=40))
def test_noise_is_not_a_row(noise: bytes) -> None:
    with pytest.raises(CorruptRow):
        decode_row(noise)


INDEX_ROWS = json.loads((Path(__file__).parents[2] / "vectors" / "index_rows.json").read_text())["rows"]


@pytest.mark.parametrize("vector", INDEX_ROWS)
def test_rows_of_indexes_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    source, item_json = Source(*vector["source"]), vector["json"].encode()
    row = encode_index_row(item_json, vector["size"], vector["timestamp_ms"], source)
    assert row.hex() == vector["row"]
    assert decode_row(row) == Row(vector["size"], vector["timestamp_ms"], item_json)
    assert source_of(row) == source
    assert row_size(row) == vector["size"]
    assert is_tombstone(row) == (not item_json)
    assert items_in(row) == bool(item_json)


def test_every_flipped_bit_of_an_index_row_is_noticed() -> None:
    row = bytes.fromhex(INDEX_ROWS[0]["row"])
    for position in range(len(row) * 8):
        changed = bytearray(row)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(CorruptRow):
            source_of(bytes(changed))


def test_a_row_of_a_table_has_no_source_and_is_one_item() -> None:
    row = encode_row(b"{}", 0, 5)
    assert items_in(row) == 1
    assert items_in(None) == 0
    with pytest.raises(CorruptRow):
        source_of(row)


def test_sources_are_in_order_of_generation_then_offset() -> None:
    assert Source(9, 1, 900).order < Source(1, 2, 0).order < Source(0, 2, 1).order


GLOBAL_ROWS = json.loads((Path(__file__).parents[2] / "vectors" / "global_rows.json").read_text())["rows"]


@pytest.mark.parametrize("vector", GLOBAL_ROWS)
def test_rows_of_global_tables_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    version = Version(Stamp(vector["seen"][vector["region"]], vector["region"]), vector["seen"])
    body = vector["json"].encode()
    row = encode_global_row(body, vector["size"], vector["timestamp_ms"], version)
    assert row.hex() == vector["row"]
    assert decode_row(row) == Row(vector["size"], vector["timestamp_ms"], body)
    assert version_of(row, "another") == version
    assert version_bytes(row) == version.encode()
    assert (row_size(row), item_json(row)) == (vector["size"], body)
    assert is_tombstone(row) == (not body)
    assert items_in(row) == bool(body)
    assert item_of(row) == (json.loads(body) if body else None)
    assert (live_row(row) is None) == (not body)


def test_every_flipped_bit_of_a_global_row_is_noticed() -> None:
    row = bytes.fromhex(GLOBAL_ROWS[0]["row"])
    for position in range(len(row) * 8):
        changed = bytearray(row)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(CorruptRow):
            decode_row(bytes(changed))


def test_a_global_row_that_is_cut_off_is_none_even_with_a_checksum() -> None:
    whole = bytes.fromhex(GLOBAL_ROWS[1]["row"])
    for length in range(17, len(whole)):
        cut = whole[5:length]
        with pytest.raises(CorruptRow):
            decode_row(b"\x03" + crc32(b"\x03" + cut).to_bytes(4, "big") + cut)


def test_a_row_of_before_its_table_was_global_was_written_here_at_its_time() -> None:
    row = encode_row(b"{}", 0, 5)
    assert version_of(row, "us") == Version(Stamp(5 * TICKS_PER_MS, "us"), {"us": 5 * TICKS_PER_MS})
    assert version_bytes(row) == b""
    assert version_bytes(None) == b""
