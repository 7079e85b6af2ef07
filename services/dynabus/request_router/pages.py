"""What is no POST: health and status for people and load balancers, schemas of stream topics for Kafka's tools,
CORS's first question, and refusals.

Source of the refusals and of the text at the root: dynalite's recorded answers.
"""

from __future__ import annotations

from urllib.parse import unquote

import orjson
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dynabus.core.cluster_status import tables_status
from dynabus.core.request_label import request_label
from dynabus.core.streams.registry import KIND
from dynabus.request_router.answers import JSON, NO_SUCH_THING, NO_SUCH_TYPE, Answer, Cors
from dynabus.request_router.requests import HttpRequest
from dynabus.request_router.service import Router

PRIVATE = ("/status", "/metrics", "/subjects")
"""They name tables, so where clients must sign they are on the port of health and metrics alone."""

Page = tuple[int, bytes, bytes]
"""(HTTP status, content type, body)."""


class Pages:
    """All methods but POST."""

    def __init__(self, router: Router, cors: Cors, *, is_open: bool) -> None:
        self._router, self._cors, self._is_open = router, cors, is_open

    def answer(self, request: HttpRequest) -> Answer:
        """Answer one request; nobody is asked for a signature."""
        headers = self._cors.headers(request.named)
        label = request_label(self._router.incarnation, self._router.asker.next_counter())
        if request.method in (b"GET", b"HEAD"):
            status, kind, body = self._page(unquote(request.path.decode("latin-1")))
        elif request.method == b"OPTIONS" and headers:
            headers = self._cors.preflight(request.named)
            status, kind, body = 200, b"text/plain", b""
        else:
            status, kind, body = 404, NO_SUCH_TYPE, NO_SUCH_THING
        return Answer(status, body, kind, label, headers)

    def _page(self, path: str) -> Page:
        router, path = self._router, "/" + path.strip("/")
        if path.startswith(PRIVATE) and not self._is_open:
            return 403, JSON, b'{"status":"only on the port of health and metrics"}'
        match path:
            case "/":
                return 200, b"text/plain", f"healthy: dynamodb.{router.settings.region}.amazonaws.com ".encode()
            case "/healthz":
                return 200, JSON, b'{"status":"ok"}'
            case "/readyz":
                return self._readiness()
            case "/status":
                return (
                    200,
                    JSON,
                    orjson.dumps({"tables": tables_status(router.view), "streams": router.streams.shown()}),
                )
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST.encode(), generate_latest(REGISTRY)
            case _:
                found = router.streams.registry(path)
                return (found[0], KIND, found[1]) if found else (404, JSON, b'{"status":"no such page"}')

    def _readiness(self) -> Page:
        reason = self._router.readiness()
        if reason is None:
            return 200, JSON, b'{"status":"ok"}'
        return 503, JSON, orjson.dumps({"status": "unavailable", "reason": reason})
