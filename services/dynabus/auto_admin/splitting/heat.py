"""Sustained heat: which partitions a split would help, from what their leaders tell. Pure; time is passed in.

A partition is to be split when, over the last window, its reads or its writes took `percent` of the partition's cap
or more on average. Time of which nothing was told counts as cold, so a window is full only after so long, children
begin anew after a split, and a leader's death cannot make a partition hot. What exceeds the cap counts as the cap:
a moment of great demand is not sustained.

Where the leader says that no split would help, there is none, and the plan says why. Every auto-admin listens,
standbys too, so a new active one knows the last minutes.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from dynabus.core.admission.messages import NodeHeat, PartitionHeat

FULL = 1000
"""Thousandths of the cap."""

FRESH_MS = 20_000.0
"""Four periods of a node: who said nothing for so long is not hot now."""

KINDS = ("reads", "writes")

Place = tuple[str, int]
"""(table id, partition)."""


class HeatRule(NamedTuple):
    """As the settings have it; `partitions_most` 0: no partition is split for heat."""

    percent: int
    window_ms: float
    partitions_most: int


class Told(NamedTuple):
    """One period of a hot partition, in thousandths of its cap."""

    at_ms: float
    period_ms: float
    heat: tuple[int, ...]


class Verdict(NamedTuple):
    """Of a partition that is hot. `at` None: it is not split, and `against` says why (empty: not known yet)."""

    why: str
    at: bytes | None
    against: str


class HeatBook:
    """What was told of hot partitions within the last window."""

    def __init__(self, rule: HeatRule) -> None:
        self.rule = rule
        self._history: dict[Place, deque[Told]] = {}
        self._newest: dict[Place, PartitionHeat] = {}
        self._swept_ms = 0.0

    def told(self, message: NodeHeat, now_ms: float) -> None:
        """A node's message; replicas that are not hot, or do not lead, say nothing of heat."""
        for each in message["partitions"]:
            if each["heat"]:
                place = (each["log"], each["partition"])
                heat = tuple(min(FULL, part) for part in each["heat"])
                self._history.setdefault(place, deque()).append(Told(now_ms, message["period_ms"], heat))
                self._newest[place] = each
        if now_ms - self._swept_ms > FRESH_MS:
            self._swept_ms = now_ms
            self._sweep(now_ms)

    def _sweep(self, now_ms: float) -> None:
        """Forget what is older than the window."""
        for place, history in list(self._history.items()):
            while history and history[0].at_ms <= now_ms - self.rule.window_ms:
                history.popleft()
            if not history:
                del self._history[place], self._newest[place]

    def levels(self, place: Place) -> tuple[float, ...]:
        """Reads and writes over the window that ends with what was told last, in percent of the cap."""
        history, sums = list(self._history.get(place, ())), [0.0, 0.0]
        since_ms = history[-1].at_ms - self.rule.window_ms if history else 0.0
        for each in history:
            within_ms = min(each.period_ms, each.at_ms - since_ms)
            if within_ms > 0:
                sums = [total + within_ms * part for total, part in zip(sums, each.heat, strict=True)]
        return tuple(100 * total / FULL / self.rule.window_ms for total in sums)

    def places(self) -> list[Place]:
        """Partitions that are hot or were within the window."""
        return list(self._history)

    def verdict(self, place: Place, partitions: int, now_ms: float) -> Verdict | None:
        """None: it is not hot. `partitions`: how many its table has."""
        newest = self._newest.get(place)
        if newest is None or now_ms - self._history[place][-1].at_ms > FRESH_MS:
            return None
        levels = self.levels(place)
        hottest = levels.index(max(levels))
        if round(levels[hottest], 6) < self.rule.percent:
            return None
        why = (
            f"{KINDS[hottest]} took {levels[hottest]:.0f} % of a partition's cap in the last "
            f"{self.rule.window_ms / 1000:.0f} s"
        )
        if partitions >= self.rule.partitions_most:
            limit = f"its table has {partitions} partitions, and heat makes {self.rule.partitions_most} at most"
            return Verdict(why, None, limit)
        return Verdict(why, newest["at"], newest["why"])
