"""Bad HTTP on raw sockets: DynamoDB's error, nothing passed on, the server goes on."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
import uvicorn

from dynabus.core.errors import validation_error
from dynabus.core.operations.items import Refused
from dynabus.request_router import bodies
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.http import Application
from dynabus.request_router.service import Router

AUTHORIZED = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\nContent-Type: application/x-amz-json-1.0\r\n"
)


class Recorder(Router):
    """A router without a bus: answers what the test wants and remembers what reached it."""

    def __init__(self) -> None:
        super().__init__(RouterSettings(name="router-1"))
        self.reached: list[tuple[str, Any]] = []
        self.outcome: bytes | Exception = b'{"ok":true}'

    async def run(self, operation: str, body: Any, counter: int) -> bytes:
        self.reached.append((operation, body))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Served:
    """A uvicorn in a thread."""

    def __init__(self) -> None:
        self.router = Recorder()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(
            Application(self.router), http="httptools", loop="asyncio", lifespan="off", log_config=None
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.socket]))

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.socket.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.connect() as connection:
            connection.sendall(raw)
            return read_answer(connection)

    def post(self, body: bytes, target: bytes = b"GetItem", extra: bytes = AUTHORIZED) -> tuple[int, Any]:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.%s\r\nContent-Length: %d\r\n%s\r\n"
        status, headers, answer = self.ask(head % (target, len(body), extra) + body)
        assert int(headers["x-amz-crc32"]) == crc32(answer)
        assert len(headers["x-amzn-requestid"]) == 52
        return status, json.loads(answer)


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    raw = b""
    while b"\r\n\r\n" not in raw:
        chunk = connection.recv(65536)
        assert chunk, "closed before an answer"
        raw += chunk
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return int(first.split(" ")[1]), headers, body


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.close()


def test_a_good_request_reaches_its_operation(served: Served) -> None:
    assert served.post(b'{"TableName":"t"}') == (200, {"ok": True})
    assert served.router.reached == [("GetItem", {"TableName": "t"})]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a":"\xc3"}', b"[" * 5000, b'{"a":NaN}', b"{'a':1}"])
def test_what_is_no_json_is_a_serialization_error(served: Served, body: bytes) -> None:
    status, answer = served.post(body)
    assert status == 400
    assert answer["__type"] == "com.amazon.coral.service#SerializationException"
    assert served.router.reached == []


@pytest.mark.parametrize("target", [b"NoSuchThing", b"", b"getitem", b"GetItem "[:-1] + b"X"])
def test_an_unknown_target_is_an_unknown_operation(served: Served, target: bytes) -> None:
    status, answer = served.post(b"{}", target)
    assert (status, answer["__type"]) == (400, "com.amazon.coral.service#UnknownOperationException")


def test_a_missing_signature_is_refused(served: Served) -> None:
    status, answer = served.post(b"{}", extra=b"Content-Type: application/x-amz-json-1.0\r\n")
    assert status == 400
    assert answer["__type"] == "com.amazon.coral.service#MissingAuthenticationTokenException"
    assert answer["message"] == "Request is missing Authentication Token"


def test_a_body_beyond_16_mb_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_BYTES_MOST", 1000)
    status, answer = served.post(b'{"a":"' + b"x" * 300_000 + b'"}')
    assert status == 413
    assert "RequestEntityTooLarge" in answer["__type"]
    assert served.router.reached == []


def test_a_client_that_sends_its_body_in_drips_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.2)
    with served.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        status, _, _ = read_answer(connection)
    assert status == 408
    assert served.post(b"{}")[0] == 200


def test_a_client_that_goes_away_in_the_middle_harms_nobody(served: Served) -> None:
    connection = served.connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    connection.close()
    assert served.post(b"{}")[0] == 200
    assert len(served.router.reached) == 1


def test_a_half_closed_connection_is_answered(served: Served) -> None:
    with served.connect() as connection:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n" + AUTHORIZED
        connection.sendall(head + b"Content-Length: 2\r\n\r\n{}")
        assert read_answer(connection)[0] == 200
        connection.shutdown(socket.SHUT_WR)


def test_rubbish_is_no_http(served: Served) -> None:
    status, _, _ = served.ask(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert status == 400
    assert served.post(b"{}")[0] == 200


def test_chunked_bodies_and_keep_alive(served: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n" + AUTHORIZED
    with served.connect() as connection:
        for _ in range(3):
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
            assert read_answer(connection)[0] == 200


def test_api_errors_and_refusals_of_nodes_are_answers(served: Served) -> None:
    served.router.outcome = validation_error("no")
    assert served.post(b"{}") == (400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "no"})
    served.router.outcome = Refused(b'{"__type":"x#Y"}')
    assert served.post(b"{}") == (400, {"__type": "x#Y"})


def test_a_defect_is_a_500_of_dynamodbs_kind_and_the_server_goes_on(served: Served) -> None:
    served.router.outcome = RuntimeError("defect")
    status, answer = served.post(b"{}")
    assert (status, answer["__type"]) == (500, "com.amazonaws.dynamodb.v20120810#InternalServerError")
    served.router.outcome = b"{}"
    assert served.post(b"{}")[0] == 200


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        (b"/", 200, b"healthy: dynamodb.us-east-1.amazonaws.com"),
        (b"/healthz", 200, b"ok"),
        (b"/readyz", 503, b"reading metadata"),
        (b"/status", 200, b'"tables"'),
        (b"/metrics", 200, b"python_info"),
        (b"/nothing", 404, b"no such page"),
    ],
)
def test_pages(served: Served, path: bytes, status: int, text: bytes) -> None:
    found, _, body = served.ask(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
    assert found == status
    assert text in body
