"""Bad HTTP on raw sockets: DynamoDB's error, nothing passed on, the server goes on."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from tests.unit.request_router.served import AUTHORIZED, TYPE, Served, read_answer, serving

from dynabus.core.errors import validation_error
from dynabus.core.operations.items import Refused
from dynabus.request_router import protocol, requests, server

H2C = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
"""What Java's own HTTP client sends with its first request over plain HTTP."""


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


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
    status, answer = served.post(b"{}", extra=TYPE)
    assert status == 400
    assert answer["__type"] == "com.amazon.coral.service#MissingAuthenticationTokenException"
    assert answer["message"] == "Request is missing Authentication Token"


def test_a_body_beyond_16_mb_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_BYTES_MOST", 1000)
    status, answer = served.post(b'{"a":"' + b"x" * 300_000 + b'"}')
    assert status == 413
    assert "RequestEntityTooLarge" in answer["__type"]
    assert served.router.reached == []


def test_a_client_that_sends_its_body_in_drips_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_TIMEOUT_S", 0.2)
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


def test_a_head_without_end_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_BYTES_MOST", 10_000)
    for rubbish in (b"X-A: " + b"x" * 12_000, b"X-A: x\r\n" * 1500):
        with served.connect() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
            while not any(vars(each)["_head_is_new"] for each in served.server.server_state.connections):
                time.sleep(0.001)
            connection.sendall(rubbish)
            assert read_answer(connection)[0] == 431
            assert connection.recv(1000) == b""
    assert served.post(b"{}")[0] == 200


@pytest.mark.parametrize("extra", [b"", H2C])
def test_many_requests_at_once_are_no_head_without_end(
    served: Served, extra: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the pieces end in which they come."""
    monkeypatch.setattr(protocol, "HEAD_BYTES_MOST", 1000)
    pipelined = (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\n") * 4000
    with served.connect() as connection:
        connection.sendall(pipelined)
        received = b""
        while received.count(b'{"status":"ok"}') < 4000:
            chunk = connection.recv(1 << 20)
            assert chunk, received[-300:]
            received += chunk


def test_an_idle_connection_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.1)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Length: 2\r\n"
    with serving() as served, served.connect() as connection:
        connection.sendall(head + AUTHORIZED + b"\r\n{}")
        assert read_answer(connection)[0] == 200
        assert connection.recv(1000) == b""


def test_a_connection_ends_where_the_client_wants_it(served: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Length: 2\r\n"
    for first, extra in ((head, b"Connection: close\r\n"), (head.replace(b"1.1", b"1.0"), b"")):
        with served.connect() as connection:
            connection.sendall(first + extra + AUTHORIZED + b"\r\n{}")
            status, headers, _ = read_answer(connection)
            assert (status, headers["connection"]) == (200, "close")
            assert connection.recv(1000) == b""


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


@pytest.mark.parametrize("size", [0, 10, 300_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_another_protocol_is_declined(served: Served, size: int, chunked: bool) -> None:
    """The request is answered in HTTP/1.1 and the connection goes on; alone, pipelined, and byte by byte."""
    body = b'{"a":"%s"}' % (b"x" * size)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n" + AUTHORIZED
    if chunked:
        framed = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        framed = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    upgrade, plain = head + H2C + framed, head + framed
    with served.connect() as connection:
        for request in (upgrade, plain, upgrade):
            connection.sendall(request)
            assert read_answer(connection)[0] == 200
        connection.sendall(upgrade[:400])
        connection.sendall(upgrade[400:] + plain + upgrade + b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + H2C + b"\r\n")
        raw = b""
        while raw.count(b"HTTP/1.1 200 OK") < 4:
            raw += connection.recv(65536)
    if size < 1000:
        with served.connect() as connection:
            for byte in upgrade:
                connection.sendall(bytes([byte]))
            assert read_answer(connection)[0] == 200
    assert {json.dumps(found) for _, found in served.router.reached} == {json.dumps(json.loads(body))}


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
        (b"/subjects", 200, b"[]"),
        (b"/schemas/ids/91", 200, b"StreamRecord"),
        (b"/schemas/ids/1", 404, b"40403"),
        (b"/nothing", 404, b"no such page"),
    ],
)
def test_pages(served: Served, path: bytes, status: int, text: bytes) -> None:
    found, _, body = served.ask(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
    assert found == status
    assert text in body
