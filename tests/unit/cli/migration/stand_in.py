"""A DynamoDB endpoint in this process: every operation over memory, answers that a test may bend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from zlib import crc32

import orjson
from tests.unit.core.operations.cluster import Cluster

Bend = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""Asked before each request: an answer instead of the real one, or None. It may also change the request."""


def no_bend(operation: str, body: dict[str, Any]) -> None:
    """Everything is answered as it should be."""


class StandIn:
    """`url` is where it serves; `asked` counts requests by operation."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cluster = Cluster()
        self.bend: Bend = no_bend
        self.asked: dict[str, int] = {}
        self._lock = Lock()

    def answer(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.asked[operation] = self.asked.get(operation, 0) + 1
            bent = self.bend(operation, body)
            answered: dict[str, Any] = bent if bent is not None else self.cluster.ask(operation, **body)
        return answered

    def put(self, table: str, *items: dict[str, Any]) -> None:
        for item in items:
            assert "__type" not in self.cluster.ask("PutItem", TableName=table, Item=item)

    def items(self, table: str) -> list[dict[str, Any]]:
        """Everything in the table, in the order of its JSON."""
        found: list[dict[str, Any]] = []
        start: dict[str, Any] = {}
        while True:
            page = self.cluster.ask("Scan", TableName=table, **start)
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return sorted(found, key=orjson.dumps)
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@contextmanager
def serving() -> Iterator[StandIn]:
    """An endpoint until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Exchange)
    stand_in = StandIn(f"http://127.0.0.1:{server.server_address[1]}/")
    server.stand_in = stand_in  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 10

    def do_POST(self) -> None:
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answered = self.server.stand_in.answer(operation, body)  # type: ignore[attr-defined]
        status = answered.pop("status", 400 if "__type" in answered else 200)
        content = orjson.dumps(answered)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-amz-crc32", str(crc32(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""
