"""An open-loop load: requests leave by a timetable, whether or not earlier ones are answered, on as many connections
as that takes. A duration counts from when the timetable has its request, so a server that falls behind is seen.

    python -m bench.paced PORT FILE RATE

Prints a line once it has run for a second, ends when its input is closed, and prints `figures.Measured` as JSON, and
in a second line when each success was due (seconds since 1970) and how long it took.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from bench.figures import Measured, measured
from bench.wire import HOST, Exchange
from bench.workload import read_prepared

TURN_S = 0.001
"""Between two looks at the timetable."""

CONNECTIONS_MOST = 256
"""Beyond it requests wait for a connection, and their durations grow."""

WARM_S = 1.0
DRAIN_S = 10.0


class Line:
    """One connection; `due_s`: of the request that is under way, by the timetable."""

    def __init__(self, load: Load) -> None:
        self._load, self.due_s = load, 0.0
        self.exchange = Exchange(self._answered, lambda: load.lost(self))

    def ask(self, prepared: bytes, due_s: float) -> None:
        self.due_s = due_s
        self.exchange.send(prepared)

    def _answered(self, status: int, _answer: bytes) -> None:
        self._load.answered(self, status)


class Load:
    """All of them."""

    def __init__(self, port: int, requests: list[bytes], rate: float) -> None:
        self._port, self._requests, self._rate = port, requests, rate
        self._dice = random.Random(1)
        self._free: list[Line] = []
        self._count = 0
        self.due, self.durations, self.errors, self.sent = array("d"), array("d"), 0, 0

    def answered(self, line: Line, status: int) -> None:
        self._free.append(line)
        if status == 200:
            self.due.append(line.due_s)
            self.durations.append(time.perf_counter() - line.due_s)
        else:
            self.errors += 1

    def lost(self, line: Line) -> None:
        """Its connection; servers close those that rest for long."""
        self._count -= 1
        if line in self._free:
            self._free.remove(line)
        else:
            self.errors += 1

    async def run(self, over: asyncio.Event) -> Measured:
        begun = time.perf_counter()
        told = False
        while not over.is_set():
            now = time.perf_counter()
            if now - begun > WARM_S and not told:
                print("runs", flush=True)
                told = True
            while self.sent < int((now - begun) * self._rate) and (line := await self._line()) is not None:
                line.ask(self._dice.choice(self._requests), begun + self.sent / self._rate)
                self.sent += 1
            await asyncio.sleep(TURN_S)
        took_s = time.perf_counter() - begun
        deadline = time.perf_counter() + DRAIN_S
        while len(self._free) < self._count and time.perf_counter() < deadline:
            await asyncio.sleep(TURN_S)
        return measured(self.durations, took_s, self.errors + self._count - len(self._free))

    async def _line(self) -> Line | None:
        if not self._free:
            if self._count >= CONNECTIONS_MOST:
                return None
            line = Line(self)
            await asyncio.get_running_loop().create_connection(lambda: line.exchange, HOST, self._port)
            self._count += 1
            return line
        return self._free.pop()


@dataclass(slots=True)
class Paced:
    """Both once it is over. `answers`: of each success when it was due, and how long it took, in seconds."""

    measured: Measured | None = None
    answers: list[tuple[float, float]] = field(default_factory=list)


@contextmanager
def paced(port: int, requests: Path, rate: float) -> Iterator[Paced]:
    """While such a load runs, a process of its own. Raises RuntimeError where it could not keep to its timetable."""
    command = [sys.executable, "-m", "bench.paced", str(port), str(requests), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        load = Paced()
        if not process.stdout.readline():
            raise RuntimeError("the load did not begin")
        try:
            yield load
        finally:
            process.stdin.close()
            load.measured = ran = Measured(**json.loads(process.stdout.readline()))
            load.answers = json.loads(process.stdout.readline())
    if ran.errors or ran.ops_per_s < 0.95 * rate:
        raise RuntimeError(f"{ran.ops_per_s:,.0f} of {rate:,.0f} puts a second, {ran.errors} errors")


async def _run(load: Load) -> Measured:
    over = asyncio.Event()
    asyncio.get_running_loop().run_in_executor(None, sys.stdin.read).add_done_callback(lambda _: over.set())
    return await load.run(over)


def main() -> None:
    port, path, rate = sys.argv[1:]
    load = Load(int(port), read_prepared(Path(path)), float(rate))
    print(json.dumps(asdict(uvloop.run(_run(load)))), flush=True)
    since_1970 = time.time() - time.perf_counter()
    print(
        json.dumps([(since_1970 + due, took) for due, took in zip(load.due, load.durations, strict=True)]), flush=True
    )


if __name__ == "__main__":
    main()
