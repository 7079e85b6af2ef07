"""Pages of rows that are asked for, to fill indexes and to sweep them: whom, when again, and what came. Pure
bookkeeping.

| for        | asked of                                               | the page is given on                        |
|------------|--------------------------------------------------------|---------------------------------------------|
| a backfill | any replica of the table's partition                   | as it came                                  |
| a sweep    | the leader of the index's partition at that position   | items that are the table's partition's      |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes import index_log
from dynabus.core.global_indexes.backfill import Page, page_of, page_part
from dynabus.core.global_indexes.view import LABEL
from dynabus.core.ids import LogId
from dynabus.core.messages import SEALED, PartitionMetadata, Reply, ReplyStatus
from dynabus.core.propagation.deliveries import Send
from dynabus.core.propagation.propagator import PageWish
from dynabus.core.propagation.sweeps import Sweep, sweep_of
from dynabus.core.published_table import Table

AGAIN_MS = 200.0
"""After a refusal: the replica is behind, or is not a member any more."""

SILENT_MS = 2000.0

FIRST_COUNTER = 1 << 40
"""Apart from those of writes, which go to the same nodes and are answered on the same topic."""


class _Asked(NamedTuple):
    """`of`: the partition that answers; `table`, `own`: for a sweep, the table and its partition."""

    wish: PageWish
    until_ms: float
    of: tuple[LogId, PartitionMetadata]
    table: Table
    own: PartitionMetadata


@dataclass(slots=True)
class Paging:
    """`choose` picks one of several nodes."""

    view: ClusterView
    choose: Callable[[list[str]], str]
    pages: int = 0
    _asked: dict[int, _Asked] = field(default_factory=dict)
    """By counter."""
    _not_before: dict[PageWish, float] = field(default_factory=dict)
    _came: list[tuple[PageWish, Page]] = field(default_factory=list)
    _counter: int = FIRST_COUNTER

    def __len__(self) -> int:
        return len(self._asked)

    def due(self, wishes: Iterable[PageWish], now_ms: float) -> list[Send]:
        """What is to be asked now; wishes that are no more are forgotten."""
        wanted = {*wishes}
        self._asked = {
            counter: asked
            for counter, asked in self._asked.items()
            if asked.wish in wanted and now_ms < asked.until_ms
        }
        self._not_before = {wish: at_ms for wish, at_ms in self._not_before.items() if wish in wanted}
        waiting = {asked.wish for asked in self._asked.values()}
        open_ones = [wish for wish in wanted - waiting if now_ms >= self._not_before.get(wish, 0.0)]
        return [send for wish in open_ones if (send := self._ask(wish, now_ms)) is not None]

    def _ask(self, wish: PageWish, now_ms: float) -> Send | None:
        log, number = wish.partition
        table, sweep = self.view.table(log), sweep_of(wish.label)
        own = next((each for each in (table.partitions if table else ()) if each["number"] == number), None)
        if table is not None and own is not None:
            send = (
                self._ask_replica(wish, table, own, now_ms)
                if sweep is None
                else self._ask_leader(wish, table, own, sweep, now_ms)
            )
            if send is not None:
                return send
        self._not_before[wish] = now_ms + AGAIN_MS
        return None

    def _ask_replica(self, wish: PageWish, table: Table, own: PartitionMetadata, now_ms: float) -> Send | None:
        log, number = wish.partition
        replicas = self.view.replicas_of(log, number, now_ms)
        nodes = [name for name, state in replicas if state["state"] == "active"]
        if not nodes:
            return None
        part = page_part(log, number, own["generation"], wish.position, wish.at_least)
        counter = self._count(_Asked(wish, now_ms + SILENT_MS, (log, own), table, own))
        return Send(self.choose(nodes), counter, int(SILENT_MS), [part])

    def _ask_leader(
        self, wish: PageWish, table: Table, own: PartitionMetadata, sweep: Sweep, now_ms: float
    ) -> Send | None:
        index = self.view.table(index_log(table.id, sweep.of.removeprefix(LABEL)))
        if index is None or not index.partitions:
            return None
        partition = index.partition_of(wish.position)
        led = self.view.leader(index.id, partition["number"])
        node = led[1] if led is not None else self.choose(partition["members"])
        log, number = LogId(index.id), partition["number"]
        part = page_part(log, number, partition["generation"], wish.position, 0, sweep.generation)
        counter = self._count(_Asked(wish, now_ms + SILENT_MS, (log, partition), table, own))
        return Send(node, counter, int(SILENT_MS), [part])

    def _count(self, asked: _Asked) -> int:
        self._counter += 1
        self._asked[self._counter] = asked
        return self._counter

    def take(self, reply: Reply, now_ms: float) -> None:
        """An answer, of a page or of anything else."""
        asked = self._asked.pop(reply["counter"], None)
        if asked is None:
            return
        part = reply["parts"][0]
        if part["status"] != ReplyStatus.OK:
            if part["status"] == ReplyStatus.STALE_ROUTE and part["body"] == SEALED:
                self.view.sealed(asked.of[0], asked.of[1]["number"])
            self._not_before[asked.wish] = now_ms + AGAIN_MS
            return
        self.pages += 1
        page = page_of(part)
        self._came.append((asked.wish, page if sweep_of(asked.wish.label) is None else _swept(asked, page)))

    def take_pages(self) -> list[tuple[PageWish, Page]]:
        """What came since the last call."""
        came, self._came = self._came, []
        return came


def _swept(asked: _Asked, page: Page) -> Page:
    """Of an index's partition: items of the table's one, and where to go on."""
    lower, upper = asked.own["lower"], asked.own["upper"]
    keys = [(asked.table.schema.encode_item(item), item) for item in page.items]
    items = [item for key, item in keys if key >= lower and (upper is None or key < upper)]
    return Page(items, page.next_offset, asked.of[1]["upper"] if page.behind is None else page.behind)
