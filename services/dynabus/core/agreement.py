"""Do the replicas of a partition hold the same? They say what their checksum is at which offset; here it is compared.

`Statements` is one replica's half: it says the checksum at the last multiple of `EVERY` that it passed, or at its
place while it rests, and repeats itself seldom. `Agreement` is what anybody hears.

Two replicas that folded one log to one offset hold the same rows, so different checksums there are an alarm. Who is
wrong is not told by a majority but by the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dynabus.core.checksum import signed
from dynabus.core.messages import ReplicaState

EVERY = 4096
"""Offsets: a second of full load. All replicas pass the same ones, at different times."""

AGAIN = 20
"""Heartbeats after which an old statement is repeated: whoever has started meanwhile hears it in half a minute."""

KEPT = 8
"""Statements kept of one replica: followers may be that many multiples behind and are still compared."""


class Statements:
    """Of one replica."""

    __slots__ = ("_mark", "_said", "_seen", "_silent")

    def __init__(self) -> None:
        self._mark: tuple[int, int] | None = None
        self._said: tuple[int, int] | None = None
        self._seen, self._silent = -1, 0

    def passed(self, offset: int, checksum: int) -> None:
        """Its place is at a multiple of `EVERY`."""
        self._mark = (offset, checksum)

    def say(self, offset: int, checksum: int) -> list[int]:
        """Once per heartbeat, with its place: [offset, checksum as a signed number], or nothing new."""
        resting, self._seen = offset == self._seen, offset
        now = (offset, checksum) if resting else self._mark
        self._silent += 1
        if now is None or (now == self._said and self._silent < AGAIN):
            return []
        self._said, self._silent = now, 0
        return [now[0], signed(now[1])]


class Difference(NamedTuple):
    """Replicas of one partition that hold different rows at one offset: `sums` by node."""

    log: str
    partition: int
    generation: int
    offset: int
    sums: Mapping[str, int]

    def __str__(self) -> str:
        groups: dict[int, list[str]] = {}
        for node, checksum in sorted(self.sums.items()):
            groups.setdefault(checksum, []).append(node)
        sides = " against ".join(", ".join(nodes) for nodes in sorted(groups.values()))
        return f"replicas differ at offset {self.offset}: {sides}"


class Agreement:
    """Fed with heartbeats."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], dict[str, tuple[int, dict[int, int]]]] = {}
        self._news: set[tuple[str, int]] = set()
        self._differing: dict[tuple[str, int], Difference] = {}
        self._unjudged: set[tuple[str, int]] = set()
        """Partitions of which something was heard since all differences were asked for."""

    def heard(self, node: str, state: ReplicaState) -> None:
        """What a node said of one of its replicas."""
        key, generation = (state["log"], state["partition"]), state["generation"]
        known = self._said.get(key, {}).get(node)
        if known is not None and (known[0] != generation or max(known[1]) > state["next_offset"]):
            # Another log, or a replica that begins anew: what it said before does not count.
            del self._said[key][node]
            self._unjudged.add(key)
            known = None
        if not state["checked"]:
            return
        offset, checksum = state["checked"]
        if known is None:
            known = self._said.setdefault(key, {})[node] = (generation, {})
        self._news.add(key)
        self._unjudged.add(key)
        known[1].pop(offset, None)
        known[1][offset] = checksum
        if len(known[1]) > KEPT:
            del known[1][min(known[1])]

    def forget(self, log: str) -> None:
        """The table is gone."""
        for key in [key for key in self._said if key[0] == log]:
            del self._said[key]
            self._news.discard(key)
            self._unjudged.discard(key)
            self._differing.pop(key, None)

    def take_news(self) -> set[tuple[str, int]]:
        """The partitions of which a statement was heard since the last call."""
        news, self._news = self._news, set()
        return news

    def difference(self, log: str, partition: int) -> Difference | None:
        """The newest one, if at the newest offset that a replica shares with another they are not equal."""
        found: Difference | None = None
        said = self._said.get((log, partition), {})
        for generation, sums in said.values():
            for offset in sorted(sums, reverse=True):
                there = {other: s[offset] for other, (g, s) in said.items() if g == generation and offset in s}
                if len(there) > 1:
                    if len(set(there.values())) > 1 and (found is None or offset > found.offset):
                        found = Difference(log, partition, generation, offset, there)
                    break
        return found

    def differences(self) -> list[Difference]:
        """Of all partitions; those of which nothing was heard since the last call are as they were."""
        for key in self._unjudged:
            found = self.difference(*key)
            if found is not None:
                self._differing[key] = found
            else:
                self._differing.pop(key, None)
        self._unjudged.clear()
        return [*self._differing.values()]
