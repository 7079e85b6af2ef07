"""Stored rows: round trip, and that no changed byte goes unnoticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.rows import CorruptRow, Row, decode_row, encode_row


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
