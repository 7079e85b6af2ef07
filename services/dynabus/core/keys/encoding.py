"""Encoding of key values. The normative tables are in the package's docstring."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Sequence
from hashlib import md5
from typing import Any

from dynabus.core.errors import InvariantError
from dynabus.core.limits import MIN_NUMBER_EXPONENT

HASH_BYTES = 8

_ASCENDING = str.maketrans("0123456789", "123456789a")
_DESCENDING = str.maketrans("0123456789", "edcba98765")
_ZERO = b"\x02"


def encode_key(hash_value: dict[str, Any], range_value: dict[str, Any] | None = None) -> bytes:
    """The encoded key of an item with these normalised key attribute values (S, N or B)."""
    prefix = encode_partition_key(hash_value)
    return prefix if range_value is None else prefix + encode_sort_key(range_value)


def encode_partition_key(value: dict[str, Any]) -> bytes:
    """Hash and partition key: the common prefix of all keys of one item collection."""
    return _hashed(encode_delimited(value))


def encode_partition_keys(values: Sequence[dict[str, Any]]) -> bytes:
    """The same of the partition key attributes of a global secondary index, of which there may be several."""
    return _hashed(b"".join(map(encode_delimited, values)))


def _hashed(encoded: bytes) -> bytes:
    return md5(encoded, usedforsecurity=False).digest()[:HASH_BYTES] + encoded


def encode_delimited(value: dict[str, Any]) -> bytes:
    """A value in order among those of its type, which may be followed by anything: no encoding begins another."""
    return encode_number(value["N"]) if "N" in value else escape(raw_bytes(value)) + b"\0\0"


def escape(raw: bytes) -> bytes:
    """Bytes without a zero that anything but FF follows: what begins a string begins its delimited encoding."""
    return raw.replace(b"\0", b"\0\xff")


def hash_prefix(value: dict[str, Any]) -> bytes:
    """The 8-byte hash of a partition key value, by which items are spread over partitions."""
    return encode_partition_key(value)[:HASH_BYTES]


def encode_sort_key(value: dict[str, Any]) -> bytes:
    """A sort key value; byte order is DynamoDB's order among values of one type."""
    return encode_number(value["N"]) if "N" in value else raw_bytes(value)


def raw_bytes(value: dict[str, Any]) -> bytes:
    """The bytes that DynamoDB compares and measures: UTF-8 of an S, the decoded bytes of a B."""
    text = value.get("S")
    if text is not None:
        return text.encode()  # type: ignore[no-any-return]
    if "B" in value:
        return a2b_base64(value["B"])
    raise InvariantError(f"a key attribute of type {next(iter(value), None)} passed validation")


def encode_number(text: str) -> bytes:
    """A number in normal form (plain notation) as bytes in numeric order, 1 to 22 of them."""
    if text == "0":
        return _ZERO
    negative = text[0] == "-"
    digits, exponent = _significant(text[1:] if negative else text)
    biased = exponent - MIN_NUMBER_EXPONENT
    odd = len(digits) & 1
    if negative:
        return bytes.fromhex(f"01{255 - biased:02x}{digits.translate(_DESCENDING)}{'f' if odd else 'ff'}")
    return bytes.fromhex(f"03{biased:02x}{digits.translate(_ASCENDING)}{'0' if odd else '00'}")


def _significant(plain: str) -> tuple[str, int]:
    """Significant digits without zeros at either end, and the exponent of the first one."""
    whole, _, fraction = plain.partition(".")
    if whole != "0":
        return (whole + fraction).rstrip("0"), len(whole) - 1
    digits = fraction.lstrip("0")
    return digits.rstrip("0"), len(digits) - len(fraction) - 1


def prefix_successor(prefix: bytes) -> bytes | None:
    """The smallest byte string greater than all that start with `prefix`; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return None
    return stripped[:-1] + bytes((stripped[-1] + 1,))
