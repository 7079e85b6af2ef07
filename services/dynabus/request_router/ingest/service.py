"""Commands in the event loop: kept in lanes, asked of leaders many at a time, told what came of them.

Commands that go to one partition travel in one message as far as they have come together; meanwhile others collect. A
command that nobody decided (throttled, no leader, too much under way) is tried again from the start, since its table
may have changed, and its lane waits. It is never given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import orjson

from dynabus.adapters.kafka.outbox import Outbox
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import logger
from dynabus.core.errors import ApiError, resource_not_found
from dynabus.core.ingest.attempts import Attempt, begin
from dynabus.core.ingest.done_behind import encode_done
from dynabus.core.ingest.lanes import Work
from dynabus.core.ingest.results import Status
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Context
from dynabus.core.topics import Topics
from dynabus.request_router.ingest.reader import Arrival, Batch, Reader, Share
from dynabus.request_router.ingest.tasks import Bad, Refusal, Task, What, lane_of, tasks_of
from dynabus.request_router.ingest.telling import Telling

PARTS_MOST = 200
"""Of one message: a leader answers a turn's writes together, and its inbox has others' requests too."""

MESSAGES_MOST = 4
"""Under way to one partition: while one is answered the next one is there."""

HELD_MOST = 2000
"""Commands of one topic partition that wait; beyond it the topic partition is paused. A second or two of its work."""

HELD_BYTES_MOST = 8 << 20

DONE_MS = 500.0
"""Between two looks at what is done behind commands that wait: as often as it is committed."""

AGAIN_MS, AGAIN_MOST_MS = 50.0, 2000.0
"""Until a command that was not decided is tried again, doubled each time."""

DOUBLINGS_MOST = 10

Ask = Callable[[list[Call]], Awaitable[list[ReplyPart | None]]]
"""Admission and leaders, as for a batch over HTTP. Raises ApiError where too much is under way."""

Try = tuple[Share, "Work[What]", Attempt]


@dataclass(slots=True)
class _Pool:
    """Commands for one partition of a table."""

    waiting: deque[Try] = field(default_factory=deque)
    under_way: int = 0


class Ingest:
    """`ask` and `context` are the router's; `again` counts tries that decided nothing."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        context: Context,
        ask: Ask,
        now_ms: Callable[[], float],
        failed: Callable[[], None],
    ) -> None:
        self._topics, self._context, self._ask, self._now_ms, self._failed = topics, context, ask, now_ms, failed
        self._loop = asyncio.get_running_loop()
        self.outbox = Outbox(kafka, now_ms)
        self.reader = Reader(kafka, topics.ingesters, self._deliver, self._reader_failed)
        self.telling = Telling(self.outbox, topics, self._has_outcomes)
        self._pools: dict[tuple[str, int], _Pool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted: set[str] = set()
        self._table_of: dict[str, str] = {}
        """By topic, of all that ever took commands: some may be read still when a table is switched off."""
        self._takers: set[str] = set()
        """Ids of tables that ever took commands."""
        self._is_closed = False
        self._told_ms = float("-inf")
        self.again = 0

    # -- what the router tells ------------------------------------------------------------------------------------

    def tables_changed(self) -> None:
        """Metadata have news: whose commands are to be read."""
        takers = {name: each.id for name, each in self._context.view.tables.items() if each.ingest}
        self._takers.update(takers.values())
        wanted = takers.keys()
        if wanted == self._wanted:
            return
        self._wanted = {*wanted}
        own = {self._topics.ingest(name).name: name for name in wanted}
        self._table_of.update(own)
        self.reader.subscribe([*own, self._topics.common_ingest().name] if own else [])

    def tick(self) -> None:
        """Now and then: deliveries, commands whose time has come, topic partitions that are full."""
        self.outbox.serve()
        if (now_ms := self._now_ms()) >= self._told_ms + DONE_MS:
            self._told_ms = now_ms
            for share in self.reader.shares:
                share.done_behind = encode_done(share.lanes.done_behind())
        self._go_on()

    def counts(self) -> dict[str, tuple[str, float]]:
        """For metrics."""
        return {
            "commands_applied": ("Commands from Kafka that were applied", self.telling.applied),
            "commands_refused": ("Commands from Kafka that were refused", self.telling.refused),
            "commands_unreadable": ("Dead letters", self.telling.unreadable),
            "commands_tried_again": ("Tries of commands that decided nothing: throttled, no leader", self.again),
            "outcomes_sent_again": ("Outcomes that were not delivered", self.outbox.failed),
        }

    @property
    def held(self) -> int:
        """Commands that are not done."""
        return sum(share.lanes.held for share in self.reader.shares)

    async def close(self) -> None:
        """Outcomes first: what is delivered is committed then. What is under way comes again, elsewhere."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.to_thread(self.outbox.close, 2)
        await asyncio.to_thread(self.reader.close)

    def _has_outcomes(self, name: str) -> bool:
        table = self._context.view.tables.get(name)
        return table is not None and table.id in self._takers

    def _deliver(self, batch: Batch) -> None:
        """In the reader's thread."""
        self._loop.call_soon_threadsafe(self._take_or_fail, batch)

    def _reader_failed(self) -> None:
        self._loop.call_soon_threadsafe(self._failed)

    # -- commands -------------------------------------------------------------------------------------------------

    def _take_or_fail(self, batch: Batch) -> None:
        """A defect must not skip a message: later ones would be committed over it."""
        try:
            self.take(batch)
        except Exception:
            logger().exception("ingest failed")
            self._is_closed = True
            self._failed()

    def take(self, batch: Batch) -> None:
        """Messages, in the order of their topic partitions."""
        for share, arrivals in batch if not self._is_closed else ():
            for arrival in arrivals:
                if not share.gone:
                    self._take(share, arrival)
        self._go_on()

    def _take(self, share: Share, arrival: Arrival) -> None:
        table = self._table_of.get(share.topic)
        if arrival.offset in share.passed_by:
            share.lanes.take(arrival.offset, len(arrival.value or b""), [])
            return
        found = tasks_of(share, arrival, table, self._context, self._wanted.__contains__)
        commands = [(lane_of(each), each) for each in found]
        for work in share.lanes.take(arrival.offset, len(arrival.value or b""), commands):
            self._tell_at_once(work.what, partial(share.lanes.delivered, work))

    def _tell_at_once(self, what: What, done: Callable[[], None]) -> None:
        if isinstance(what, Bad):
            self.telling.dead_letter(what.source, what.poison, done)
        elif isinstance(what, Refusal):
            self.telling.outcome(what.source, what.command, Status.REFUSED, what.answer, done)

    # -- asking ---------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        now_ms = self._now_ms()
        for share in self.reader.shares:
            lanes = share.lanes
            for work in lanes.ready(now_ms, HELD_MOST):
                self._pool(share, work)
            part = 2 if share.full else 1  # begun again only when half is done: a pause throws away what was fetched
            share.full = lanes.held > HELD_MOST // part or lanes.held_bytes > HELD_BYTES_MOST // part
        for where, pool in [*self._pools.items()]:
            self._send(where, pool)

    def _pool(self, share: Share, work: Work[What]) -> None:
        task = work.what
        assert isinstance(task, Task), "nothing else has a lane"
        attempt = task.attempt or self._begin_again(share, work, task)
        if attempt is not None:
            table = self._context.view.now(attempt.call.table)
            where = (table.id, table.partition_of(attempt.call.route)["number"])
            self._pools.setdefault(where, _Pool()).waiting.append((share, work, attempt))

    def _begin_again(self, share: Share, work: Work[What], task: Task) -> Attempt | None:
        """None: it is refused by now. For a table that was made anew under the name it was not meant."""
        try:
            attempt = begin(task.command, task.token, self._context)
            if attempt.call.table.id != task.table_id:
                raise resource_not_found("Requested resource not found")
        except ApiError as error:
            self._answer(share, work, task, Status.REFUSED, orjson.dumps(error.body()))
            return None
        return attempt

    def _send(self, where: tuple[str, int], pool: _Pool) -> None:
        while pool.waiting and pool.under_way < MESSAGES_MOST:
            batch = [pool.waiting.popleft() for _ in range(min(PARTS_MOST, len(pool.waiting)))]
            pool.under_way += 1
            task = self._loop.create_task(self._try(pool, [each for each in batch if not each[0].gone]))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        if not pool.waiting and not pool.under_way:
            del self._pools[where]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger().error("ingest failed", exc_info=error)
            self._failed()

    async def _try(self, pool: _Pool, batch: list[Try]) -> None:
        try:
            replies = await self._ask([attempt.call for _, _, attempt in batch]) if batch else []
        except ApiError:
            replies = [None] * len(batch)
        pool.under_way -= 1
        now_ms = self._now_ms()
        for (share, work, attempt), reply in zip(batch, replies, strict=True):
            if not share.gone:
                self._decide(share, work, attempt, reply, now_ms)
        self._go_on()

    def _decide(
        self, share: Share, work: Work[What], attempt: Attempt, reply: ReplyPart | None, now_ms: float
    ) -> None:
        task = work.what
        assert isinstance(task, Task)
        if reply is None or reply["status"] == ReplyStatus.THROTTLED:
            self.again += 1
            task.attempt = None
            pause_ms = min(AGAIN_MS * 2 ** min(work.tries, DOUBLINGS_MOST), AGAIN_MOST_MS)
            share.lanes.again(work, now_ms + pause_ms)
            return
        status, answer = attempt.end(reply)
        seen = f"{attempt.call.table.id}/{reply['place'].decode()}" if reply["place"] else None
        self._answer(share, work, task, status, answer, seen)

    def _answer(
        self, share: Share, work: Work[What], task: Task, status: Status, answer: bytes, seen: str | None = None
    ) -> None:
        share.lanes.answered(work)
        self.telling.outcome(task.source, task.command, status, answer, partial(share.lanes.delivered, work), seen)
