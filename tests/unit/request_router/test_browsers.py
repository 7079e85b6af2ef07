"""CORS. Sources: dynalite's recorded answers (test/connection.js) and ScyllaDB's test_cors.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.request_router.served import AUTHORIZED, Answer, Served, serving

PAGE = "http://localhost:3000"
CORS = ("access-control-", "vary")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer[1].items() if name.startswith(CORS)}


def preflight(served: Served, *lines: str) -> Answer:
    return served.ask("\r\n".join(["OPTIONS / HTTP/1.1", "Host: x", *lines, "", ""]).encode())


ALLOWED = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-amzn-requestid, x-amz-crc32",
}


def test_without_an_origin_nothing_is_said(served: Served) -> None:
    assert cors(served.send(b"{}")) == {}
    assert cors(served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == {}
    status, _, body = preflight(served)
    assert (status, body) == (404, b"<UnknownOperationException/>\n")


@pytest.mark.parametrize("body", [b"{}", b"{", b""])
def test_answers_and_refusals_can_be_read(served: Served, body: bytes) -> None:
    assert cors(served.send(body, extra=AUTHORIZED + b"Origin: http://localhost:3000\r\n")) == ALLOWED
    assert cors(served.send(body, extra=b"Origin: null\r\n")) == ALLOWED
    assert cors(served.ask(b"GET / HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:3000\r\n\r\n")) == ALLOWED
    assert cors(served.ask(b"PUT / HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:3000\r\n\r\n")) == ALLOWED


def test_the_question_before_the_request(served: Served) -> None:
    headers = "authorization,content-type,x-amz-date,x-amz-target,amz-sdk-invocation-id"
    answer = preflight(
        served,
        f"Origin: {PAGE}",
        "Access-Control-Request-Method: POST",
        f"Access-Control-Request-Headers: {headers}",
    )
    assert answer[0] == 200
    assert answer[1]["content-length"] == "0"
    assert len(answer[1]["x-amzn-requestid"]) == 52
    assert cors(answer) == {
        **ALLOWED,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": headers,
        "access-control-max-age": "172800",
    }


def test_a_question_that_asks_for_nothing(served: Served) -> None:
    assert cors(preflight(served, "Origin: whatever")) == {**ALLOWED, "access-control-max-age": "172800"}


@pytest.mark.parametrize("origins", ["http://localhost:3000", "http://127.0.0.1:1, http://localhost:3000/ ,"])
def test_some_pages_only(origins: str) -> None:
    with serving(cors_origins=origins) as served:
        mine = preflight(served, f"Origin: {PAGE}", "Access-Control-Request-Method: POST")
        assert mine[0] == 200
        assert mine[1]["access-control-allow-origin"] == PAGE
        assert mine[1]["vary"] == "origin"
        other = preflight(served, "Origin: http://localhost:30000", "Access-Control-Request-Method: POST")
        assert (other[0], cors(other)) == (404, {})
        assert cors(served.send(b"{}", extra=AUTHORIZED + b"Origin: http://localhost:4000\r\n")) == {}


@pytest.mark.parametrize("origins", ["", "none"])
def test_no_pages(origins: str) -> None:
    with serving(cors_origins=origins) as served:
        assert preflight(served, f"Origin: {PAGE}")[0] == 404
        assert cors(served.send(b"{}", extra=AUTHORIZED + b"Origin: http://localhost:3000\r\n")) == {}
