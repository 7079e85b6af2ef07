"""HTTP by hand: bytes on a socket, so that a test can send what no client library would."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from zlib import crc32

TIMEOUT_S = 60.0
"""Nobody waits for it: it ends a test whose answer never comes. The router's own patience is 20 s."""

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-target, Signature=0",
    "X-Amz-Date": "20260101T000000Z",
}
"""Whole, which is all that is asked of it where no access keys are."""

CORAL = "com.amazon.coral.service#"


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body of an answer of the API, which has these headers whatever it says."""
        assert self.headers["content-type"] == "application/x-amz-json-1.0"
        assert int(self.headers["x-amz-crc32"]) == crc32(self.body)
        assert len(self.headers["x-amzn-requestid"]) == 52
        found: dict[str, Any] = json.loads(self.body)
        return found

    def error(self, status: int = 400) -> tuple[str, str]:
        """(name without its prefix, message) of a refusal; coral writes `Message`, DynamoDB `message`."""
        found = self.json
        assert self.status == status, found
        assert set(found) <= {"__type", "message", "Message"}
        return found["__type"].partition("#")[2], found.get("message", found.get("Message", ""))


class Connection:
    """One connection, kept open until the test or the server closes it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream: BinaryIO = self.socket.makefile("rb")

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def line(self) -> bytes:
        return self._stream.readline()

    def receive(self, *, head_only: bool = False) -> Answer:
        """The next answer; for a HEAD request its head is all."""
        first = self.line().decode()
        assert first.startswith("HTTP/1.1 "), f"no answer: {first!r}"
        headers = {}
        while (line := self.line().decode().rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if head_only else int(headers.get("content-length", "0"))
        return Answer(int(first.split()[1]), headers, self._stream.read(length))

    def is_at_end(self) -> bool:
        """Whether the server has closed its side and said nothing more."""
        return self._stream.read(1) == b""

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@contextmanager
def connected(port: int) -> Iterator[Connection]:
    connection = Connection(port)
    try:
        yield connection
    finally:
        connection.close()


def head(operation: str | None, length: int | None, headers: dict[str, str] | None = None, path: str = "/") -> bytes:
    """The head of a POST, signed unless `headers` are given; `length` None: no Content-Length."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/x-amz-json-1.0"]
    if operation is not None:
        lines.append(f"X-Amz-Target: DynamoDB_20120810.{operation}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    lines += [f"{name}: {value}" for name, value in (SIGNED if headers is None else headers).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def post(operation: str | None, body: bytes | Any, headers: dict[str, str] | None = None, path: str = "/") -> bytes:
    """A whole request; what is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(operation, len(raw), headers, path) + raw


def ask(port: int, raw: bytes) -> Answer:
    """One request on a connection of its own."""
    with connected(port) as connection:
        connection.send(raw)
        return connection.receive()
