"""Both load generators: what wrk prints is read right, and ours counts what a server does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.asyncio_generator import Load
from bench.figures import Measured
from bench.generator import GeneratorError, parse_wrk
from bench.responder import ANSWER
from bench.wire import HOST, end_of_answer, request
from bench.workload import KEYS, LISTS, OPERATIONS, prepared, read_prepared, write_prepared

WRK_PRINTS = """Running 4s test @ http://127.0.0.1:8000/
  1 threads and 32 connections
  40400 requests in 4.04s, 40.11MB read
Requests/sec:  10000.00
figures requests=40400 duration_us=4040000 p50_us=3127 p99_us=9250 connect=0 read=1 write=0 status=400 timeout=2
"""


def test_wrk_figures_are_read_and_refusals_are_no_successes() -> None:
    expected = Measured(40_000 / 4.04, 3.127, 9.25, errors=403, count=40_000)
    assert parse_wrk(WRK_PRINTS) == expected


def test_wrk_that_prints_no_figures_is_an_error() -> None:
    with pytest.raises(GeneratorError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:8000 Connection refused\n")


@pytest.mark.parametrize(
    ("received", "end"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 40),
        (b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 59),
    ],
)
def test_the_end_of_an_answer(received: bytes, end: int | None) -> None:
    assert end_of_answer(received) == end


@pytest.mark.parametrize("operation", OPERATIONS)
def test_prepared_requests_survive_the_file(operation: str, tmp_path: Path) -> None:
    requests = list(prepared(operation))
    assert len(requests) == (LISTS if operation == "query" else KEYS)
    assert read_prepared(write_prepared(operation, tmp_path)) == requests
    assert end_of_answer(requests[0]) == len(requests[0])


class _Server(asyncio.Protocol):
    """Answers everything alike; `closes`: as HTTP/1.0 does, with a connection for each request."""

    def __init__(self, answer: bytes, closes: bool) -> None:
        self._answer, self._closes = answer, closes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, received: bytes) -> None:
        self._transport.write(self._answer)
        if self._closes:
            self._transport.close()


async def _under_load(server: Callable[[], _Server]) -> Measured:
    listening = await asyncio.get_running_loop().create_server(server, HOST, 0)
    try:
        port = listening.sockets[0].getsockname()[1]
        return await Load(port, [request("ListTables", {})]).run(4, 0.1)
    finally:
        listening.close()


def test_successes_are_counted_and_timed() -> None:
    found = asyncio.run(_under_load(lambda: _Server(ANSWER, closes=False)))
    assert found.errors == 0
    assert found.count > 20
    assert 0 < found.p50_ms <= found.p99_ms < 100


def test_a_server_that_closes_after_each_answer_is_connected_to_again() -> None:
    answer = ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0")
    found = asyncio.run(_under_load(lambda: _Server(answer, closes=True)))
    assert found.errors == 0
    assert found.count > 4


def test_refusals_are_errors() -> None:
    refusal = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    found = asyncio.run(_under_load(lambda: _Server(refusal, closes=False)))
    assert found.count == 0
    assert found.errors > 20
