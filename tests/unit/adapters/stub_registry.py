"""A schema registry in a few lines, for tests: what Confluent's answers to who registers and to who reads."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FIRST_ID = 100_001


class Registry:
    """`refused`: parts of subjects that it does not take. `asked`: paths and their headers, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.schemas: dict[int, str] = {}
        self.subjects: dict[str, int] = {}
        self.refused: set[str] = set()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: tuple[int, bytes] | None = None
        """Instead of what it would say."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def register(self, subject: str, schema: str) -> tuple[int, Any]:
        if any(part in subject for part in self.refused):
            return 409, {"error_code": 409, "message": "Schema being registered is incompatible"}
        number = next((number for number, known in self.schemas.items() if known == schema), None)
        if number is None:
            number = FIRST_ID + len(self.schemas)
            self.schemas[number] = schema
        self.subjects[subject] = number
        return 200, {"id": number}


@contextmanager
def registry() -> Iterator[Registry]:
    """On a free port of this machine, in threads."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append((self.path, dict(self.headers.items())))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            _, _, subject, _ = self.path.rsplit("/", 3)
            status, said = made.register(subject, body["schema"])
            content = json.dumps(said).encode()
            status, content = made.answer or (status, content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: Any) -> None:
            """Nothing to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made = Registry(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
