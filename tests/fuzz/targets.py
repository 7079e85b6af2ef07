"""Who is asked: the router's application over stores in this process, or a running cluster over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol, cast
from unittest.mock import Mock, patch
from urllib.parse import urlsplit

import orjson

from dynabus.core.errors import ApiError
from dynabus.core.operations.items import Refused
from dynabus.request_router.http import Application
from dynabus.request_router.requests import HttpRequest
from dynabus.request_router.service import Router
from tests.fuzz.requests import Request
from tests.model.dice import Seeded
from tests.model.generation import put
from tests.model.schema import TABLES
from tests.model.targets import Endpoint
from tests.unit.core.operations.cluster import Cluster

ITEMS = 30
"""In all tables together when a block begins: enough for conditions to be true, few enough to look at often."""

PAGE_BYTES = 4096


class Answer(NamedTuple):
    """`defect` is what the program did instead of answering."""

    status: int
    body: bytes
    defect: BaseException | None = None


class Target(Protocol):
    def begin(self) -> None:
        """Tables with a few items."""

    def ask(self, request: Request) -> Answer: ...

    def contents(self) -> Any:
        """Equal while nothing has changed."""

    def resident_bytes(self) -> dict[str, int]:
        """Memory by process."""

    def close(self) -> None: ...


def _items() -> Iterable[dict[str, Any]]:
    """Bodies of PutItem, the same in every block."""
    dice = Seeded("items")
    for number in range(ITEMS):
        request = put(dice, TABLES[number % len(TABLES)]).body()
        yield {"TableName": request["TableName"], "Item": request["Item"]}


def resident(pid: str) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def plain(body: bytes, coding: str | None) -> bytes:
    """An answer's body as it was before it was compressed."""
    return body if coding is None else zlib.decompress(body, 47)  # either of gzip and deflate


# -- in this process -----------------------------------------------------------------------------------------------


class InProcess:
    """All but sockets: the application reads the head and the body, both halves of each operation run over stores."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._silence = patch("dynabus.request_router.http.logger", Mock())
        self._silence.start()

    def begin(self) -> None:
        self.cluster = Cluster()
        self._defect: BaseException | None = None
        for schema in TABLES:
            self.cluster.ask("CreateTable", **schema.creation())
        for body in _items():
            self.cluster.ask("PutItem", **body)
        router = SimpleNamespace(
            settings=SimpleNamespace(cors_origins="*", port=8000),
            asker=SimpleNamespace(next_counter=lambda: 1, forget=lambda counter: None),
            metrics=SimpleNamespace(answered=lambda operation, status, took_s: None),
            incarnation=1,
            run=self._run,
        )
        self._application = Application(cast("Router", router))

    def ask(self, request: Request) -> Answer:
        self._defect = None
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        asked = HttpRequest(b"POST", b"/", b"", headers, dict(headers), request.body, keep_alive=True)
        try:
            answer = self._loop.run_until_complete(self._application.answer(asked))
        except Exception as error:
            return Answer(0, b"", error)
        coding = dict(answer.more or []).get(b"content-encoding")
        return Answer(answer.status, plain(answer.body, coding.decode() if coding else None), self._defect)

    async def _run(self, operation: str, body: Any, counter: int, _places: object) -> bytes:
        try:
            return orjson.dumps(self.cluster.run(operation, body))
        except (ApiError, Refused):
            raise
        except BaseException as error:
            self._defect = error
            raise

    def contents(self) -> Any:
        """Of all stores, and of the tables' descriptions."""
        digest = hashlib.blake2b(digest_size=16)
        for place, store in self.cluster.stores.items():
            for key, value in [*store.scan(b"", None), *store.scan_entries(b"", None)]:
                digest.update(repr((place, hash(key), hash(value))).encode())
        for name, table in self.cluster.view.tables.items():
            digest.update(repr((name, table.status, table.version)).encode())
        return digest.digest()

    def resident_bytes(self) -> dict[str, int]:
        return {"this process": resident("self")}

    def close(self) -> None:
        self._silence.stop()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


# -- a running cluster ---------------------------------------------------------------------------------------------


class OverHttp:
    """`pids` are its processes by name; one that is not there any more is a defect."""

    def __init__(self, url: str, pids: dict[str, int]) -> None:
        self._endpoint, self._pids = Endpoint(url), pids
        parts = urlsplit(url)
        self._address = str(parts.hostname), parts.port
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self._address, timeout=60)

    def begin(self) -> None:
        self._delete_strangers()
        self._await_deletions()
        self._endpoint.create(TABLES)
        for body in _items():
            self._endpoint.ask("PutItem", body)

    def ask(self, request: Request) -> Answer:
        try:
            self._send(request)
            response = self._connection.getresponse()
            return Answer(response.status, plain(response.read(), response.headers["content-encoding"]))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._connection = self._connect()
            return Answer(0, b"", error)

    def _send(self, request: Request) -> None:
        connection = self._connection
        connection.putrequest("POST", "/", skip_accept_encoding=True)
        for name, value in request.headers:
            if name != "Expect":  # http.client does not wait for the answer to it
                connection.putheader(name, value.encode("latin-1"))
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)

    def contents(self) -> Any:
        found: dict[str, Any] = {}
        for schema in TABLES:
            pages = self._scan(schema.name)
            found[schema.name] = sorted(json.dumps(item, sort_keys=True) for item in pages)
        return found

    def _scan(self, name: str) -> Iterable[Any]:
        request = {"TableName": name, "ConsistentRead": True}
        while True:
            page = self._endpoint.ask("Scan", request)
            yield from page.get("Items", [page])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def resident_bytes(self) -> dict[str, int]:
        """Raises FileNotFoundError if a process has died."""
        return {name: resident(str(pid)) for name, pid in self._pids.items()}

    def close(self) -> None:
        self._connection.close()
        self._endpoint.close()

    def _tables(self) -> list[str]:
        return list(self._endpoint.ask("ListTables", {})["TableNames"])

    def _delete_strangers(self) -> None:
        """Tables that requests have made, and those whose settings they have changed."""
        for name in self._tables():
            table = self._endpoint.ask("DescribeTable", {"TableName": name}).get("Table", {})
            if table.get("DeletionProtectionEnabled"):
                self._endpoint.ask("UpdateTable", {"TableName": name, "DeletionProtectionEnabled": False})
            if name not in {schema.name for schema in TABLES}:
                self._endpoint.ask("DeleteTable", {"TableName": name})

    def _await_deletions(self) -> None:
        deadline = time.monotonic() + 60
        while set(self._tables()) - {schema.name for schema in TABLES}:
            assert time.monotonic() < deadline, "tables are not deleted"
            time.sleep(0.1)
