"""A router without a bus behind the real HTTP server, in a thread."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import uvloop

from dynabus.core.places import Places
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.http import Application
from dynabus.request_router.server import Door, build_server
from dynabus.request_router.service import Router

TYPE = b"Content-Type: application/x-amz-json-1.0\r\n"
AUTHORIZED = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\n" + TYPE
)

Answer = tuple[int, dict[str, str], bytes]
"""(status, headers by names in lower case, body)."""


class Recorder(Router):
    """Answers what the test wants and remembers what reached it."""

    def __init__(self, settings: RouterSettings) -> None:
        super().__init__(settings)
        self.reached: list[tuple[str, Any]] = []
        self.outcome: bytes | Exception = b'{"ok":true}'
        self.saw = ""
        """Of what it answers, as places."""
        self.asked: list[str] = []
        """With which places."""

    async def run(self, operation: str, body: Any, counter: int, places: Places | None = None) -> bytes:
        self.reached.append((operation, body))
        if places is not None:
            self.asked.append(str(places))
            places.add(self.saw)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Served:
    """One router; `client_tls` is given where it serves HTTPS."""

    def __init__(self, client_tls: ssl.SSLContext | None = None, **settings: Any) -> None:
        self.settings = RouterSettings(name="router-1", **settings)
        self.router = Recorder(self.settings)
        self.door = Door(self.settings)
        self.client_tls = client_tls
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.server = build_server(self.settings, Application(self.router, self.door.access), self.door)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.server.serve(sockets=[self.socket]))

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.socket.close()

    def connect(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        if self.client_tls is None:
            return plain
        return self.client_tls.wrap_socket(plain, server_hostname="localhost")

    def ask(self, raw: bytes) -> Answer:
        with self.connect() as connection:
            connection.sendall(raw)
            return read_answer(connection, head_only=raw.startswith(b"HEAD"))

    def send(self, body: bytes, target: bytes = b"GetItem", extra: bytes = AUTHORIZED) -> Answer:
        """A POST; `extra` are whole header lines."""
        head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.%s\r\nContent-Length: %d\r\n%s\r\n"
        status, headers, answer = self.ask(head % (target, len(body), extra) + body)
        assert int(headers["x-amz-crc32"]) == crc32(answer)
        assert len(headers["x-amzn-requestid"]) == 52
        return status, headers, answer

    def post(self, body: bytes, target: bytes = b"GetItem", extra: bytes = AUTHORIZED) -> tuple[int, Any]:
        """(status, JSON of the answer)."""
        status, _, answer = self.send(body, target, extra)
        return status, json.loads(answer)


def read_answer(connection: socket.socket, *, head_only: bool = False) -> Answer:
    raw = b""
    while b"\r\n\r\n" not in raw:
        chunk = connection.recv(65536)
        assert chunk, "closed before an answer"
        raw += chunk
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while not head_only and len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return int(first.split(" ")[1]), headers, body


@contextmanager
def serving(client_tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[Served]:
    served = Served(client_tls, **settings)
    try:
        yield served
    finally:
        served.close()
