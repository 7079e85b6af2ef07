"""The end of a log."""

from __future__ import annotations

from pathlib import Path

LINE_BYTES = 1000
"""Longer ones are few."""


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log, without reading all of a large one."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - count * LINE_BYTES))
        return file.read().decode(errors="replace").splitlines()[-count:]
