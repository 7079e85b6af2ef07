"""Ranges of encoded keys: an item collection, and a sort key condition within it.

All ranges are half-open, `lower <= key < upper`; an upper bound of None means "to the end". The successor of a
single key is that key with a zero byte behind it: nothing lies between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dynabus.core.keys.encoding import (
    encode_delimited,
    encode_partition_key,
    encode_sort_key,
    escape,
    prefix_successor,
    raw_bytes,
)

Bounds = tuple[bytes, bytes | None]


def partition_key_bounds(hash_value: dict[str, Any]) -> Bounds:
    """The range of one item collection."""
    prefix = encode_partition_key(hash_value)
    return prefix, prefix_successor(prefix)


def range_bounds(hash_value: dict[str, Any], operator: str, operands: Sequence[dict[str, Any]]) -> Bounds:
    """The range of a key condition: `operator` is one of `=`, `<`, `<=`, `>`, `>=`, `BETWEEN`, `begins_with`.

    `operands` are normalised values of the sort key's type: two for BETWEEN, otherwise one. The range may be
    empty (BETWEEN with its operands the wrong way round).
    """
    prefix = encode_partition_key(hash_value)
    return _RANGES[operator](prefix, _just_behind, *map(encode_sort_key, operands))


def index_range_bounds(hash_value: dict[str, Any], operator: str, operands: Sequence[dict[str, Any]]) -> Bounds:
    """The same in a local secondary index, where the table's sort key follows the index's: many may be equal."""
    return delimited_range_bounds(encode_partition_key(hash_value), operator, operands)


def delimited_range_bounds(prefix: bytes, operator: str, operands: Sequence[dict[str, Any]]) -> Bounds:
    """The same behind whatever all keys begin with; the value is encoded delimited, and others follow it."""
    if operator == "begins_with":
        return _begins_with(prefix, prefix_successor, escape(raw_bytes(operands[0])))
    return _RANGES[operator](prefix, prefix_successor, *map(encode_delimited, operands))


def _just_behind(key: bytes) -> bytes:
    return key + b"\0"


_Behind = Callable[[bytes], bytes | None]
"""The first key behind all that have this sort key."""


def _begins_with(prefix: bytes, _: _Behind, start: bytes) -> Bounds:
    return prefix + start, prefix_successor(prefix + start)


_RANGES: dict[str, Callable[..., Bounds]] = {
    "=": lambda prefix, behind, value: (prefix + value, behind(prefix + value)),
    "<": lambda prefix, _, value: (prefix, prefix + value),
    "<=": lambda prefix, behind, value: (prefix, behind(prefix + value)),
    ">": lambda prefix, behind, value: (behind(prefix + value), prefix_successor(prefix)),
    ">=": lambda prefix, _, value: (prefix + value, prefix_successor(prefix)),
    "BETWEEN": lambda prefix, behind, low, high: (prefix + low, behind(prefix + high)),
    "begins_with": _begins_with,
}
