"""So many bytes a second: a debt that time pays."""

from __future__ import annotations


class Pace:
    """`bytes_per_s` 0: as fast as it goes."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_ms = 0.0

    @property
    def throttled(self) -> bool:
        return self._bytes_per_s > 0

    def spend(self, size: int, now_ms: float) -> None:
        """So many bytes were sent or received. Time in which nothing was is not saved up: no bursts."""
        if self.throttled:
            self._free_ms = max(self._free_ms, now_ms) + 1000.0 * size / self._bytes_per_s

    def wait_ms(self, now_ms: float) -> float:
        """Until the next bytes may go."""
        return max(0.0, self._free_ms - now_ms)
