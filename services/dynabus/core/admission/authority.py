"""The owner of a table's buckets: the leader of the table's partition with the lowest number. It leases to routers.

What it knows is nowhere written down. After a fail-over the routers tell what the last authority told them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dynabus.core.admission.bucket import TokenBucket
from dynabus.core.admission.capacity import READ, WRITE, Peak, capacity_of
from dynabus.core.admission.messages import Grant, LeaseRequest, Spending, TokenLease

LEASE_MS = 5000
"""Time-limited tokens "of a few seconds" (ATC '22, section 4.5): what a dead router held is back after it."""

ON_THE_WAY_MS = 2000.0
"""A lease begins for the router when it asks, here when it is granted; what was spent at its end is told later."""

FORGOTTEN_MS = 60_000.0
"""Routers that have not asked for so long: they say what they spent when they ask again."""

LEARNING_MS = 3000.0
"""After a claim: every router that uses the table has heard of the new leader by then, and has asked it."""

ROUTERS_MOST = 10_000
"""Runs of routers whose newest request is remembered."""

Router = tuple[str, int]
"""(name, incarnation): another run of the same router counts from 0 again."""


@dataclass(slots=True)
class _Lessee:
    """What a router said last and what it was granted, in half units."""

    spent: int
    limit: int
    asked_ms: float
    wants: bool


class Pool:
    """One bucket, for reads or for writes, and who holds parts of it."""

    def __init__(self, description: Mapping[str, Any], dimension: int, now_ms: float, *, is_full: bool) -> None:
        self._description, self._dimension = description, dimension
        self.capacity = capacity_of(description, dimension)
        self.bucket = TokenBucket(self.capacity.rate, self.capacity.depth, now_ms)
        self._is_known = is_full
        if not is_full:
            self.bucket.set_level(self.capacity.rate)
        self._peak = Peak(now_ms)
        self._lessees: dict[Router, _Lessee] = {}
        self._heard_at_ms = float("-inf")
        self._taken = 0
        """Half units that were charged here since this authority began."""

    def change(self, description: Mapping[str, Any], now_ms: float) -> None:
        """The table's description changed, or its traffic has established another peak."""
        self._description = description
        capacity = capacity_of(description, self._dimension, self._peak.established)
        if capacity != self.capacity:
            self.capacity = capacity
            self.bucket.change(capacity.rate, capacity.depth, now_ms)

    def learn(self, told: Spending, at_ms: float, now_ms: float) -> None:
        """What an earlier authority said at `at_ms` of the bucket: the newest such word counts, and refill since."""
        if at_ms <= self._heard_at_ms:
            return
        self._heard_at_ms, self._is_known = at_ms, True
        if told["capacity"] > self.capacity.rate:
            self._peak.established = max(self._peak.established, told["capacity"] // 2)
            self.change(self._description, now_ms)
        refilled = self.capacity.rate * int(now_ms - at_ms) // 1000
        self.bucket.refill(now_ms)
        self.bucket.set_level(min(self.capacity.depth, told["level"] + refilled) - self._taken)

    def believe_full(self, now_ms: float) -> None:
        """Nobody said how full it is: nobody used the table."""
        if not self._is_known:
            self._is_known = True
            self.bucket.refill(now_ms)
            self.bucket.set_level(self.capacity.depth - self._taken)

    def grant(self, router: Router, told: Spending, now_ms: float) -> Grant:
        """Charge what was spent, and lease a fair part of what is free."""
        self.bucket.refill(now_ms)
        self._forget(now_ms)
        known = self._lessees.pop(router, None)
        self._charge(told["spent"] - (told["confirmed"] if known is None else known.spent), now_ms)
        free = self.bucket.level - sum(other.limit - other.spent for other in self._holding(now_ms))
        users = 1 + sum(other.wants and now_ms - other.asked_ms < LEASE_MS for other in self._lessees.values())
        granted = max(0, min(told["wanted"], -(-free // users)))
        self._lessees[router] = _Lessee(told["spent"], told["spent"] + granted, now_ms, told["wanted"] > 0)
        return {
            "spent": told["spent"],
            "granted": granted,
            "rate": max(1, self.capacity.rate // users),
            "level": self.bucket.level,
            "capacity": self.capacity.rate,
        }

    def _charge(self, units: int, now_ms: float) -> None:
        self.bucket.charge(units)
        self._taken += units
        before = self._peak.established
        self._peak.used(units, now_ms)
        if self._peak.established != before:
            self.change(self._description, now_ms)

    def _forget(self, now_ms: float) -> None:
        for router, lessee in list(self._lessees.items()):
            if now_ms - lessee.asked_ms > FORGOTTEN_MS:
                del self._lessees[router]

    def _holding(self, now_ms: float) -> Iterator[_Lessee]:
        """Those who may still spend."""
        for lessee in self._lessees.values():
            if now_ms < lessee.asked_ms + LEASE_MS + ON_THE_WAY_MS:
                yield lessee


class Authority:
    """Of one table. `since_ms` is when the leadership began; `is_first`: the table is new, nobody led it before."""

    def __init__(self, description: Mapping[str, Any], since_ms: float, *, is_first: bool, now_ms: float) -> None:
        self._since_ms = since_ms
        self._believes_at_ms = since_ms + LEARNING_MS
        self.pools = tuple(Pool(description, each, now_ms, is_full=is_first) for each in (READ, WRITE))
        self._numbers: dict[Router, int] = {}

    def change(self, description: Mapping[str, Any], now_ms: float) -> None:
        """The table was changed."""
        for pool in self.pools:
            pool.change(description, now_ms)

    def answer(self, request: LeaseRequest, node: str, now_ms: float) -> TokenLease | None:
        """A lease of reads and of writes; None for a request that is older than one that was answered."""
        router = (request["asker"], request["incarnation"])
        if request["number"] <= self._numbers.get(router, 0):
            return None
        self._numbers[router] = request["number"]
        if len(self._numbers) > ROUTERS_MOST:
            del self._numbers[next(iter(self._numbers))]
        heard_at_ms = now_ms - request["age_ms"]
        grants: list[Grant] = []
        for pool, told in zip(self.pools, request["shares"], strict=True):
            if request["age_ms"] >= 0 and heard_at_ms < self._since_ms:
                pool.learn(told, heard_at_ms, now_ms)
            elif now_ms >= self._believes_at_ms:
                pool.believe_full(now_ms)
            grants.append(pool.grant(router, told, now_ms))
        return {
            "incarnation": request["incarnation"],
            "number": request["number"],
            "log": request["log"],
            "node": node,
            "duration_ms": LEASE_MS,
            "shares": grants,
        }
