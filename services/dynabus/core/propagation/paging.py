"""Pages of rows that are asked for, to fill indexes: whom, when again, and what came. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.backfill import Page, page_of, page_part
from dynabus.core.messages import Reply, ReplyStatus
from dynabus.core.propagation.deliveries import Send
from dynabus.core.propagation.propagator import PageWish

AGAIN_MS = 200.0
"""After a refusal: the replica is behind, or is not a member any more."""

SILENT_MS = 2000.0

FIRST_COUNTER = 1 << 40
"""Apart from those of writes, which go to the same nodes and are answered on the same topic."""


@dataclass(slots=True)
class Paging:
    """`choose` picks one of several nodes."""

    view: ClusterView
    choose: Callable[[list[str]], str]
    pages: int = 0
    _asked: dict[int, tuple[PageWish, float]] = field(default_factory=dict)
    """By counter; until when it is waited for."""
    _not_before: dict[PageWish, float] = field(default_factory=dict)
    _came: list[tuple[PageWish, Page]] = field(default_factory=list)
    _counter: int = FIRST_COUNTER

    def __len__(self) -> int:
        return len(self._asked)

    def due(self, wishes: Iterable[PageWish], now_ms: float) -> list[Send]:
        """What is to be asked now; wishes that are no more are forgotten."""
        wanted = {*wishes}
        self._asked = {
            counter: (wish, until_ms)
            for counter, (wish, until_ms) in self._asked.items()
            if wish in wanted and now_ms < until_ms
        }
        self._not_before = {wish: at_ms for wish, at_ms in self._not_before.items() if wish in wanted}
        waiting = {wish for wish, _ in self._asked.values()}
        open_ones = [wish for wish in wanted - waiting if now_ms >= self._not_before.get(wish, 0.0)]
        return [send for wish in open_ones if (send := self._ask(wish, now_ms)) is not None]

    def _ask(self, wish: PageWish, now_ms: float) -> Send | None:
        log, number = wish.partition
        table = self.view.table(log)
        found = [each for each in (table.partitions if table is not None else ()) if each["number"] == number]
        nodes = [name for name, state in self.view.replicas_of(log, number, now_ms) if state["state"] == "active"]
        if not found or not nodes:
            self._not_before[wish] = now_ms + AGAIN_MS
            return None
        self._counter += 1
        self._asked[self._counter] = (wish, now_ms + SILENT_MS)
        part = page_part(log, number, found[0]["generation"], wish.position, wish.at_least)
        return Send(self.choose(nodes), self._counter, int(SILENT_MS), [part])

    def take(self, reply: Reply, now_ms: float) -> None:
        """An answer, of a page or of anything else."""
        wish, _ = self._asked.pop(reply["counter"], (None, 0.0))
        if wish is None:
            return
        part = reply["parts"][0]
        if part["status"] != ReplyStatus.OK:
            self._not_before[wish] = now_ms + AGAIN_MS
            return
        self.pages += 1
        self._came.append((wish, page_of(part)))

    def take_pages(self) -> list[tuple[PageWish, Page]]:
        """What came since the last call."""
        came, self._came = self._came, []
        return came
