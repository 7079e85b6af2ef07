"""How long an answer may take before it is asked for again: the timer of TCP (RFC 6298), one for each node.

A constant one feeds an overload: once answers take longer than it, each request is sent many times, which is more
work for who is slow already. Other than in TCP a request that was sent again counts too, from its first copy on: what
it took is never too short, and while all of them are sent again there would be nothing to learn from. And there is a
most: answers that waited for a fail-over say nothing of the next ones, and a message that was lost must be sent
again, to others at last, well within its deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SMOOTHED, VARIED, VARIATIONS = 1 / 8, 1 / 4, 4
"""RFC 6298's alpha, beta and K."""

BACK_OFF_MOST_MS = 1000.0
"""Doubled for each silence up to here, or what answers take: a new leader is found by asking."""

USUAL_MOST_MS = 2000.0
"""A fifth of a request's usual deadline."""


@dataclass(slots=True)
class _Node:
    smoothed_ms: float
    variation_ms: float


@dataclass(slots=True)
class RoundTrips:
    """Of requests to nodes, in milliseconds; pure."""

    least_ms: float
    _nodes: dict[str, _Node] = field(default_factory=dict)

    def took(self, node: str, ms: float) -> None:
        """An answer of this node came after so long."""
        known = self._nodes.get(node)
        if known is None:
            self._nodes[node] = _Node(ms, ms / 2)
            return
        known.variation_ms += VARIED * (abs(known.smoothed_ms - ms) - known.variation_ms)
        known.smoothed_ms += SMOOTHED * (ms - known.smoothed_ms)

    def timeout_ms(self, node: str, silences: int) -> float:
        """For a request that was met with so many silences before."""
        known = self._nodes.get(node)
        usual = self.least_ms
        if known is not None:
            took_ms = known.smoothed_ms + VARIATIONS * known.variation_ms
            usual = max(usual, min(took_ms, USUAL_MOST_MS))
        return min(usual * 2.0**silences, max(usual, BACK_OFF_MOST_MS))
