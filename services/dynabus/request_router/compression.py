"""gzip both ways: bodies that clients compressed, and answers for clients that say they can read them.

DynamoDB compresses answers of 4 KB and more, with gzip or deflate, and takes request bodies with gzip alone.
Source: ScyllaDB's tests, which run against DynamoDB (test_compressed_response.py, test_compressed_request.py);
every rule of `chosen` is one of their cases.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence

from dynabus.core.errors import ApiError, serialization_error
from dynabus.request_router.requests import BODY_BYTES_MOST, too_large

COMPRESSED_BYTES_LEAST = 4096

THREAD_BYTES_LEAST = 64 * 1024
"""A larger answer is compressed beside the event loop: 1 MB takes ten milliseconds."""

LEVEL = 1
"""A third of the usual level's time for a tenth more bytes: the network is nearer than DynamoDB's."""

GZIP, DEFLATE = 31, 15
"""zlib's window bits, which also say what stands around the data."""

WINDOW_BITS = {"gzip": GZIP, "deflate": DEFLATE}

MEMBERS_MOST = 16
"""A gzip body may be several, one after the other; nobody sends more than one, and each costs a copy of the rest."""


async def inflated(raw: bytes, coding: bytes) -> bytes:
    """The body that was compressed, at most as large as one that is not. Raises ApiError."""
    name = coding.strip().lower()
    if name in (b"", b"identity"):
        return raw
    if name != b"gzip":
        raise _unreadable(f"Content-Encoding {name.decode('latin-1')} is not supported, only gzip is")
    return await asyncio.to_thread(_inflate, raw)


def _inflate(raw: bytes) -> bytes:
    chunks: list[bytes] = []
    left, room = raw, BODY_BYTES_MOST + 1
    for _ in range(MEMBERS_MOST):
        member = zlib.decompressobj(GZIP)
        try:
            chunk = member.decompress(left, room)
        except zlib.error as error:
            raise _unreadable("the body is no gzip") from error
        chunks.append(chunk)
        room -= len(chunk)
        if room <= 0:
            raise too_large()
        if not member.eof:
            break
        left = member.unused_data
        if not left:
            return b"".join(chunks)
    raise _unreadable("the body is no whole gzip")


def _unreadable(why: str) -> ApiError:
    """Ours. DynamoDB itself says HTTP 500 (the same tests), which makes SDKs send the same bytes again and again."""
    return serialization_error(f"Request body cannot be read: {why}")


def chosen(accept: bytes) -> str | None:
    """The coding for an answer, `gzip` or `deflate`, by the client's Accept-Encoding; None: as it is.

    The highest quality wins, of equal ones the first that is named, then gzip. `*` is each that is not named. What
    is no number counts as 1, what is out of range as the nearest in it; "identity" is never preferred.
    """
    qualities: dict[str, float] = {}
    for entry in accept.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        if name in WINDOW_BITS or name == "*":
            qualities[name] = max(qualities.get(name, 0.0), _quality(parameters))
    others = qualities.pop("*", 0.0)
    for name in WINDOW_BITS:
        qualities.setdefault(name, others)
    best = max(qualities, key=lambda name: qualities[name])
    return best if qualities[best] > 0 else None


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 1.0
    return 1.0


async def compressed(body: bytes, coding: str) -> bytes:
    """The body in that coding."""
    if len(body) < THREAD_BYTES_LEAST:
        return _compress(body, WINDOW_BITS[coding])
    return await asyncio.to_thread(_compress, body, WINDOW_BITS[coding])


def _compress(body: bytes, window_bits: int) -> bytes:
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, window_bits)
    return stream.compress(body) + stream.flush()
