"""Answers on the wire: their heads, and the CORS headers without which browsers keep them from scripts.

Every answer carries x-amzn-RequestId and the CRC-32 of exactly the bytes that follow, compressed ones too: SDKs
check it before they look inside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from zlib import crc32

from dynabus.core.errors import ApiError

AMZ_JSON = b"application/x-amz-json-1.0"
JSON = b"application/json"
CBOR = b"application/cbor"

NO_SUCH_THING = b"<UnknownOperationException/>\n"
NO_SUCH_TYPE = b"text/xml"
"""Observed: what DynamoDB says with HTTP 404 to all that is no request of its API."""

ANY_ORIGIN = "*"
EXPOSED = b"x-amzn-requestid, x-amz-crc32"
"""Headers of an answer that a script may read; of the others a browser shows it a few harmless ones."""

PREFLIGHT_S = b"172800"
"""How long a browser need not ask again: two days, as DynamoDB says."""

Headers = list[tuple[bytes, bytes]]
Named = Mapping[bytes, bytes]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def respond(send: Send, status: int, body: bytes, kind: bytes, label: str, more: Headers | None = None) -> None:
    """One whole answer. `label` is the request's id, `more` are headers besides the usual ones."""
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", label.encode()),
        (b"x-amz-crc32", b"%d" % crc32(body)),
    ]
    if more:
        headers += more
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Cors:
    """Which web pages may call this router from a browser: all (DynamoDB's own answer), some, or none."""

    def __init__(self, origins: str) -> None:
        """`*`, or origins with commas between them; empty: none."""
        named = {origin.strip().rstrip("/") for origin in origins.split(",")} - {""}
        self._any = ANY_ORIGIN in named
        self._origins = {origin.encode() for origin in named}

    def headers(self, named: Named) -> Headers:
        """For the answer to a request that came with an Origin; no headers, or none of another's, for others."""
        origin = named.get(b"origin")
        if origin is None:
            return []
        if self._any:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED)]
        if origin in self._origins:
            return [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", EXPOSED),
                (b"vary", b"origin"),
            ]
        return []

    def preflight(self, named: Named) -> Headers:
        """For the question that a browser asks first; empty where the page may not. All that it asks is allowed."""
        headers = self.headers(named)
        if headers:
            for asked, allowed in (
                (b"access-control-request-headers", b"access-control-allow-headers"),
                (b"access-control-request-method", b"access-control-allow-methods"),
            ):
                if value := named.get(asked):
                    headers.append((allowed, value))
            headers.append((b"access-control-max-age", PREFLIGHT_S))
        return headers


def cbor_error(error: ApiError) -> bytes:
    """An error as a map of two texts in CBOR (RFC 8949), which is all of it that is spoken here."""
    return b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", error.type, "message", error.message))


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    head = bytes([0x60 + len(raw)]) if len(raw) < 24 else b"\x79" + len(raw).to_bytes(2, "big")
    return head + raw
