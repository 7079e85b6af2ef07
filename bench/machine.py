"""What a run ran on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

import confluent_kafka

from dynabus.adapters.kafka.jars import KAFKA_VERSION

ROOT = Path(__file__).resolve().parents[1]


def machine() -> dict[str, str]:
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int((_field('/proc/meminfo', 'MemTotal') or '0').split()[0]) / 1024**2:.1f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
        "Kafka": KAFKA_VERSION,
    }


def busy_percent(seconds: float = 0.5) -> float:
    """How much of all cores others use, when nothing of ours runs. Above a few percent figures are worth less."""
    before, idle_before = _cpu_ticks()
    time.sleep(seconds)
    after, idle_after = _cpu_ticks()
    return round(100 * (1 - (idle_after - idle_before) / max(1, after - before)), 1)


def _cpu_ticks() -> tuple[int, int]:
    """All, and idle or waiting for a disk, since the machine started."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def _field(path: str, name: str) -> str | None:
    lines = (line.partition(":") for line in Path(path).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), None)


def commit() -> str:
    """The short name of the commit under test, with `-changed` where the sources differ from it."""
    name = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", "services", "schemas", "deploy")
    return (name or "no-commit") + ("-changed" if changed else "")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
