"""How old a request is, judged by its broker's append times alone: two hosts' clocks are never compared.

The broker stamps each message when it appends it (LogAppendTime). The difference between receiving and appending is
the message's way plus an unknown constant between the two clocks; the smallest difference seen belongs to the
fastest way, so whatever a message has above it is time that it has lain somewhere. It also tells what the broker's
clock says now, by which a node sees that its own is off. Pure: times are passed in.
"""

from __future__ import annotations

WINDOW_MS = 30_000.0
"""Clocks drift, and a broker's may be set: the smallest difference is that of this and the previous window, so that
after a broker's clock was set back, requests look too old for a minute at most."""


class BrokerClock:
    """For the messages of one topic partition. A change of Kafka's leader is a change of clocks: it starts anew."""

    __slots__ = ("_before", "_epoch", "_smallest", "_window_ends_ms")

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._smallest = self._before = float("inf")
        self._window_ends_ms = float("-inf")

    def age_ms(self, received_ms: float, appended_ms: int, leader_epoch: int | None) -> float:
        """How long the message has waited; learns from it. `received_ms` is of this host's clock."""
        if leader_epoch != self._epoch:
            self._epoch = leader_epoch
            self._smallest = self._before = float("inf")
        difference = received_ms - appended_ms
        if received_ms >= self._window_ends_ms:
            self._before, self._smallest = self._smallest, difference
            self._window_ends_ms = received_ms + WINDOW_MS
        elif difference < self._smallest:
            self._smallest = difference
        return max(0.0, difference - min(self._smallest, self._before))

    def time_ms(self, now_ms: float) -> float | None:
        """What the broker's clock says at least, in milliseconds since 1970; None: it was not heard yet."""
        smallest = min(self._smallest, self._before)
        return None if smallest == float("inf") else now_ms - smallest
