"""How encoded keys of any length are stored in a B-tree whose keys are short, in exact byte order.

LMDB refuses keys over 511 bytes; encoded keys may have 5,130. So keys are stored in *layers* of at most C = 480
bytes, each the continuation of one prefix. Two databases:

    database   key                                    value     meaning
    rows       K                                      row       a key K with len(K) <= C
    rows       K[:C] ‖ 01                             empty     marker: keys longer than C with this prefix exist
    overflow   id(K[:nC]) ‖ K[nC:]                    row       a key K with nC < len(K) <= (n+1)C, n >= 1
    overflow   id(K[:nC]) ‖ K[nC:(n+1)C] ‖ 01         empty     marker: longer keys with the prefix K[:(n+1)C] exist

    id(prefix) = BLAKE2b of the prefix with a digest of 16 bytes, so the longest stored key has 497 bytes.

A layer is a prefix P with len(P) = nC: all keys longer than nC that start with it. In a layer an entry is told
apart by its length: up to C bytes it is a row, C + 1 bytes is a marker. Invariant: a layer's marker exists in its
parent exactly while the layer has an entry; the last key's deletion removes it, upwards.

Why iteration is exact. Let e be the entries of one layer, in byte order of what follows P.
* A marker M = Q ‖ 01 (len(Q) = C) stands for the keys Q ‖ x with x not empty. The only other entry that starts
  with Q is Q itself, and Q < M. So every row entry e < M has e <= Q (it does not extend Q), hence e < Q ‖ x for
  all x; every row entry e > M differs from Q within Q's length, hence e > Q ‖ x. Descending into the layer where
  the marker stands, and going on behind it, is byte order; in reverse the layer comes before Q.
* A bound B with len(B) <= C: either B <= Q, then B <= Q < Q ‖ x, or B > Q differs from Q within its length, then
  B > Q ‖ x for all x. So a bound never cuts through a layer's keys, and comparing M with B decides for all of
  them (B <= Q gives B < M; B > Q gives B > M).
* A bound B with len(B) > C cuts only the layer Q = B[:C], at B[C:] by the same rules one level deeper. It is
  found at M = B[:C] ‖ 01; entries before M are smaller than B, entries behind it greater.

A key's own place is computed from the key alone, so a get is one lookup at any length.
Test vectors: tests/vectors/layers.json.
"""

from __future__ import annotations

from hashlib import blake2b

CHUNK_BYTES = 480
"""C: 16 bytes of id, C, a marker's byte and one for an exclusive bound stay under LMDB's 511."""

LAYER_ID_BYTES = 16
"""128 bits: nobody finds two prefixes with one id (2^64 tries for a collision)."""

MARK = b"\x01"


def depth(key: bytes) -> int:
    """How many layers lie above the key's own: 0 for a key in `rows`."""
    return (len(key) - 1) // CHUNK_BYTES if key else 0


def layer_id(prefix: bytes) -> bytes:
    """The id of the layer of keys that continue this prefix; the top layer (no prefix) has none."""
    return blake2b(prefix, digest_size=LAYER_ID_BYTES).digest() if prefix else b""


def stored_key(key: bytes) -> bytes:
    """The key under which a row is stored: in `rows` if `depth(key)` is 0, otherwise in `overflow`."""
    return in_layer(key, depth(key))


def in_layer(key: bytes, level: int) -> bytes:
    """The part of a key that lies in the layer at this level and below, behind the layer's id."""
    cut = level * CHUNK_BYTES
    return layer_id(key[:cut]) + key[cut:]


def marker(key: bytes, level: int) -> bytes:
    """The marker of the key's layer at `level` (1 … depth); it is stored one level above."""
    return in_layer(key[: level * CHUNK_BYTES], level - 1) + MARK
