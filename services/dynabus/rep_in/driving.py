"""Changes on their way to their leaders, in the event loop: asked many at a time, and again until they are decided.

| a leader says                 | then                                                                            |
|-------------------------------|---------------------------------------------------------------------------------|
| repeat, news, won, lost       | decided                                                                         |
| its clock is ahead            | this change again after a pause; it is an alarm meanwhile                       |
| another error of the API      | parked: it says so for ever                                                     |
| throttled, or nothing         | again after a pause, doubled each time, in which no change of the table is sent |

A change of a table that is not here, or does not know its source as one of its regions, waits for a minute, since
metadata may be behind; then it is parked. One for a table that was here before under this name is passed by with its
batch, which is not acknowledged: what is still to be sent comes again for the one that is here. Order does not
matter: versions decide (`core.global_tables.versions`).

Changes of now go as they come. Of those that were made more than `PAST_MS` ago no more are under way to a partition
than leaves its leader to the clients here (`core.global_tables.ledbat`). Each kind has a line, and messages, of its
own, so neither waits for the other: news does not stand behind another source's backlog or copy, and what is old goes
on at its window, however much news there is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from dynabus.adapters.logs import logger
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import CLOCK_AHEAD, ApiError
from dynabus.core.global_tables.ledbat import Delays, Ledbat
from dynabus.core.global_tables.rep_in import Import
from dynabus.core.global_tables.rep_out import Export
from dynabus.core.global_tables.versions import Meeting
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Code
from dynabus.core.published_table import Table
from dynabus.core.values import check_item_size, item_size, normalise_item
from dynabus.rep_in.inlet import Inlet
from dynabus.rep_in.tasks import Tasks
from dynabus.rep_in.telling import UNREACHED

PARTS_MOST = 200
"""Of one message: a leader answers a turn's writes together, and its inbox has others' requests too."""

MESSAGES_MOST = 4
"""Under way to one partition: while one is answered the next one is there."""

PAST_MS = 5_000.0
"""Of what is older nobody waits for the next one."""

WINDOWS_MOST = 10_000
"""Partitions whose windows are remembered."""

AGAIN_MS, AGAIN_MOST_MS = 50.0, 2000.0
"""The pause of a table, doubled each time."""

UNKNOWN_MS, LOOK_MS = 60_000.0, 200.0
"""How long a table may be unknown, and between two looks for it."""

AHEAD_MS = 5_000.0
"""Until a change whose time has not come is asked for again, which costs units of its table as any write."""

PASSING = ("InternalServerError", "ResourceNotFoundException")
"""Errors that are no decision: the table is being made or deleted, or its leader could not do it."""

Ask = Callable[[list[Call]], Awaitable[list[ReplyPart | None]]]
"""Admission and leaders, as for a batch over HTTP. Raises ApiError where too much is under way."""

Park = Callable[[str, Export, str], Awaitable[None]]
"""(source, change, why)."""


class Wanted(NamedTuple):
    """A change that is asked for."""

    inlet: Inlet
    wanted: Import
    call: Call


@dataclass(slots=True)
class _Line:
    """Changes that wait, in order; messages and changes under way. `window`: of the past; None: of now."""

    window: Ledbat | None = None
    waiting: deque[Wanted] = field(default_factory=deque)
    messages: int = 0
    changes: int = 0

    def room(self) -> int:
        """How many changes the next message may have; 0: it has to wait."""
        if not self.waiting or self.messages >= MESSAGES_MOST:
            return 0
        if self.window is None:
            return PARTS_MOST
        room = int(self.window.size) - self.changes
        # Few large messages instead of many small ones, which cost more.
        return min(PARTS_MOST, room) if room >= PARTS_MOST or not self.changes else 0


class _Pool(NamedTuple):
    """Of one partition of a table."""

    table: str
    window: Ledbat
    news: _Line
    past: _Line


@dataclass(slots=True)
class _Pause:
    until_ms: float = 0.0
    next_ms: float = AGAIN_MS


class Driving:
    """`decided` is called for an inlet of which something was."""

    def __init__(
        self,
        view: ClusterView,
        ask: Ask,
        park: Park,
        decided: Callable[[Inlet], None],
        now_ms: Callable[[], float],
        wall_ms: Callable[[], int],
        tasks: Tasks,
        target_ms: float,
    ) -> None:
        self._view, self._ask, self._park = view, ask, park
        self._decided, self._now_ms, self._wall_ms, self._tasks = decided, now_ms, wall_ms, tasks
        self._target_ms = target_ms
        self._pools: dict[tuple[str, int], _Pool] = {}
        self._windows: dict[tuple[str, int], Ledbat] = {}
        self._delays = Delays()
        self._pauses: dict[str, _Pause] = {}
        self._unknown: dict[tuple[str, str], float] = {}
        """(source, table) that do not fit, since when."""
        self._ahead: dict[tuple[str, str], tuple[str, float]] = {}
        """(source, table): why changes wait for the clock, and until when that is known to be so."""
        self._later: list[tuple[float, Inlet, Import]] = []
        self.meetings: Counter[tuple[str, str, Meeting]] = Counter()
        """By source and table."""
        self._passed: dict[Inlet, None] = {}
        """Of which something was passed by."""
        self.passed = 0
        """Changes for a table that was here before, in batches that are not acknowledged."""
        self.again = 0
        """Tries that decided nothing."""

    def take(self, inlet: Inlet) -> None:
        """What its brain wants."""
        for wanted in inlet.brain.wanted():
            self._place(inlet, wanted)

    def go_on(self) -> None:
        """Send what may be sent now."""
        now_ms = self._now_ms()
        if self._later:
            due = [each for each in self._later if each[0] <= now_ms]
            self._later = [each for each in self._later if each[0] > now_ms]
            for _, inlet, wanted in due:
                if not inlet.gone:
                    self._place(inlet, wanted)
        if self._unknown:
            # Once all is parked, what comes later may be of the region's next life: it has a minute of its own.
            waits = {(inlet.region, wanted.export.table) for _, inlet, wanted in self._later}
            self._unknown = {where: since_ms for where, since_ms in self._unknown.items() if where in waits}
        for where, pool in [*self._pools.items()]:
            self._send(where, pool, now_ms)
        passed, self._passed = self._passed, {}
        for inlet in passed:
            if not inlet.gone:
                self._decided(inlet)

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """(source, table) whose changes wait for a table."""
        return [*self._unknown]

    @property
    def ahead(self) -> list[tuple[str, str, str]]:
        """(source, table, why) of changes that wait for the clock."""
        now_ms = self._now_ms()
        return [(*where, why) for where, (why, until_ms) in [*self._ahead.items()] if now_ms < until_ms]

    # -- placing --------------------------------------------------------------------------------------------------

    def _place(self, inlet: Inlet, wanted: Import) -> None:
        export = wanted.export
        where, table = (inlet.region, export.table), self._view.tables.get(export.table)
        if table is None or inlet.region not in table.regions:
            self._wait_for_table(where, inlet, wanted)
            return
        self._unknown.pop(where, None)
        if wanted.replica not in ("", table.id):
            # Of the life of another table. What could take its place is not here any more, or not known yet.
            inlet.brain.passed(wanted.number)
            self._passed[inlet] = None
            self.passed += 1
            return
        if not table.partitions:
            # It is being made, or recovered as a whole.
            self._later.append((self._now_ms() + LOOK_MS, inlet, wanted))
            return
        try:
            call = import_call(table, export)
        except (ApiError, orjson.JSONDecodeError) as error:
            self._tasks.begin(self._park_one(inlet, wanted, f"its item is none: {error}"))
            return
        number = table.partition_of(export.key)["number"]
        pool = self._pool((table.id, number), export.table)
        is_past = self._wall_ms() - export.version.stamp.ms >= PAST_MS
        (pool.past if is_past else pool.news).waiting.append(Wanted(inlet, wanted, call))

    def _pool(self, where: tuple[str, int], table: str) -> _Pool:
        if where not in self._pools:
            if len(self._windows) >= WINDOWS_MOST:
                self._windows.clear()
            window = self._windows.setdefault(where, Ledbat(self._target_ms))
            self._pools[where] = _Pool(table, window, _Line(), _Line(window))
        return self._pools[where]

    def _wait_for_table(self, where: tuple[str, str], inlet: Inlet, wanted: Import) -> None:
        now_ms = self._now_ms()
        since_ms = self._unknown.setdefault(where, now_ms)
        if now_ms - since_ms < UNKNOWN_MS:
            self._later.append((now_ms + LOOK_MS, inlet, wanted))
        else:
            reason = f"there is no global table {where[1]} here that has a replica in {where[0]}"
            self._tasks.begin(self._park_one(inlet, wanted, reason))

    # -- asking ---------------------------------------------------------------------------------------------------

    def _send(self, where: tuple[str, int], pool: _Pool, now_ms: float) -> None:
        pause, lines = self._pauses.get(pool.table), (pool.news, pool.past)
        for line in lines if pause is None or now_ms >= pause.until_ms else ():
            while room := line.room():
                taken = [line.waiting.popleft() for _ in range(min(room, len(line.waiting)))]
                line.messages += 1
                line.changes += len(taken)
                self._tasks.begin(self._try(pool, line, taken))
        if not any(line.waiting or line.messages for line in lines):
            del self._pools[where]

    async def _try(self, pool: _Pool, line: _Line, taken: list[Wanted]) -> None:
        batch = [each for each in taken if not each.inlet.gone]
        begun_ms = self._now_ms()
        try:
            replies = await self._ask([each.call for each in batch]) if batch else []
        except ApiError:
            replies = [None] * len(batch)
        line.messages -= 1
        line.changes -= len(taken)
        refused = False
        for each, reply in zip(batch, replies, strict=True):
            if not each.inlet.gone:
                refused |= self._judge(each, reply)
        if refused:
            self._pause(pool.table)
            pool.window.refused()
        elif batch:
            self._pauses.pop(pool.table, None)
            self._note(pool.window, len(batch), begun_ms)
        for inlet in dict.fromkeys(each.inlet for each in batch if not each.inlet.gone):
            self._decided(inlet)
        self.go_on()

    def _note(self, window: Ledbat, changes: int, begun_ms: float) -> None:
        now_ms = self._now_ms()
        self._delays.note(now_ms - begun_ms, now_ms)
        window.answered(changes, now_ms - begun_ms, self._delays.base_ms)

    def _judge(self, each: Wanted, reply: ReplyPart | None) -> bool:
        """Whether it was not decided."""
        if reply is not None and reply["status"] == ReplyStatus.OK:
            self._count(each, reply["body"])
            each.inlet.brain.decided(each.wanted.number)
            return False
        if reply is not None and reply["status"] == ReplyStatus.ERROR:
            error = orjson.loads(reply["body"])
            if error["__type"].endswith(f"#{CLOCK_AHEAD}"):
                self._wait_for_clock(each, error["message"])
                return False
            if not error["__type"].endswith(PASSING):
                reason = f"{error['__type'].rpartition('#')[2]}: {error.get('message', '')}"
                self._tasks.begin(self._park_one(each.inlet, each.wanted, reason))
                return False
        self.again += 1
        each.inlet.brain.refused(each.wanted.number)
        return True

    def _wait_for_clock(self, each: Wanted, why: str) -> None:
        now_ms, where = self._now_ms(), (each.inlet.region, each.wanted.export.table)
        if where not in {known[:2] for known in self.ahead}:
            logger().error("a change of another region waits", source=where[0], table=where[1], reason=why)
        self._ahead[where] = (why, now_ms + 2 * AHEAD_MS)
        self._later.append((now_ms + AHEAD_MS, each.inlet, each.wanted))

    def _count(self, each: Wanted, body: bytes) -> None:
        # What the write cost indexes may stand before it.
        for meeting in Meeting:
            if body.endswith(meeting.value.encode()):
                self.meetings[each.inlet.region, each.wanted.export.table, meeting] += 1

    def _pause(self, table: str) -> None:
        pause = self._pauses.setdefault(table, _Pause())
        pause.until_ms = self._now_ms() + pause.next_ms
        pause.next_ms = min(2 * pause.next_ms, AGAIN_MOST_MS)

    async def _park_one(self, inlet: Inlet, wanted: Import, reason: str) -> None:
        try:
            await self._park(inlet.region, wanted.export, reason)
        except UNREACHED as error:
            logger().warning("a change is not parked yet", table=wanted.export.table, why=str(error))
            self._later.append((self._now_ms() + AGAIN_MOST_MS, inlet, wanted))
            return
        if not inlet.gone:
            inlet.brain.decided(wanted.number)
            self._decided(inlet)


def import_call(table: Table, export: Export) -> Call:
    """The write of a change. Raises for what is no item of DynamoDB's."""
    value, size = b"", 0
    if export.item is not None:
        item = normalise_item(orjson.loads(export.item))
        value, size = orjson.dumps(item), item_size(item)
        check_item_size(size)
    version = export.version.encode()
    return Call(table, export.key, Code.IMPORT, True, True, export.key, value, size, version)
