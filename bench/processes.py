"""What processes cost, from /proc: CPU time and memory of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

CALM_S, CALM_SHARE = 3.0, 0.9
"""A look takes so long; less than this share of the last one's is falling."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def of_cluster(status: Mapping[str, Any]) -> dict[str, int]:
    """Process ids by name, Kafka included, from what `dynabus status --json` prints."""
    pids = {process["name"]: process["pid"] for process in status["processes"] if process["pid"]}
    kafka = status["kafka"]["pid"]
    return {**pids, "kafka": kafka} if kafka else pids


def cpu_s(pid: int) -> float:
    """CPU time so far, user and system."""
    return _name_and_cpu_s(Path(f"/proc/{pid}/stat"))[1]


def _name_and_cpu_s(stat: Path) -> tuple[str, float]:
    """Of a process or a thread. Raises OSError when it has ended."""
    head, _, tail = stat.read_text().rpartition(")")
    fields = tail.split()
    return head.partition("(")[2], (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def thread_cpu_s(pid: int) -> list[tuple[str, float]]:
    """The same for each of its threads, with the thread's name. A thread that ends meanwhile is left out."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found.append(_name_and_cpu_s(task / "stat"))
    return found


def private_mb(pid: int) -> float:
    """Memory that is the process's own: private and written to. Pages of mapped files that the kernel may drop at
    any time (LMDB's, programs') are not among it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty:")) / 1024


def memory_mb(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: round(private_mb(pid), 1) for name, pid in pids.items()}


def until_calm(pids: Mapping[str, int], most_s: float) -> None:
    """Until what they take together falls no more from one look to the next. Raises TimeoutError."""
    deadline, before = time.monotonic() + most_s, float("inf")
    while (now := sum(cpu_percent(pids, CALM_S).values())) < CALM_SHARE * before:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{now:.0f} % of a core, and still falling after {most_s:.0f} s")
        before = now


def cpu_percent(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Percent of one core that each takes during so many seconds."""
    before, started = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - started
    return {name: round(100 * (cpu_s(pid) - before[name]) / took_s, 1) for name, pid in pids.items()}
