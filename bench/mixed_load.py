"""The clients of the mixed run: half puts, 40 % strongly consistent gets, 10 % strongly consistent queries.

Every answer is checked against what was known when its request began (`versions`). 1,000 lists of 10 items of 1 KB;
each list is written by one client and read by all. Nothing is retried: an error is an error.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import orjson

from bench.timeline import Histogram, Timeline
from bench.versions import Versions
from bench.wire import HOST, Exchange, request
from bench.workload import PADDING

TABLE = "bench-mixed"
LISTS, LIST_LENGTH = 1_000, 10
PUT_SHARE, GET_SHARE = 0.5, 0.4

TIMEOUT_S = 15.0
"""Longer than the router's deadline: an answer that does not come by then never will."""

RETRY_PAUSE_S = 0.05
"""After an error, before a client goes on with its next request."""

GIVE_UP_S = 60.0
"""Before and after the load, for an operation that must succeed in the end."""

LINE_MOST = 120
"""Characters of an error's text by which errors are counted."""


class AskError(Exception):
    """No answer, or one other than 200."""


def _key(number: int) -> dict[str, Any]:
    pk, sk = divmod(number, LIST_LENGTH)
    return {"pk": {"S": f"list{pk:08d}"}, "sk": {"S": f"entry{sk:04d}"}}


def _put(number: int, version: int) -> bytes:
    item = {**_key(number), "v": {"N": str(version)}, "pad": {"S": PADDING}}
    return request("PutItem", {"TableName": TABLE, "Item": item})


def _get(number: int) -> bytes:
    return request("GetItem", {"TableName": TABLE, "Key": _key(number), "ConsistentRead": True})


def _query(list_number: int) -> bytes:
    values = {":pk": _key(list_number * LIST_LENGTH)["pk"]}
    body = {"TableName": TABLE, "KeyConditionExpression": "pk = :pk", "ConsistentRead": True}
    return request("Query", {**body, "ExpressionAttributeValues": values})


def _version(item: dict[str, Any] | None) -> int:
    return int(item["v"]["N"]) if item else 0


async def _until_answered(line: Line, prepared: bytes) -> Any:
    """Tries again for `GIVE_UP_S`. Raises AskError."""
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        try:
            return await line.ask(prepared)
        except AskError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_PAUSE_S)


class Line:
    """One connection, made again when it is lost."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connections = 0
        self._exchange: Exchange | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, prepared: bytes) -> Any:
        """The body of a 200. Raises AskError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._exchange is None:
                    await self._connect()
                assert self._exchange is not None
                self._answer = loop.create_future()
                self._exchange.send(prepared)
                status, answer = await self._answer
        except (OSError, TimeoutError) as error:
            self.close()
            raise AskError(f"{type(error).__name__} {error}") from error
        body = answer.partition(b"\r\n\r\n")[2]
        if status != 200:
            raise AskError(f"{status} {body[:LINE_MOST].decode(errors='replace')}")
        return orjson.loads(body)

    async def _connect(self) -> None:
        self._connections += 1
        exchange = Exchange(self._answered, partial(self._lost, self._connections))
        await asyncio.get_running_loop().create_connection(lambda: exchange, HOST, self._port)
        self._exchange = exchange

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def _answered(self, status: int, answer: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, answer))

    def _lost(self, number: int) -> None:
        if number != self._connections:
            return  # One that was given up before, and closes now.
        self._exchange = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the connection was lost"))


class MixedLoad:
    """All clients. `errors`: by text; `durations`: of successes by operation."""

    def __init__(self, port: int, clients: int, lists: int = LISTS, seed: int = 1) -> None:
        self._clients, self._lists, self._dice = clients, lists, random.Random(seed)
        self._keys = lists * LIST_LENGTH
        self._lines = [Line(port) for _ in range(clients)]
        self.versions = Versions(self._keys)
        self.timeline = Timeline(time.monotonic())
        self.errors: Counter[str] = Counter()
        self.failures = Timeline(self.timeline.started)
        self.durations = {name: Histogram() for name in ("put", "get", "query")}

    async def fill(self) -> None:
        """The first version of every key."""
        await self._share_out(self._put_until_there)

    async def run(self, seconds: float) -> None:
        self.timeline, self.failures = Timeline(time.monotonic()), Timeline(time.monotonic())
        end = self.timeline.started + seconds
        await asyncio.gather(*(self._client(number, end) for number in range(self._clients)))

    async def read_back(self) -> None:
        """Whether each key holds what it must, when no write is under way."""
        await self._share_out(self._read_until_answered)

    def close(self) -> None:
        for line in self._lines:
            line.close()

    async def _share_out(self, action: Callable[[Line, int], Awaitable[None]]) -> None:
        async def part(number: int) -> None:
            for key in range(number, self._keys, self._clients):
                await action(self._lines[number], key)

        await asyncio.gather(*(part(number) for number in range(self._clients)))

    async def _put_until_there(self, line: Line, key: int) -> None:
        version = self.versions.next(key)
        await _until_answered(line, _put(key, version))
        self.versions.acknowledged(key, version)

    async def _read_until_answered(self, line: Line, key: int) -> None:
        answer = await _until_answered(line, _get(key))
        self.versions.final(key, _version(answer.get("Item")))

    async def _client(self, number: int, end: float) -> None:
        line, dice = self._lines[number], random.Random(self._dice.random())
        own = range(number, self._lists, self._clients)
        while (began := time.monotonic()) < end:
            operation, action = self._choose(line, dice, own)
            try:
                await action
            except AskError as error:
                self.errors[str(error)[:LINE_MOST]] += 1
                self.failures.add(time.monotonic())
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            ended = time.monotonic()
            self.durations[operation].add(ended - began)
            self.timeline.add(ended)

    def _choose(self, line: Line, dice: random.Random, own: Sequence[int]) -> tuple[str, Awaitable[None]]:
        chance = dice.random()
        if chance < PUT_SHARE:
            key = dice.choice(own) * LIST_LENGTH + dice.randrange(LIST_LENGTH)
            if self.versions.may_write(key, time.monotonic()):
                return "put", self._put(line, key)
        elif chance >= PUT_SHARE + GET_SHARE:
            return "query", self._query(line, dice.randrange(self._lists))
        return "get", self._get(line, dice.randrange(self._keys))

    async def _put(self, line: Line, key: int) -> None:
        version = self.versions.next(key)
        try:
            await line.ask(_put(key, version))
        except AskError:
            self.versions.unanswered(key, time.monotonic())
            raise
        self.versions.acknowledged(key, version)

    async def _get(self, line: Line, key: int) -> None:
        known = self.versions.known(key)
        answer = await line.ask(_get(key))
        self.versions.seen(key, _version(answer.get("Item")), known)

    async def _query(self, line: Line, list_number: int) -> None:
        keys = range(list_number * LIST_LENGTH, (list_number + 1) * LIST_LENGTH)
        known = [self.versions.known(key) for key in keys]
        answer = await line.ask(_query(list_number))
        found = {item["sk"]["S"]: item for item in answer["Items"]}
        for key, known_before in zip(keys, known, strict=True):
            self.versions.seen(key, _version(found.get(_key(key)["sk"]["S"])), known_before)
