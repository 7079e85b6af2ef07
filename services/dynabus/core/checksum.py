"""The content checksum of a replica: 64 bits over its rows that do not depend on their order.

    checksum = sum over all rows of weight(key) * mark(row), modulo 2^64

    weight(key)   BLAKE2b of the encoded key, 64 bits, lowest bit set
    mark(row)     2^32 + the CRC-32 in the row's header (`core.rows`); 0 for no row

A mutation changes it by weight(key) * (mark(new) - mark(old)): one hash of a short key, whatever the rows' size.

What it detects. One row that is missing, too much or has another CRC: always, since an odd weight times a difference
that is not 0 is not 0. Several such, or rows that changed their keys: but for a chance below 2^-32 (multilinear
hashing, with the weights as the random coefficients; the worst is two CRCs whose difference ends in 31 zero bits).
What it does not detect: bytes of a row that were changed under an unchanged CRC field, for which there is the CRC
itself, and two images of one row with the same CRC (2^-32). It is no protection against whoever means to deceive.
"""

from __future__ import annotations

from hashlib import blake2b

MASK = (1 << 64) - 1

_PRESENT = 1 << 32
_from_bytes = int.from_bytes


def weight(key: bytes) -> int:
    """An odd number of 64 bits."""
    return _from_bytes(blake2b(key, digest_size=8).digest(), "big") | 1


def mark(row: bytes | None) -> int:
    """What stands for a row; its CRC is taken from the header, unchecked."""
    return 0 if row is None else _PRESENT | _from_bytes(row[1:5], "big")


def change(key: bytes, old: bytes | None, new: bytes | None) -> int:
    """What a mutation from one row to another (None for absent) adds to the checksum; take it modulo 2^64."""
    return weight(key) * (mark(new) - mark(old))


def signed(checksum: int) -> int:
    """As Avro's long carries it."""
    return checksum - (1 << 64) if checksum >> 63 else checksum
