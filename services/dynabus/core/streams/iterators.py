"""Shard iterators: where a client reads on, written into the token that it keeps.

    <stream ARN>|1|<base64url of: time of issue, shard, offset, last sequence, checksum>

The checksum (BLAKE2b, 64 bits, over ARN and the rest) tells mistakes and parts of other iterators; it is no secret.
Whoever makes one up by our rules reads where any iterator of GetShardIterator could begin.
"""

from __future__ import annotations

import base64
import binascii
import struct
from hashlib import blake2b
from typing import NamedTuple

from dynabus.core.streams.reading import Position
from dynabus.core.streams.sequence import Sequence

LIFE_MS = 15 * 60 * 1000
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html"""

_FORM = struct.Struct(">QIQIQQ")
_CHECK_BYTES = 8


class ShardIterator(NamedTuple):
    """`issued_ms`: wall clock of the router that gave it out."""

    arn: str
    issued_ms: int
    number: int
    position: Position

    def is_expired(self, wall_ms: int) -> bool:
        """By this router's clock; routers' clocks differ by less than matters in 15 minutes."""
        return wall_ms - self.issued_ms > LIFE_MS

    def __str__(self) -> str:
        offset, last = self.position
        packed = _FORM.pack(self.issued_ms, self.number, offset, *last)
        return f"{self.arn}|1|{base64.urlsafe_b64encode(packed + _check(self.arn, packed)).decode()}"


def read_iterator(text: str) -> ShardIterator | None:
    """None for what is none of ours, is damaged, or was put together."""
    arn, _, rest = text.partition("|")
    version, _, encoded = rest.partition("|")
    try:
        raw = base64.b64decode(encoded.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    packed, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if version != "1" or len(packed) != _FORM.size or check != _check(arn, packed):
        return None
    issued_ms, number, offset, generation, time_ms, log_offset = _FORM.unpack(packed)
    return ShardIterator(arn, issued_ms, number, Position(offset, Sequence(generation, time_ms, log_offset)))


def _check(arn: str, packed: bytes) -> bytes:
    digest = blake2b(arn.encode(), digest_size=_CHECK_BYTES, person=b"shard-iterator")
    digest.update(packed)
    return digest.digest()
