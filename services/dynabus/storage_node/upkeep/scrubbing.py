"""Scrubs, as the loop sees them: which replica is next, its chunks one after the other, what was found.

One replica at a time. The loop commits before each chunk and takes the snapshot, a thread reads it, and the loop
takes what it read: between the two every applied mutation is told to the audit (`core.scrub`: why that is exact).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter

import orjson

from dynabus.adapters.lmdb import SnapshotClosed, StoreError
from dynabus.adapters.logs import logger
from dynabus.core.agreement import Difference
from dynabus.core.ids import NodeName, PartitionId
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.scrub import Audit, Damage
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.upkeep.scrub_reading import Chunk, Phase, Position, read_chunk

FIRST_MS = 60_000.0
"""After a replica was opened: a crash or another disk shows soon, and a start has other work first."""

LOOK_MS = 10_000.0
"""Between two looks at who is due, if nobody is known to be due before: a period is hours, and replicas are many."""

Respond = Callable[[Sender, Outcome], None]


@dataclass(slots=True)
class Scrub:
    """One pass under way."""

    hosted: Hosted
    began_ms: float
    audit: Audit = field(default_factory=Audit)
    position: Position = field(default_factory=Position)
    reading: Future[Chunk] | None = None
    pairs: int = 0
    size: int = 0
    found: list[Damage] = field(default_factory=list)


class Scrubs:
    """Counters since the process started: `pairs`, `size` (bytes), `passes`, `damage` (passes that found some)."""

    def __init__(self, me: NodeName, period_s: int, mb_per_s: float, respond: Respond) -> None:
        self._me = me
        self.pairs = self.size = self.passes = self.damage = 0
        self._period_ms, self._bytes_per_s, self._respond = period_s * 1000.0, mb_per_s * 1e6, respond
        self._current: Scrub | None = None
        self._look_ms = 0.0
        self._queue: deque[Hosted] = deque()
        self._asked: dict[Hosted, dict[Sender, None]] = {}
        self._compared: dict[PartitionId, int] = {}
        self._pool: ThreadPoolExecutor | None = None

    def ask(self, hosted: Hosted, sender: Sender | None = None) -> None:
        """Scrub it next, and tell the sender what was found; asking again changes nothing."""
        senders = self._asked.setdefault(hosted, {})
        if sender is not None:
            senders[sender] = None

    def step(self, replicas: Iterable[Hosted], now_ms: float) -> None:
        """Go on; called some ten times a second."""
        current = self._current
        if current is None:
            self._begin(replicas, now_ms)
        elif not usable(current.hosted):
            self._end(current, now_ms)
        elif current.reading is None:
            self._read_on(current, now_ms)
        elif current.reading.done():
            self._take(current, current.reading, now_ms)

    def compare(self, hosted: Hosted, difference: Difference | None) -> None:
        """Another replica holds something else at the same offset: look at once, and once only."""
        if difference is None or self._me not in difference.sums or not usable(hosted):
            return
        if self._compared.get(hosted.partition) != difference.offset:
            self._compared[hosted.partition] = difference.offset
            logger().error("replicas differ", partition=str(hosted.partition), reason=str(difference))
            self.ask(hosted)

    def close(self) -> None:
        """The process ends."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, replicas: Iterable[Hosted], now_ms: float) -> None:
        hosted = next(iter(self._asked), None) or self._due(replicas, now_ms)
        if hosted is not None:
            self._current = Scrub(hosted, now_ms)
            hosted.contents.watcher = self._current.audit

    def _due(self, replicas: Iterable[Hosted], now_ms: float) -> Hosted | None:
        """The one that has waited longest."""
        if not self._period_ms:
            return None
        if not self._queue and now_ms >= self._look_ms:
            self._look(replicas, now_ms)
        # One may have been scrubbed because somebody asked, closed or damaged since the look.
        waits = (each for each in iter(self._next, None) if usable(each) and self._due_ms(each) <= now_ms)
        return next(waits, None)

    def _look(self, replicas: Iterable[Hosted], now_ms: float) -> None:
        """Who is due takes turns; the next look is when another one will be."""
        times = sorted(((self._due_ms(each), each) for each in replicas if usable(each)), key=itemgetter(0))
        self._queue.extend(each for due_ms, each in times if due_ms <= now_ms)
        later_ms = next((due_ms for due_ms, _ in times if due_ms > now_ms), float("inf"))
        self._look_ms = min(later_ms, now_ms + LOOK_MS)

    def _next(self) -> Hosted | None:
        return self._queue.popleft() if self._queue else None

    def _due_ms(self, hosted: Hosted) -> float:
        if hosted.scrubbed_ms is None:
            return hosted.opened_ms + min(FIRST_MS, self._period_ms)
        return hosted.scrubbed_ms + self._period_ms

    def _read_on(self, current: Scrub, now_ms: float) -> None:
        hosted = current.hosted
        group = hosted.replica.place.group
        if hosted.replica.place.next_offset != hosted.committed.offset:
            hosted.commit(now_ms)
        if not usable(hosted) or group is None:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="scrub")
        current.audit.begin_chunk()
        bounds, indexes = (group.lower, group.upper), hosted.contents.indexes
        snapshot = hosted.store.snapshot()
        current.reading = self._pool.submit(
            read_chunk, snapshot, current.position, bounds, indexes, self._bytes_per_s
        )

    def _take(self, current: Scrub, reading: Future[Chunk], now_ms: float) -> None:
        current.reading = None
        try:
            chunk = reading.result()
        except (SnapshotClosed, StoreError) as error:
            logger().warning("scrub stopped", partition=str(current.hosted.partition), reason=str(error))
            self._end(current, now_ms)
            return
        if current.position.phase is Phase.ROWS:
            more = chunk.end.phase is Phase.ROWS
            current.audit.end_chunk(chunk.tally, (chunk.end.after or b"") + b"\0" if more else None)
        current.position = chunk.end
        current.found += chunk.found
        current.pairs, current.size = current.pairs + chunk.pairs, current.size + chunk.size
        self.pairs, self.size = self.pairs + chunk.pairs, self.size + chunk.size
        if chunk.end.phase is Phase.DONE:
            self._judge(current, now_ms)
        else:
            self._read_on(current, now_ms)

    def _judge(self, current: Scrub, now_ms: float) -> None:
        hosted, verdict = current.hosted, current.audit.verdict(current.hosted.contents)
        if verdict is not None and not current.found:
            current.found.append(verdict)
        self.passes += 1
        hosted.scrubbed_ms = now_ms
        if current.found:
            self.damage += 1
            hosted.damaged("; ".join(map(str, current.found[:2])))
        self._end(current, now_ms)

    def _end(self, current: Scrub, now_ms: float) -> None:
        hosted = current.hosted
        hosted.contents.watcher, hosted.scrub_tried_ms = None, now_ms
        self._current = None
        answer = report(current, now_ms)
        for sender in self._asked.pop(hosted, {}):
            self._respond(sender, Outcome(ReplyStatus.OK, orjson.dumps(answer)))


def usable(hosted: Hosted) -> bool:
    """A replica that has begun and that nothing is known against."""
    place = hosted.replica.place
    return not hosted.failed and not hosted.damage and hosted.replica.alarm is None and place.group is not None


def report(scrub: Scrub, now_ms: float) -> dict[str, object]:
    """What whoever asked is told; also of a pass that had to stop."""
    hosted = scrub.hosted
    found = [str(each) for each in scrub.found] or [why for why in (hosted.damage, hosted.replica.alarm) if why]
    return {
        "entries": scrub.pairs,
        "bytes": scrub.size,
        "seconds": round((now_ms - scrub.began_ms) / 1000, 1),
        "offset": hosted.replica.place.next_offset,
        "items": hosted.contents.totals[0][0],
        "checksum": f"{hosted.contents.checksum:016x}",
        "whole": hosted.scrubbed_ms is not None and hosted.scrubbed_ms >= scrub.began_ms,
        "found": found,
    }
