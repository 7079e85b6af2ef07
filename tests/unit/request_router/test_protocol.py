"""Half-closed and slow connections, on raw sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
import uvicorn

from dynabus.request_router import protocol
from dynabus.request_router.protocol import Protocol, WholeAnswers

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"


class Server:
    """A uvicorn in a thread whose application answers only once `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.bodies: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            self.answer, interface="asgi3", http=Protocol, loop="asyncio", lifespan="off", log_config=None
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    async def answer(self, _scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        while not self.go.is_set():
            await asyncio.sleep(0.005)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def connect(self) -> socket.socket:
        return socket.create_connection(self.socket.getsockname(), timeout=10)

    def close(self) -> None:
        self.go.set()
        self.server.should_exit = True
        self.thread.join(10)
        self.socket.close()

    def _run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.socket]))


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_a_whole_request_is_answered_though_the_client_sends_no_more(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        threading.Timer(0.05, server.go.set).start()
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok")


def test_half_a_request_and_no_more_ends_the_connection(server: Server) -> None:
    server.go.set()
    with server.connect() as connection:
        connection.sendall(HEAD + b"\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b""


@pytest.mark.parametrize("sent", [b"", b"POST / HT", HEAD], ids=["nothing", "half a line", "half a head"])
def test_a_head_that_does_not_come_ends_the_connection(
    server: Server, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.1)
    with server.connect() as connection:
        connection.sendall(sent)
        assert everything(connection) == b""
    assert server.bodies == []


def test_the_limit_is_for_heads_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.1)
    with server.connect() as connection:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n{}")
        threading.Timer(0.3, server.go.set).start()
        assert everything(connection).endswith(b"ok")


class Wire:
    """A transport that remembers its writes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True


def whole_answers() -> tuple[Wire, WholeAnswers]:
    wire = Wire()
    return wire, WholeAnswers(cast("asyncio.Transport", wire))


def test_an_answer_leaves_in_one_write() -> None:
    wire, answers = whole_answers()
    for body in (b"{}", b"ends like a head\r\n\r\n"):
        answers.write(b"HTTP/1.1 200 OK\r\na: b\r\n\r\n")
        answers.write(body)
    assert wire.writes == [
        b"HTTP/1.1 200 OK\r\na: b\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\na: b\r\n\r\nends like a head\r\n\r\n",
    ]


def test_a_head_without_body_leaves_when_the_answer_is_complete() -> None:
    wire, answers = whole_answers()
    answers.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert wire.writes == []
    answers.release()
    answers.release()
    assert wire.writes == [b"HTTP/1.1 200 OK\r\n\r\n"]


def test_a_connection_that_closes_sends_what_it_has_first() -> None:
    wire, answers = whole_answers()
    answers.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    answers.close()
    assert wire.writes == [b"HTTP/1.1 500 Internal Server Error\r\n\r\n"]
    assert wire.closed


def test_the_client_that_waits_for_continue_gets_it_at_once() -> None:
    wire, answers = whole_answers()
    answers.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert wire.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_request_is_answered(server: Server) -> None:
    server.go.set()
    with server.connect() as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).endswith(b"\r\n\r\n")
