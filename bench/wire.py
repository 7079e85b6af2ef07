"""HTTP requests prepared once, and two ways to send them: a blocking connection and an asyncio protocol.

A client library would measure itself. Authorization is present and well formed; no system here checks signatures.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import time
from collections.abc import Callable
from typing import Any, cast

import orjson

HOST = "127.0.0.1"
HEADERS = {
    "Host": HOST,
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + 64 * "0",
    "X-Amz-Date": "20260101T000000Z",
}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


class RefusedError(Exception):
    """An answer other than 200, with its body."""


def _target(operation: str) -> str:
    return f"DynamoDB_20120810.{operation}"


def request(operation: str, body: object) -> bytes:
    """A whole HTTP request."""
    raw = orjson.dumps(body)
    headers = {**HEADERS, "X-Amz-Target": _target(operation), "Content-Length": str(len(raw))}
    lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + raw


def call(port: int, operation: str, body: object, timeout_s: float = 30.0) -> Any:
    """One request on a connection of its own, for preparing and checking. Raises RefusedError, OSError."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("POST", "/", orjson.dumps(body), {**HEADERS, "X-Amz-Target": _target(operation)})
        answer = connection.getresponse()
        content = answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise RefusedError(f"{operation}: {answer.status} {content[:300].decode(errors='replace')}")
    return orjson.loads(content)


def end_of_answer(received: bytes | bytearray) -> int | None:
    """Where the answer at the start of `received` ends; None when it is not all there yet."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = _LENGTH.search(received, 0, head + 2)
    if length is not None:
        end = head + 4 + int(length.group(1))
        return end if len(received) >= end else None
    return len(received) if received.endswith(_LAST_CHUNK) else None


class Connection:
    """One keep-alive connection that sends prepared requests, one at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, prepared: bytes) -> float:
        """How long the answer took, in seconds. Raises RefusedError, ConnectionError."""
        started = time.perf_counter()
        self.answer(prepared)
        return time.perf_counter() - started

    def answer(self, prepared: bytes) -> Any:
        """The same: what was answered."""
        self._socket.sendall(prepared)
        answer = self._socket.recv(65536)
        while end_of_answer(answer) is None:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("closed in the middle of an answer")
            answer += more
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RefusedError(answer.decode(errors="replace"))
        return orjson.loads(answer.partition(b"\r\n\r\n")[2])


class Exchange(asyncio.Protocol):
    """One connection of an asyncio loop, one request under way at most.

    `on_answer(status, answer)` is called with the whole answer, head included, and `on_close()` once when the
    connection is gone. Callbacks, not futures: the load generator shares two cores with what it measures.
    """

    __slots__ = ("_buffer", "_on_answer", "_on_close", "_transport")

    def __init__(self, on_answer: Callable[[int, bytes], None], on_close: Callable[[], None]) -> None:
        self._on_answer, self._on_close = on_answer, on_close
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def send(self, prepared: bytes) -> None:
        assert self._transport is not None
        self._buffer = b""
        self._transport.write(prepared)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, received: bytes) -> None:
        self._buffer = self._buffer + received if self._buffer else received
        if end_of_answer(self._buffer) is not None:
            answer, self._buffer = self._buffer, b""
            self._on_answer(int(answer[9:12]), answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._on_close()
