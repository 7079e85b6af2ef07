"""A load generator on asyncio, for machines without wrk: N keep-alive connections, one request under way on each.

    python -m bench.asyncio_generator PORT FILE CONNECTIONS SECONDS     prints `figures.Measured` as JSON

A server that closes its connection after an answer is connected to again.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from array import array
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench.figures import Measured, measured
from bench.wire import HOST, Exchange
from bench.workload import read_prepared

CONNECT_PAUSE_S = 0.01
"""Before connecting again to a server that refused."""

DRAIN_S = 10.0
"""For the last answers; one that does not come is an error."""


class Load:
    """All connections of one run."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._port, self._requests = port, requests
        self._dice = random.Random(1)
        self.durations = array("d")
        self.errors = 0
        self._over = False

    async def run(self, connections: int, seconds: float) -> Measured:
        started = time.perf_counter()
        tasks = [asyncio.create_task(self._connection()) for _ in range(connections)]
        await asyncio.sleep(seconds)
        took_s = time.perf_counter() - started
        result = measured(self.durations, took_s, self.errors)
        self._over = True
        _, hanging = await asyncio.wait(tasks, timeout=DRAIN_S)
        for task in hanging:
            task.cancel()
        return measured(self.durations[: result.count], took_s, result.errors + len(hanging))

    async def _connection(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._over:
            line = Line(self, loop.create_future())
            try:
                await loop.create_connection(line.protocol, HOST, self._port)
            except OSError:
                self.errors += 1
                await asyncio.sleep(CONNECT_PAUSE_S)
                continue
            line.next()
            await line.closed

    def pick(self) -> bytes | None:
        """The next request; None when time is over."""
        return None if self._over else self._dice.choice(self._requests)


class Line:
    """One connection's turns."""

    __slots__ = ("_asked_at", "_load", "_waiting", "closed", "exchange")

    def __init__(self, load: Load, closed: asyncio.Future[None]) -> None:
        self._load, self.closed = load, closed
        self._asked_at, self._waiting = 0.0, False
        self.exchange = Exchange(self._answered, self._lost)

    def protocol(self) -> Exchange:
        return self.exchange

    def next(self) -> None:
        prepared = self._load.pick()
        if prepared is None:
            self.exchange.close()
            return
        self._waiting, self._asked_at = True, time.perf_counter()
        self.exchange.send(prepared)

    def _answered(self, status: int, answer: bytes) -> None:
        self._waiting = False
        if status == 200:
            self._load.durations.append(time.perf_counter() - self._asked_at)
        else:
            self._load.errors += 1
        if answer[:8] == b"HTTP/1.1" and b"\r\nconnection: close\r\n" not in answer[:1024].lower():
            self.next()

    def _lost(self) -> None:
        self._load.errors += self._waiting
        if not self.closed.done():
            self.closed.set_result(None)


def main() -> None:
    port, path, connections, seconds = sys.argv[1:]
    load = Load(int(port), read_prepared(Path(path)))
    result = uvloop.run(load.run(int(connections), float(seconds)))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
