"""`dynabus logs`: the logs of a cluster's processes, one or all, to the end or followed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from dynabus.adapters.tail import last_lines
from dynabus.cli.cluster import Cluster, DataFolder
from dynabus.cli.problem import Problem

LINES = 50
FOLLOW_POLL_S = 0.2


@dataclass(slots=True)
class Tail:
    """A log that is being followed; `rest` is the beginning of a line whose end is not written yet."""

    path: Path
    prefix: str
    position: int = 0
    rest: bytes = b""

    def new_lines(self) -> list[str]:
        """Whole lines since the last call."""
        if not self.path.exists():
            return []
        if _size(self.path) < self.position:
            self.position, self.rest = 0, b""  # it was put aside, or emptied, and another one begun
        with self.path.open("rb") as file:
            file.seek(self.position)
            chunk = file.read()
        self.position += len(chunk)
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        return [self.prefix + line.decode(errors="replace") for line in lines]


def print_logs(folder: DataFolder, wanted: str | None, follow: bool, count: int = LINES) -> None:
    """Print the last lines, then follow if asked for, until Ctrl-C. Raises Problem for an unknown name."""
    names = _names(folder.require(), wanted)
    width = max(map(len, names))
    prefixes = {name: f"{name.ljust(width)} | " if len(names) > 1 else "" for name in names}
    tails = [Tail(folder.log(name), prefixes[name], _size(folder.log(name))) for name in names]
    for name in names:
        for line in last_lines(folder.log(name), count):
            print(prefixes[name] + line)
    if follow:
        _follow(tails)


def _follow(tails: list[Tail]) -> None:
    while True:
        for tail in tails:
            for line in tail.new_lines():
                print(line, flush=True)
        time.sleep(FOLLOW_POLL_S)


def _names(cluster: Cluster, wanted: str | None) -> list[str]:
    everything = cluster.everything
    names = [p.name for p in everything if wanted is None or wanted in (p.name, p.service)]
    if not names:
        known = ", ".join(process.name for process in everything)
        raise Problem(f"no process {wanted!r} in this cluster; there are {known}")
    return names


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
