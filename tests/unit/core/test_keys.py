"""Encoded keys: test vectors, and that byte order is DynamoDB's order."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.keys import (
    encode_key,
    encode_number,
    encode_partition_key,
    hash_prefix,
    partition_key_bounds,
    prefix_successor,
    range_bounds,
    raw_bytes,
)
from dynabus.core.keys.layers import CHUNK_BYTES, depth, marker, stored_key
from dynabus.core.values import compare, normalise_number, number

VECTORS = Path(__file__).parents[2] / "vectors"

LMDB_MAX_KEY_BYTES = 511


def numbers() -> st.SearchStrategy[str]:
    """Numbers in normal form, over the whole range, with many near ones."""
    digits = st.one_of(st.integers(1, 120), st.integers(1, 10**38 - 1)).map(str)
    exponents = st.one_of(st.integers(-3, 3), st.integers(-130, 125))

    def build(sign: str, mantissa: str, exponent: int) -> str:
        return normalise_number(f"{sign}{mantissa[0]}.{mantissa[1:]}e{exponent}")

    return st.one_of(st.just("0"), st.builds(build, st.sampled_from(["", "-"]), digits, exponents))


def key_bytes(max_size: int) -> st.SearchStrategy[bytes]:
    """Byte strings that are hard to order: zeros, FF, prefixes of each other, and long ones."""
    parts = st.sampled_from([b"\0", b"\x01", b"\xff", b"a", b"ab", b"\0" * 479, b"\xff" * 481, b"a" * 480])
    return st.lists(parts, min_size=1, max_size=8).map(lambda chosen: b"".join(chosen)[:max_size])


def strings(max_bytes: int) -> st.SearchStrategy[str]:
    return st.one_of(
        st.text(min_size=1, max_size=8),
        st.sampled_from(
            ["\0", "a\0", "a", "é", "\U0001f600", "\uffff", "a" * max_bytes, "a" * (max_bytes - 1) + "\0"]
        ),
    )


def values(max_bytes: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Two values of one type."""

    def two(kind: str, content: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
        return st.lists(content.map(lambda value: {kind: value}), min_size=2, max_size=2)

    return st.one_of(
        two("S", strings(max_bytes)),
        two("B", key_bytes(max_bytes).map(lambda raw: b64encode(raw).decode())),
        two("N", numbers()),
    )


def sign(difference: int) -> int:
    return (difference > 0) - (difference < 0)


def bytes_order(left: bytes, right: bytes) -> int:
    return (left > right) - (left < right)


def test_number_vectors() -> None:
    vectors = json.loads((VECTORS / "keys.json").read_text())["numbers"]
    encoded = [bytes.fromhex(vector["encoded"]) for vector in vectors]
    assert [encode_number(normalise_number(vector["number"])) for vector in vectors] == encoded
    assert encoded == sorted(encoded)


def test_key_vectors() -> None:
    for vector in json.loads((VECTORS / "keys.json").read_text())["keys"]:
        assert encode_key(vector["hash"], vector["range"]).hex() == vector["key"]


def test_a_key_by_hand() -> None:
    """The normative table, followed without the code."""
    partition_key = b"a\x00\xffb\x00\x00"
    expected = md5(partition_key).digest()[:8] + partition_key + bytes.fromhex("03 82 20")
    assert encode_key({"S": "a\0b"}, {"N": "1"}) == expected


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("0", "02"), ("1", "038220"), ("-1", "017ddf"), ("12", "03832300"), ("0.05", "038060"), ("-10.5", "017cde9f")],
)
def test_numbers_by_hand(text: str, encoded: str) -> None:
    assert encode_number(text).hex() == encoded


@given(st.lists(numbers(), min_size=2, max_size=2))
def test_number_order(pair: list[str]) -> None:
    left, right = pair
    numeric = sign(int(number(left).compare(number(right))))
    assert bytes_order(encode_number(left), encode_number(right)) == numeric
    assert len(encode_number(left)) <= 22


