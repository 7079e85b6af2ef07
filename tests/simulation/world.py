"""Time: a heap of events. Milliseconds since the history began."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any


class World:
    """The clock and the dice of one history."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now_ms = 0.0
        self.events = 0
        """Events that mean something: appends, deliveries, answers, faults; not ticks."""
        self.faults: list[str] = []
        self.trace: list[str] | None = None
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0

    def after(self, delay_ms: float, action: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.now_ms + delay_ms, self._order, action, arguments))

    def run_until(self, end_ms: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= end_ms:
            self.now_ms, _, action, arguments = heapq.heappop(heap)
            action(*arguments)
        self.now_ms = end_ms

    def note(self, text: str) -> None:
        """For a replay with --trace."""
        if self.trace is not None:
            self.trace.append(f"{self.now_ms:10.1f}  {text}")

    def fault(self, text: str) -> None:
        self.events += 1
        self.faults.append(f"{self.now_ms:.0f} ms {text}")
        self.note(f"FAULT {text}")
