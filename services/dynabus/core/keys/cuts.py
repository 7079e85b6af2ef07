"""Where to cut a partition: short byte strings between two keys, never inside an item collection that may not be cut.

A bound need not be a key. Between two neighbours the shortest prefix of the greater one that is still greater than
the other is enough: bounds are at most 511 bytes (a place carries them), and keys are up to 5 KB.
"""

from __future__ import annotations

BOUND_BYTES_MOST = 511

_HASH_BYTES = 8


def separator(before: bytes, key: bytes) -> bytes:
    """The shortest prefix of `key` that is greater than `before`; `before` < `key`.

    If the two are of different item collections, and `key` is the prefix that all keys of its collection share, the
    cut lies between the collections: their prefixes differ before either ends.
    """
    at = 0
    while at < len(before) and before[at] == key[at]:
        at += 1
    return key[: at + 1]


def collection(key: bytes, number: bool) -> bytes:
    """What all keys of this key's item collection begin with; `number`: the partition key is one.

    A byte string that ends within its partition key, as bounds may, is returned as it is: nothing lies inside of it.
    """
    if not number:
        end = key.find(b"\0\0", _HASH_BYTES)
        return key if end < 0 else key[: end + 2]
    kind, digits = key[_HASH_BYTES : _HASH_BYTES + 1], key[_HASH_BYTES + 2 :]
    if kind == _ZERO:
        return key[: _HASH_BYTES + 1]
    last = _LAST_NIBBLES.get(kind)
    for at, byte in enumerate(digits):
        if byte & 15 == last:
            return key[: _HASH_BYTES + 2 + at + 1]
    return key


_ZERO = b"\x02"
_LAST_NIBBLES = {b"\x01": 15, b"\x03": 0}
"""By which the digits of negative and positive numbers end (the normative table is in the package's docstring)."""


def middle_of_hashes(lower: bytes, upper: bytes | None) -> bytes | None:
    """The middle of a range that holds nothing yet, in the space of hashes; None if there is nothing between."""
    low = int.from_bytes(lower[:_HASH_BYTES].ljust(_HASH_BYTES, b"\0"), "big")
    high = 1 << 64 if upper is None else int.from_bytes(upper[:_HASH_BYTES].ljust(_HASH_BYTES, b"\0"), "big")
    middle = ((low + high) // 2).to_bytes(_HASH_BYTES, "big")
    return middle if lower < middle and (upper is None or middle < upper) else None


def refuse_bound(at: bytes, lower: bytes, upper: bytes | None) -> str | None:
    """Why a range cannot be cut here."""
    if len(at) > BOUND_BYTES_MOST:
        return f"the split point has {len(at)} bytes as an encoded key, at most {BOUND_BYTES_MOST} are possible"
    if at <= lower:
        if at == lower:
            return "the split point is the partition's lower bound: one side would be empty for ever"
        return "the split point lies before the partition's range"
    if upper is not None and at >= upper:
        return "the split point lies behind the partition's range"
    return None