@given(values(2048), values(1024))
def test_order_within_a_partition_key_is_dynamodbs(
    hashes: list[dict[str, Any]], ranges: list[dict[str, Any]]
) -> None:
    one, other = (encode_key(hashes[0], value) for value in ranges)
    assert bytes_order(one, other) == sign(compare(*ranges))


@given(values(2048), values(1024))
def test_item_collections_do_not_overlap(hashes: list[dict[str, Any]], ranges: list[dict[str, Any]]) -> None:
    lower, upper = partition_key_bounds(hashes[0])
    assert upper is not None
    for value in ranges:
        assert lower <= encode_key(hashes[0], value) < upper
        assert (lower <= encode_key(hashes[1], value) < upper) == (hashes[0] == hashes[1])
    assert lower <= encode_key(hashes[0]) < upper


@given(values(2048))
def test_a_partition_key_delimits_itself(pair: list[dict[str, Any]]) -> None:
    one, other = (encode_partition_key(value)[8:] for value in pair)
    assert one == other or not one.startswith(other)
    assert bytes_order(one, other) == sign(compare(*pair))


@given(values(64), values(1024), st.sampled_from(["=", "<", "<=", ">", ">="]))
def test_comparison_bounds(hashes: list[dict[str, Any]], ranges: list[dict[str, Any]], operator: str) -> None:
    operand, candidate = ranges
    lower, upper = range_bounds(hashes[0], operator, [operand])
    order = compare(candidate, operand)
    expected = {"=": order == 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]
    assert upper is not None
    assert (lower <= encode_key(hashes[0], candidate) < upper) == expected


@given(values(64), values(1024), st.data())
def test_between_bounds(hashes: list[dict[str, Any]], ranges: list[dict[str, Any]], data: st.DataObject) -> None:
    low, high = ranges
    candidate = data.draw(st.sampled_from(ranges))
    lower, upper = range_bounds(hashes[0], "BETWEEN", [low, high])
    assert upper is not None
    expected = compare(low, candidate) <= 0 <= compare(high, candidate)
    assert (lower <= encode_key(hashes[0], candidate) < upper) == expected


@given(key_bytes(1024), key_bytes(1024))
def test_begins_with_bounds(start: bytes, candidate: bytes) -> None:
    def binary(raw: bytes) -> dict[str, Any]:
        return {"B": b64encode(raw).decode()}

    lower, upper = range_bounds({"S": "p"}, "begins_with", [binary(start)])
    assert upper is not None
    key = encode_key({"S": "p"}, binary(candidate))
    assert (lower <= key < upper) == candidate.startswith(start)
    assert raw_bytes(binary(start)) == start


@given(key_bytes(2048), key_bytes(2048))
def test_prefix_successor(prefix: bytes, other: bytes) -> None:
    successor = prefix_successor(prefix)
    if successor is None:
        assert set(prefix) == {0xFF}
    else:
        assert (prefix <= other < successor) == other.startswith(prefix)


def test_the_hash_spreads_and_has_eight_bytes() -> None:
    prefixes = {hash_prefix({"S": f"user-{number}"}) for number in range(1000)}
    assert len(prefixes) == 1000
    assert {len(prefix) for prefix in prefixes} == {8}
    assert len({prefix[0] for prefix in prefixes}) > 200


def test_layer_vectors() -> None:
    for vector in json.loads((VECTORS / "layers.json").read_text())["keys"]:
        key = b"".join(bytes.fromhex(part) * repetitions for part, repetitions in vector["key"])
        markers = [
            {"database": "rows" if level == 1 else "overflow", "stored": marker(key, level).hex()}
            for level in range(1, depth(key) + 1)
        ]
        assert ("overflow" if depth(key) else "rows") == vector["database"]
        assert stored_key(key).hex() == vector["stored"]
        assert markers == vector["markers"]


@given(key_bytes(5130))
def test_stored_keys_fit_lmdb(key: bytes) -> None:
    assert 0 < len(stored_key(key)) <= LMDB_MAX_KEY_BYTES
    assert all(len(marker(key, level)) <= LMDB_MAX_KEY_BYTES for level in range(1, depth(key) + 1))
    assert len(key) - depth(key) * CHUNK_BYTES in range(1, CHUNK_BYTES + 1)
