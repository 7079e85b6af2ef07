"""How far a long work is: a bar on a terminal, otherwise a line every few seconds. On standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY_S = 5.0
"""Seldom enough for a log that is kept, often enough to see that it goes on."""


class Progress:
    """Counts items, from any thread. `total` and `done` (by an earlier run) are items; no total, no percentage."""

    def __init__(
        self,
        what: str,
        total: int | None = None,
        done: int = 0,
        stream: TextIO | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.count = 0
        self._what, self._total, self._before = what, total, done
        self._stream = sys.stderr if stream is None else stream
        self._now = now
        self._lock = Lock()
        self._began_s = self._said_s = now()
        self._bar = _bar(what, total, done, self._stream) if self._stream.isatty() else None

    def add(self, items: int) -> None:
        with self._lock:
            self.count += items
            if self._bar is not None:
                self._bar.update(items)
            elif self._now() - self._said_s >= LINE_EVERY_S:
                self._said_s = self._now()
                self._print(self._line())

    def note(self, line: str) -> None:
        """A line that stays, above the bar."""
        with self._lock:
            self._print(line)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def figures(self) -> str:
        """Items of this run, seconds, items per second."""
        seconds = max(self._now() - self._began_s, 0.001)
        return f"{self.count:,} items in {seconds:,.1f} s ({self.count / seconds:,.0f} items/s)"

    def _line(self) -> str:
        of = f" of {self._total:,}" if self._total else ""
        return f"{self._what}: {self._before + self.count:,}{of} items, {self._rate():,.0f} items/s"

    def _rate(self) -> float:
        return self.count / max(self._now() - self._began_s, 0.001)

    def _print(self, line: str) -> None:
        text = f"dynabus: {line}"
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)


def _bar(what: str, total: int | None, done: int, stream: TextIO) -> tqdm[Any]:
    from tqdm import tqdm

    return tqdm(desc=what, total=total, initial=done, unit=" items", unit_scale=True, file=stream, dynamic_ncols=True)
