"""What of a long work is done: a file of JSON lines, the first says what the work is, each other one piece of it.

A process that is killed leaves at most a torn last line, which the next run cuts off. Written only by appending, so
that a step costs the same however long the work is. Locked while a process works on it. One that ends within its
first line says nothing of any work: that work was never begun.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import orjson

from dynabus.cli.problem import Problem

VERSION = 1
_HEAD = b'{"version":%d,' % VERSION


class Journal:
    """`work` is its first line, `done` the others that were there when it was opened."""

    def __init__(self, path: Path, file: BinaryIO, work: dict[str, Any], done: list[dict[str, Any]]) -> None:
        self.path = path
        self.work = work
        self.done = done
        self._file = file
        self._lock = Lock()

    @classmethod
    def begin(cls, path: Path, work: Mapping[str, Any]) -> Journal:
        """A new one, or one that was never begun; raises Problem if another process works on it."""
        file = _locked(path, path.open("a+b", buffering=0))
        try:
            if not never_begun(path):
                raise Problem(f"{path} is there already: --resume goes on with it, or delete it to begin anew")
            file.truncate(0)
            journal = cls(path, file, {"version": VERSION, **work}, [])
            journal.append(journal.work, sync=True)
        except BaseException:
            file.close()
            raise
        return journal

    @classmethod
    def resume(cls, path: Path) -> Journal:
        """One of an earlier run; raises Problem if it is none, and if another process works on it."""
        file = _locked(path, path.open("r+b", buffering=0))
        lines, whole_bytes = _whole_lines(file.read())
        if not lines or lines[0].get("version") != VERSION:
            file.close()
            raise Problem(f"{path} is no state file of this version of dynabus: delete it to begin anew")
        file.truncate(whole_bytes)
        file.seek(whole_bytes)
        return cls(path, file, lines[0], lines[1:])

    def append(self, entry: Mapping[str, Any], sync: bool = False) -> None:
        """Write one piece down; with `sync` it survives a power failure too."""
        with self._lock:
            self._file.write(orjson.dumps(entry) + b"\n")
            if sync:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """All is done."""
        self._file.close()
        self.path.unlink()


def never_begun(path: Path) -> bool:
    """Whether a journal's process ended before the first line was whole. Another file of one line is not taken."""
    with path.open("rb") as file:
        line = file.readline()
    return not line.endswith(b"\n") and (line.startswith(_HEAD) or _HEAD.startswith(line))


def _locked(path: Path, file: Any) -> Any:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Problem(f"another process works on this: {path} is locked") from error
    return file


def _whole_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The lines up to the first that is torn, and their length in bytes."""
    lines: list[dict[str, Any]] = []
    size = 0
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            lines.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            break
        size += len(line)
    return lines, size
