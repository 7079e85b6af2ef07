"""How many changes may be sent: by all initial copies of a process together, or to one destination."""

from __future__ import annotations

import threading


class Allowance:
    """Any thread: who sends takes all that is there, at most a second's worth, and gives back the rest."""

    def __init__(self, items_per_s: int, now_ms: float) -> None:
        self.items_per_s = items_per_s
        self._items, self._at_ms = 0.0, now_ms
        self._lock = threading.Lock()

    def take(self, now_ms: float) -> float:
        """All that is there."""
        with self._lock:
            grown = self._items + max(0.0, now_ms - self._at_ms) * self.items_per_s / 1000
            self._at_ms = max(self._at_ms, now_ms)
            self._items, taken = 0.0, min(float(self.items_per_s), grown)
            return taken

    def give_back(self, items: float) -> None:
        """What was taken and not used."""
        with self._lock:
            self._items += items
