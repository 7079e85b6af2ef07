"""Health, metrics, status; logs; clocks; ports."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter

from dynabus.adapters import clock, ports
from dynabus.adapters.logs import bind_request, configure_logs, kafka_logger, logger
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.ports import FIRST_PORT, LAST_PORT, choose_neighbours, choose_ports, is_free
from dynabus.cli.probe import get


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    """What is logged, with the process's own logging put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.BytesIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def logged(lines: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


@pytest.fixture
def counted() -> Iterator[tuple[OpsServer, dict[str, Any]]]:
    registry = CollectorRegistry()
    Counter("requests", "Requests.", registry=registry).inc(3)
    said: dict[str, Any] = {"health": None, "readiness": "no leader", "status": {"tables": []}}
    checks = Checks(lambda: said["health"], lambda: said["readiness"], lambda: said["status"], registry)
    server = OpsServer("127.0.0.1", 0, checks)
    yield server, said
    server.close()


def page(server: OpsServer, path: str) -> tuple[int, bytes]:
    answer = get("127.0.0.1", server.port, path)
    assert answer is not None
    return answer


def test_pages(counted: tuple[OpsServer, dict[str, Any]]) -> None:
    server, said = counted
    assert page(server, "/healthz") == (200, b'{"status":"ok"}')
    assert page(server, "/readyz") == (503, b'{"status":"unavailable","reason":"no leader"}')
    said["readiness"] = None
    assert page(server, "/readyz?verbose")[0] == 200
    assert b"requests_total 3.0" in page(server, "/metrics")[1]
    assert page(server, "/status") == (200, b'{"tables":[]}')
    assert page(server, "/secrets")[0] == 404


def test_a_client_that_goes_away_is_no_event(counted: tuple[OpsServer, dict[str, Any]], lines: io.BytesIO) -> None:
    configure_logs("node-1", out=lines)
    server, _ = counted
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
    assert page(server, "/healthz")[0] == 200
    assert lines.getvalue() == b""


def test_a_fault_in_a_page_is_logged_and_the_next_page_is_served(
    counted: tuple[OpsServer, dict[str, Any]], lines: io.BytesIO
) -> None:
    configure_logs("node-1", out=lines)
    server, said = counted
    said["status"] = {1: object()}
    assert get("127.0.0.1", server.port, "/status") is None
    assert page(server, "/healthz")[0] == 200
    assert logged(lines)[0]["event"] == "ops request failed"


def test_a_port_that_is_taken_is_an_error(counted: tuple[OpsServer, dict[str, Any]]) -> None:
    with pytest.raises(OSError, match="in use"):
        OpsServer("127.0.0.1", counted[0].port, Checks())


def test_a_line_is_an_object_that_begins_with_what_people_look_for(lines: io.BytesIO) -> None:
    configure_logs("node-1", out=lines)
    with bind_request("req-1"):
        logger().info("leading", term=7, value=b"\x00")
    logger().debug("not at this level")
    logger().warning("after")
    first, second = logged(lines)
    assert list(first)[:4] == ["time", "level", "service", "event"]
    assert first | {"time": ""} == {
        "time": "",
        "level": "info",
        "service": "node-1",
        "event": "leading",
        "term": 7,
        "value": "b'\\x00'",
        "request_id": "req-1",
    }
    assert "request_id" not in second


def test_libraries_log_in_the_same_form(lines: io.BytesIO) -> None:
    configure_logs("node-1", "error", lines)
    kafka_logger().error("%s is down", "broker 1")
    kafka_logger().warning("below the level")
    (line,) = logged(lines)
    assert (line["event"], line["level"], line["logger"]) == ("broker 1 is down", "error", "librdkafka")


def test_incarnations_grow_and_fit_in_63_bits() -> None:
    first = clock.new_incarnation()
    assert (first >> 20) + 1 <= (clock.new_incarnation() >> 20) + 1
    assert 0 < first < 2**63
    assert len({clock.new_incarnation() for _ in range(100)}) > 90


def test_clocks_agree_on_their_units() -> None:
    before_ms, now_ns, after_ms = clock.monotonic_ms(), clock.monotonic_ns(), clock.monotonic_ms()
    assert before_ms <= now_ns // 1_000_000 <= after_ms
    assert clock.unix_ms() > 1_700_000_000_000


def test_chosen_ports_are_free_and_outside_the_range_of_outgoing_connections() -> None:
    chosen = choose_ports(5)
    assert len(set(chosen)) == 5
    assert all(FIRST_PORT <= port <= LAST_PORT and is_free(port) for port in chosen)
    with socket.socket() as other:
        other.bind(("127.0.0.1", chosen[0]))
        other.listen()
        assert not is_free(chosen[0])
    assert not set(choose_ports(3, taken=chosen)) & set(chosen)


def test_neighbours_are_all_free() -> None:
    first = choose_neighbours(4)
    assert first >= FIRST_PORT
    assert first + 3 <= LAST_PORT
    assert all(is_free(port) for port in range(first, first + 4))


def test_where_no_ports_in_a_row_are_free_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: port % 2 == 0)
    choose_neighbours(1)
    with pytest.raises(OSError, match="no 2 free ports in a row"):
        choose_neighbours(2)
