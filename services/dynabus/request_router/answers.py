"""Answers on the wire: their heads, and the CORS headers without which browsers keep them from scripts.

Every answer carries x-amzn-RequestId and the CRC-32 of exactly the bytes that follow, compressed ones too: SDKs
check it before they look inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple
from zlib import crc32

from dynabus.core.errors import ApiError
from dynabus.request_router.requests import Named

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

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Answer(NamedTuple):
    """One whole answer. `kind` is its content type, `label` the request's id, `more` are headers besides."""

    status: int
    body: bytes
    kind: bytes
    label: str
    more: Headers | None = None

    def encode(self, common: Iterable[tuple[bytes, bytes]], *, keep_alive: bool, head_only: bool = False) -> bytes:
        """As it is sent, in one piece. `common` are the server's own headers, `head_only` is the answer to HEAD."""
        head = (
            b"%s%scontent-type: %s\r\ncontent-length: %d\r\nx-amzn-requestid: %s\r\nx-amz-crc32: %d\r\n%s%s\r\n"
            % (
                STATUS_LINES[self.status],
                _lines(common),
                self.kind,
                len(self.body),
                self.label.encode(),
                crc32(self.body),
                _lines(self.more) if self.more else b"",
                b"" if keep_alive else b"connection: close\r\n",
            )
        )
        return head if head_only else head + self.body


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%s: %s\r\n" % header for header in headers])


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
