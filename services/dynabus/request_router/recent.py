"""What this router's clients wrote a moment ago, so that they read it back.

An eventually consistent read may go to any replica, and followers are tens of milliseconds behind, by their loop and
by Kafka's way. DynamoDB's own replicas are mostly faster than that, and programs have come to count on it. So what
was just written through this router is read at the leader, and all else anywhere (ours; no promise: another router's
clients may be told of the state before).
"""

from __future__ import annotations

RECENT_MS = 250.0
"""Followers look every 50 ms and were seen 106 ms behind on a busy machine."""

REMEMBERED_MOST = 20_000
"""More is forgotten, oldest first: at such a rate single reads say little anyway."""


class RecentWrites:
    """Keys and partitions with the time of their last acknowledged write, oldest first."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, bytes], float] = {}
        self._partitions: dict[tuple[str, int], float] = {}

    def wrote(self, log: str, partition: int, key: bytes, now_ms: float) -> None:
        """A write of a key was acknowledged."""
        keys = self._keys
        keys.pop((log, key), None)
        keys[log, key] = self._partitions[log, partition] = now_ms
        oldest = next(iter(keys))
        while len(keys) > REMEMBERED_MOST or now_ms - keys[oldest] > RECENT_MS:
            del keys[oldest]
            oldest = next(iter(keys))

    def has_key(self, log: str, key: bytes, now_ms: float) -> bool:
        """Whether this item was just written."""
        return now_ms - self._keys.get((log, key), float("-inf")) <= RECENT_MS

    def has_partition(self, log: str, partition: int, now_ms: float) -> bool:
        """Whether any item of this partition was just written."""
        return now_ms - self._partitions.get((log, partition), float("-inf")) <= RECENT_MS
