"""The mixed run's clients against a small server that tells the truth, or does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from bench.mixed_load import MixedLoad
from bench.wire import HOST, end_of_answer

LISTS, CLIENTS = 8, 4
SECONDS = 0.3

Item = dict[str, Any]


class Database:
    """Items by key. `keep` decides whether a write is kept; `show` what a read is shown of (previous, current)."""

    def __init__(
        self,
        keep: Callable[[int], bool] = lambda version: True,
        show: Callable[[Item | None, Item | None], Item | None] = lambda previous, current: current,
    ) -> None:
        self._keep, self._show = keep, show
        self._items: dict[tuple[str, str], tuple[Item | None, Item | None]] = {}

    def answer(self, operation: str, body: Any) -> Any:
        if operation == "PutItem":
            self._put(body["Item"])
            return {}
        if operation == "GetItem":
            item = self._read((body["Key"]["pk"]["S"], body["Key"]["sk"]["S"]))
            return {"Item": item} if item else {}
        pk = body["ExpressionAttributeValues"][":pk"]["S"]
        return {"Items": [item for key in self._items if key[0] == pk and (item := self._read(key))]}

    def _put(self, item: Item) -> None:
        key = item["pk"]["S"], item["sk"]["S"]
        if self._keep(int(item["v"]["N"])):
            self._items[key] = self._items.get(key, (None, None))[1], item

    def _read(self, key: tuple[str, str]) -> Item | None:
        return self._show(*self._items.get(key, (None, None)))


class Server(asyncio.Protocol):
    """`refuse`: answers some puts with an error, after they took effect."""

    def __init__(self, database: Database, refuse: bool) -> None:
        self._database, self._refuse, self._buffer, self._puts = database, refuse, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, received: bytes) -> None:
        self._buffer += received
        if end_of_answer(self._buffer) is None:
            return
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        self._buffer = b""
        operation = head.partition(b"DynamoDB_20120810.")[2].partition(b"\r\n")[0].decode()
        answer = orjson.dumps(self._database.answer(operation, orjson.loads(body)))
        self._puts += operation == "PutItem"
        refused = self._refuse and operation == "PutItem" and self._puts % 40 == 0
        status = b"500 Internal Server Error" if refused else b"200 OK"
        self._transport.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)) + answer)


def run(database: Database, refuse: bool = False) -> MixedLoad:
    async def load() -> MixedLoad:
        server = await asyncio.get_running_loop().create_server(lambda: Server(database, refuse), HOST, 0)
        mixed = MixedLoad(server.sockets[0].getsockname()[1], CLIENTS, LISTS)
        await mixed.fill()
        await mixed.run(SECONDS)
        while refuse and not mixed.errors:
            await mixed.run(SECONDS)
        await mixed.read_back()
        mixed.close()
        server.close()
        return mixed

    return asyncio.run(load())


def counts(mixed: MixedLoad) -> dict[str, bool]:
    checked = mixed.versions
    return {name: bool(getattr(checked, name).count) for name in ("lost", "stale", "invented")}


def test_a_database_that_keeps_its_word_passes() -> None:
    mixed = run(Database())
    assert counts(mixed) == {"lost": False, "stale": False, "invented": False}
    assert not mixed.errors
    assert all(each.count for each in mixed.durations.values())
    assert sum(mixed.timeline.bins) == sum(each.count for each in mixed.durations.values())


def test_a_write_that_is_forgotten_is_found() -> None:
    assert counts(run(Database(keep=lambda version: version % 2 == 1)))["lost"]


def test_a_read_of_the_previous_version_is_found() -> None:
    mixed = run(Database(show=lambda previous, current: previous or current))
    assert counts(mixed)["stale"]


def test_refused_writes_are_errors_and_no_violations() -> None:
    mixed = run(Database(), refuse=True)
    assert counts(mixed) == {"lost": False, "stale": False, "invented": False}
    assert sum(mixed.errors.values()) == sum(mixed.failures.bins) > 0
    assert next(iter(mixed.errors)).startswith("500")


def test_a_connection_that_is_refused_is_an_error() -> None:
    async def load() -> MixedLoad:
        mixed = MixedLoad(1, CLIENTS, LISTS)
        await mixed.run(0.1)
        return mixed

    mixed = asyncio.run(load())
    assert sum(mixed.errors.values()) >= CLIENTS
    assert not mixed.timeline.bins
