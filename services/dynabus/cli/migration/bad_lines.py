"""Items that cannot be imported: the first one stops the import, or they are counted and the first ones listed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from dynabus.cli.problem import Problem

LISTED_MOST = 100
"""Whoever has more has one mistake a hundred times."""


class BadLines:
    """Those of this run."""

    def __init__(self, skip: bool, say: Callable[[str], None]) -> None:
        self.count = 0
        self._skip = skip
        self._say = say
        self._lock = Lock()

    def report(self, origin: str, why: str) -> None:
        """Raises Problem unless bad lines are skipped."""
        if not self._skip:
            raise Problem(f"{origin}: {why}; mend it and --resume, or leave such items out with --skip-bad")
        with self._lock:
            self.count += 1
            if self.count <= LISTED_MOST:
                self._say(f"left out {origin}: {why}")
            if self.count == LISTED_MOST:
                self._say(f"{LISTED_MOST} items are left out; more are counted, not listed")

    def summary(self) -> str:
        return f"; {self.count:,} left out" if self.count else ""
