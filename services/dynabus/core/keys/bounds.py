"""Ranges of encoded keys: an item collection, and a sort key condition within it.

All ranges are half-open, `lower <= key < upper`; an upper bound of None means "to the end". The successor of a
single key is that key with a zero byte behind it: nothing lies between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dynabus.core.keys.encoding import encode_partition_key, encode_sort_key, prefix_successor

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
    return _RANGES[operator](prefix, *map(encode_sort_key, operands))


def _between(prefix: bytes, low: bytes, high: bytes) -> Bounds:
    return prefix + low, prefix + high + b"\0"


def _begins_with(prefix: bytes, start: bytes) -> Bounds:
    return prefix + start, prefix_successor(prefix + start)


_RANGES: dict[str, Callable[..., Bounds]] = {
    "=": lambda prefix, value: (prefix + value, prefix + value + b"\0"),
    "<": lambda prefix, value: (prefix, prefix + value),
    "<=": lambda prefix, value: (prefix, prefix + value + b"\0"),
    ">": lambda prefix, value: (prefix + value + b"\0", prefix_successor(prefix)),
    ">=": lambda prefix, value: (prefix + value, prefix_successor(prefix)),
    "BETWEEN": _between,
    "begins_with": _begins_with,
}
