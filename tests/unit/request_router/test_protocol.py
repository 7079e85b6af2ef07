"""Half-closed and slow connections, on raw sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from zlib import crc32

import pytest
import uvicorn
import uvloop

from dynabus.request_router import protocol, unread
from dynabus.request_router.answers import Answer
from dynabus.request_router.requests import HttpRequest
from dynabus.request_router.server import connections, no_asgi

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"


class Server:
    """A server in a thread that answers only once `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.bodies: list[bytes] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b"ok"
        self.socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            no_asgi, interface="asgi3", http=connections(self.answer), loop="asyncio", lifespan="off", log_config=None
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    async def answer(self, request: HttpRequest) -> Answer:
        self.bodies.append(request.body)
        self.headers = request.headers
        while not self.go.is_set():
            await asyncio.sleep(0.005)
        return Answer(200, self.body, b"text/plain", "label")

    def connect(self) -> socket.socket:
        return socket.create_connection(self.socket.getsockname(), timeout=10)

    def close(self) -> None:
        self.go.set()
        self.server.should_exit = True
        self.thread.join(10)
        self.socket.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.server.serve(sockets=[self.socket]))


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


def test_large_bodies_wait_for_those_before_them_and_small_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.request_router.server.bytes_most", lambda: 1_000_000)
    server = Server()
    server.go.set()
    size = 8_000_000
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    body = b"x" * size
    try:
        with server.connect() as first, server.connect() as second, server.connect() as small:
            first.sendall(head % size + body[: size // 2])
            sender = threading.Thread(target=second.sendall, args=(head % size + body,))
            sender.start()
            small.sendall(head % 2 + b"{}")
            assert everything(small).endswith(b"ok")
            assert server.bodies == [b"{}"]
            first.sendall(body[size // 2 :])
            assert everything(first).endswith(b"ok")
            assert everything(second).endswith(b"ok")
            sender.join(20)
    finally:
        server.close()
    assert [len(each) for each in server.bodies] == [2, size, size]


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
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 1.0)
    with server.connect() as connection:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n{}")
        threading.Timer(1.5, server.go.set).start()
        assert everything(connection).endswith(b"ok")


def test_an_answer_is_one_piece() -> None:
    answer = Answer(404, b"no\r\n\r\n", b"text/plain", "L", [(b"vary", b"origin")])
    assert answer.encode([(b"date", b"now")], keep_alive=True) == (
        b"HTTP/1.1 404 Not Found\r\ndate: now\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n"
        b"x-amzn-requestid: L\r\nx-amz-crc32: %d\r\nvary: origin\r\n\r\nno\r\n\r\n" % crc32(b"no\r\n\r\n")
    )


def test_an_answer_to_head_and_the_last_of_a_connection() -> None:
    answer = Answer(200, b"ok", b"text/plain", "L")
    assert answer.encode([], keep_alive=False, head_only=True).endswith(b"\r\nconnection: close\r\n\r\n")


def test_a_head_request_is_answered(server: Server) -> None:
    server.go.set()
    with server.connect() as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).endswith(b"\r\n\r\n")


def test_requests_wait_for_those_ahead_of_them(server: Server) -> None:
    request = HEAD + b"\r\n%02d"
    with server.connect() as client:
        client.sendall(b"".join(request % number for number in range(5)))
        client.shutdown(socket.SHUT_WR)
        threading.Timer(0.05, server.go.set).start()
        answers = everything(client)
    assert answers.count(b"HTTP/1.1 200 OK") == 5
    assert server.bodies == [b"%02d" % number for number in range(5)]


def test_what_is_no_http_is_said_after_the_answers_ahead_of_it(server: Server) -> None:
    with server.connect() as client:
        client.sendall(HEAD + b"\r\n{}" + b"\x16\x03\x01\r\n\r\n")
        threading.Timer(0.05, server.go.set).start()
        answers = everything(client)
    assert answers.index(b"HTTP/1.1 200 OK") < answers.index(b"HTTP/1.1 400 Bad Request")


def test_a_client_that_does_not_read_is_not_answered_on_and_on(server: Server) -> None:
    """Its requests wait until it has read, and are all answered then."""
    server.body = bytes(1 << 20)
    server.go.set()
    with server.connect() as client:
        client.sendall((HEAD + b"\r\n{}") * 40)
        previous = -1
        while len(server.bodies) != previous:
            previous = len(server.bodies)
            time.sleep(0.2)
        assert previous < 40
        client.shutdown(socket.SHUT_WR)
        assert everything(client).count(b"HTTP/1.1 200 OK") == 40


@pytest.mark.parametrize("asked", [1, 40])
def test_a_client_that_never_reads_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch, asked: int) -> None:
    """Whether or not requests of it wait: closing alone would wait for it to read."""
    monkeypatch.setattr(unread, "UNREAD_S", 0.2)
    server.body = bytes(16 << 20)
    server.go.set()
    with server.connect() as client:
        client.sendall((HEAD + b"\r\n{}") * asked)
        until(lambda: bool(server.bodies))
        until(lambda: not server.server.server_state.connections)


def test_a_client_that_waits_for_continue_gets_it_when_it_is_its_turn(server: Server) -> None:
    with server.connect() as client:
        client.sendall(HEAD + b"\r\n{}" + HEAD + b"Expect: 100-continue\r\n\r\n")
        server.go.set()
        received = b""
        while b"100 Continue\r\n\r\n" not in received:
            received += client.recv(1000)
        assert received.index(b"HTTP/1.1 200 OK") < received.index(b"100 Continue")
        client.sendall(b"[]")
        client.shutdown(socket.SHUT_WR)
        assert everything(client).count(b"HTTP/1.1 200 OK") == 1
    assert server.bodies == [b"{}", b"[]"]


def test_trailers_are_no_headers(server: Server) -> None:
    server.go.set()
    with server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX-Amz-Target: a\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert server.headers == [(b"transfer-encoding", b"chunked")]
