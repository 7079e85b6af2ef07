"""The small HTTP server of the services that have no HTTP of their own: health, metrics, status.

    GET /healthz   200 while the process runs its loop, else 503     for whoever restarts it
    GET /readyz    200 once it can do its work, else 503             for whoever sends it work
    GET /metrics   Prometheus text format
    GET /status    JSON of the cluster as this process sees it       for `dynabus status`
    GET /throttled JSON of what was throttled, or would have been    for `dynabus admin throttled`

It runs in a thread of its own; the functions given to it are called there and must be quick and thread-safe.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dynabus.adapters.logs import logger

REQUEST_TIMEOUT_S = 5.0
"""A client that sends nothing for so long is cut off, so that it cannot hold a thread."""

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Checks:
    """What the service says of itself. `reason` texts appear in the answer; None means well."""

    health: Callable[[], str | None] = lambda: None
    readiness: Callable[[], str | None] = lambda: None
    status: Callable[[], Mapping[str, Any]] = lambda: {"tables": []}
    registry: CollectorRegistry = field(default_factory=lambda: REGISTRY)
    throttled: Callable[[], Mapping[str, Any]] = lambda: {"counts": [], "events": []}


class OpsServer:
    """Serves from construction until `close`; `port` is the real one where 0 was asked for.

    Raises OSError where the address is taken.
    """

    def __init__(self, host: str, port: int, checks: Checks) -> None:
        routes: dict[str, Callable[[], Answer]] = {
            "/healthz": lambda: _verdict(checks.health()),
            "/readyz": lambda: _verdict(checks.readiness()),
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(checks.registry)),
            "/throttled": lambda: (200, JSON, orjson.dumps(checks.throttled())),
            "/status": lambda: (200, JSON, orjson.dumps(checks.status(), default=str)),
        }
        self._server = _Server((host, port), _request_class(routes))
        self.port: int = self._server.server_address[1]
        self._wake, woken = socket.socketpair()
        self._thread = threading.Thread(
            target=self._server.serve_until, args=(woken,), name="ops-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port, at once."""
        self._wake.close()
        self._thread.join()
        self._server.server_close()


Answer = tuple[int, str, bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def serve_until(self, woken: socket.socket) -> None:
        """Serve until the other end of `woken` is closed. (`serve_forever` looks twice a second whether to
        end, which costs an idle process its wake-ups and a stop its half second.)"""
        with woken, selectors.DefaultSelector() as selector:
            listening = selector.register(self, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while all(key is listening for key, _ in selector.select()):
                self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no event; anything else is a fault of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            logger().exception("ops request failed")


def _verdict(reason: str | None) -> Answer:
    body = {"status": "ok"} if reason is None else {"status": "unavailable", "reason": reason}
    return (200 if reason is None else 503), JSON, orjson.dumps(body)


def _request_class(routes: Mapping[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Request(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S
        protocol_version = "HTTP/1.1"
        server_version = "dynabus"
        sys_version = ""

        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            status, kind, body = route() if route else (404, JSON, b'{"status":"no such page"}')
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes come every second; they are not logged."""

    return Request
