"""Routers, one authority at a time and a bus with delays, on one modelled clock: the real brains, nothing else."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from tests.unit.core.admission.tables import get, put, table

from dynabus.core.admission import Mode
from dynabus.core.admission.admission import REFUSED, Admission
from dynabus.core.admission.authority import Authority
from dynabus.core.admission.messages import LeaseRequest, TokenLease
from dynabus.core.messages import ReplyStatus
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Outcome

TICK_MS = 100.0
DELAY_MS = (1.0, 8.0)
"""Of a message: Kafka on a busy machine."""


class World:
    """`authority` None: nobody leads. `loses` is the share of messages that never arrive."""

    def __init__(self, described: dict[str, Any], routers: int, seed: int = 1, loses: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.now_ms = 0.0
        self.table = table(described)
        self.description = described
        self.authority: Authority | None = Authority(described, 0.0, is_first=True, now_ms=0.0)
        self.messages = 0
        self.loses = loses
        self.forgets = False
        """A fault to be found: a new authority takes its bucket for full, and believes nobody."""
        self.routers = [self._router(number) for number in range(routers)]
        self.admitted, self.refused = [0] * routers, [0] * routers
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.after(TICK_MS, self._tick)

    def _router(self, number: int) -> Admission:
        def ask(_table: Table, request: LeaseRequest) -> None:
            self._deliver(lambda: self._answer(number, request))

        return Admission(Mode.ON, f"router-{number}", 1, ask, lambda: int(self.now_ms))

    def _deliver(self, arrival: Callable[[], None]) -> None:
        self.messages += 1
        if self.random.random() >= self.loses:
            self.after(self.random.uniform(*DELAY_MS), arrival)

    def _answer(self, number: int, request: LeaseRequest) -> None:
        if self.authority is None:
            return
        lease = self.authority.answer(request, "n1", self.now_ms)
        if lease is not None:
            self._deliver(lambda: self._heard(number, lease))

    def _heard(self, number: int, lease: TokenLease) -> None:
        self.routers[number].answered(lease, self.now_ms)

    def _tick(self) -> None:
        for router in self.routers:
            router.tick(self.now_ms)
        self.after(TICK_MS, self._tick)

    # -- what tests do ----------------------------------------------------------------------------------------

    def after(self, delay_ms: float, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now_ms + delay_ms, self._number, what))

    def offer(self, router: int, units_per_s: float, size: int = 100, until_ms: float = float("inf")) -> None:
        """Puts at a rate, at random moments."""

        def one() -> None:
            if self.now_ms < until_ms:
                self.put(router, size)
                self.after(self.random.expovariate(units_per_s) * 1000, one)

        self.after(self.random.expovariate(units_per_s) * 1000, one)

    def put(self, router: int, size: int = 100) -> bool:
        """One put, executed at once where it is admitted."""
        call = put(self.table, size)
        paid = self.routers[router].take(call, self.now_ms)
        if paid <= REFUSED:
            self.refused[router] += 1
            return False
        self.routers[router].settle(call, paid, Outcome(ReplyStatus.OK, size=size).part(0))
        self.admitted[router] += -(-size // 1024) or 1
        return True

    def get(self, router: int) -> bool:
        """One consistent read of a small item."""
        call = get(self.table)
        paid = self.routers[router].take(call, self.now_ms)
        if paid <= REFUSED:
            return False
        self.routers[router].settle(call, paid, Outcome(ReplyStatus.OK, size=100).part(0))
        return True

    def run(self, until_ms: float) -> None:
        while self._events and self._events[0][0] <= until_ms:
            self.now_ms, _, event = heapq.heappop(self._events)
            event()
        self.now_ms = until_ms

    def fail_over(self, leaderless_ms: float) -> None:
        """The authority dies; after a while another node leads, which knows nothing."""
        self.authority = None
        self.after(leaderless_ms, self._succeed)

    def _succeed(self) -> None:
        self.authority = Authority(self.description, self.now_ms, is_first=self.forgets, now_ms=self.now_ms)
        if self.forgets:
            self.authority._since_ms = float("-inf")

    def formula(self, rate: int) -> float:
        """Units that a bucket of this rate lets pass until now."""
        return 300 * rate + rate * self.now_ms / 1000
