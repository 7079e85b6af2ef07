"""The load generator: wrk where it is installed, else our own on asyncio. Either is a process of its own.

A run has one generator for all systems. Its ceiling, measured against a responder that does nothing, is the figure
from which on a result is the generator's and not the system's.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Measured
from bench.responder import responder
from bench.wire import HOST

SCRIPT = Path(__file__).with_name("prepared.lua")
TIMEOUT_S = 10
"""An answer that takes longer counts as an error."""

END_S = 60
"""A generator that has not ended so long after its time is stuck."""

_FIGURES = re.compile(r"^figures (.+)$", re.MULTILINE)


class GeneratorError(Exception):
    """The generator itself failed; its own words."""


@dataclass(frozen=True, slots=True)
class Generator:
    """`name` is wrk or asyncio."""

    name: str

    def run(self, port: int, requests: Path, connections: int, seconds: int) -> Measured:
        """Load from so many connections, each with one request under way, random picks from a file of prepared
        requests (`workload.write_prepared`). Raises GeneratorError."""
        command = _wrk if self.name == "wrk" else _asyncio
        ran = subprocess.run(
            command(port, requests, connections, seconds), capture_output=True, text=True, timeout=seconds + END_S
        )
        if ran.returncode:
            raise GeneratorError((ran.stderr or ran.stdout).strip()[-300:])
        return parse_wrk(ran.stdout) if self.name == "wrk" else Measured(**json.loads(ran.stdout))

    def ceilings(self, requests: Path, connections: list[int], seconds: int) -> dict[int, Measured]:
        """What it reaches against a server that does nothing."""
        with responder() as port:
            return {each: self.run(port, requests, each, seconds) for each in connections}


def choose(name: str = "auto") -> Generator:
    """Raises GeneratorError where wrk is asked for and not there."""
    if name == "auto":
        return Generator("wrk" if shutil.which("wrk") else "asyncio")
    if name == "wrk" and not shutil.which("wrk"):
        raise GeneratorError("wrk is not installed: install it, or leave --generator out")
    return Generator(name)


def _wrk(port: int, requests: Path, connections: int, seconds: int) -> list[str]:
    options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_S}s"]
    return ["wrk", *options, "-s", str(SCRIPT), f"http://{HOST}:{port}/", "--", str(requests)]


def _asyncio(port: int, requests: Path, connections: int, seconds: int) -> list[str]:
    arguments = [str(port), str(requests), str(connections), str(seconds)]
    return [sys.executable, "-m", "bench.asyncio_generator", *arguments]


def parse_wrk(output: str) -> Measured:
    """From the line that `prepared.lua` prints. Raises GeneratorError.

    wrk counts answers other than 200 among its requests, and a connection that a server closes after its answer
    (HTTP/1.0) not as an error.
    """
    line = _FIGURES.search(output)
    if line is None:
        raise GeneratorError(f"wrk printed no figures: {output.strip()[-300:]}")
    said = {name: int(value) for name, value in (pair.split("=") for pair in line.group(1).split())}
    good = said["requests"] - said["status"]
    errors = sum(said[kind] for kind in ("connect", "read", "write", "status", "timeout"))
    took_s = said["duration_us"] / 1e6
    return Measured(good / took_s, said["p50_us"] / 1000, said["p99_us"] / 1000, errors, good)
