"""What was refused for its throughput, or would have been: counts of all, and the newest to be looked at."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from dynabus.core.keys.encoding import HASH_BYTES

KEPT_MOST = 1000
"""Events that are kept: an overload makes thousands a second, and which keys are hot is seen in the newest."""

COUNTED_MOST = 5000
"""Pairs of table and reason: twice the tables that may exist."""


class Event(NamedTuple):
    """One request, or part of one. `units` are the half units it was estimated to cost."""

    time_ms: int
    table: str
    partition: int
    key: bytes
    reason: str
    units: int


class Throttled:
    """Written by one thread; readers in others see whole events."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        """By (table, reason), since the process started."""
        self._events: deque[Event] = deque(maxlen=KEPT_MOST)

    def note(self, event: Event) -> None:
        """Keep and count it."""
        self._events.append(event)
        of = (event.table, event.reason)
        if of in self.counts or len(self.counts) < COUNTED_MOST:
            self.counts[of] = self.counts.get(of, 0) + 1

    def shown(self) -> dict[str, Any]:
        """As the page `/throttled` has it; units are capacity units."""
        return {
            "counts": [
                {"table": table, "reason": reason, "count": count}
                for (table, reason), count in sorted(dict(self.counts).items())
            ],
            "events": [
                {
                    "time_ms": event.time_ms,
                    "table": event.table,
                    "partition": event.partition,
                    "key": readable(event.key),
                    "reason": event.reason,
                    "units": event.units / 2,
                }
                for event in list(self._events)
            ],
        }


def readable(key: bytes) -> str:
    """The partition key of an encoded key, as text if it is text; numbers and binary values in hexadecimal digits."""
    encoded, _, _ = key[HASH_BYTES:].partition(b"\0\0")
    try:
        text = encoded.replace(b"\0\xff", b"\0").decode()
    except UnicodeDecodeError:
        return encoded.hex()
    return text if text.isprintable() else encoded.hex()
