"""Index writes under way: to whose inbox, when again, which are done. Pure bookkeeping; the shell sends what `due`
says, and tells of replies.

| reply        | then                                                                        |
|--------------|-----------------------------------------------------------------------------|
| OK           | done: the index has this write, or a newer one                              |
| NOT_LEADER   | to whom it names, at once, a few times; else as BUSY                        |
| STALE_ROUTE  | the index's metadata say where it belongs now; a sealed partition's children |
| BUSY         | again after a moment                                                        |
| THROTTLED    | the same: its writes wait here; after some time leaders of tables are told  |
| ERROR        | the same, after longer: nothing is lost, the log waits, and it is counted   |
| none         | again, after longer each time                                               |

Writes carry places and no request ids, so all of this may repeat what was done. Of two writes of one key that wait
the newer one goes, and stands for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes import Arrival, IndexWrite, arrival_part
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.messages import SEALED, PartitionMetadata, Reply, ReplyPart, ReplyStatus, RequestPart
from dynabus.core.propagation.amplification import Tallies
from dynabus.core.propagation.propagator import Sending
from dynabus.core.propagation.telling import OverCaps
from dynabus.core.published_table import Table

PARTS_MOST = 200
"""Of one message: a leader answers a turn's writes together, and its inbox has others' requests too."""

BYTES_MOST = 1024 * 1024
"""Of rows in one message; a larger row travels alone."""

MESSAGES_MOST = 4
"""Under way to one partition of an index: while one is answered the next one is there."""

AGAIN_MS = 50.0
"""After a refusal that passes: a leader is elected, a queue is emptied, a bucket refills."""

ERROR_MS = 1000.0

SILENT_MS, DOUBLINGS_MOST = 1000.0, 3
"""Until a message that is not answered is sent again, doubled each time: a loaded leader is not helped by copies."""

REDIRECTS_MOST = 3

DONE, BRIEF = ReplyStatus.OK, frozenset({ReplyStatus.BUSY, ReplyStatus.THROTTLED})

Owner = tuple[PartitionId, int]
"""(log of the table, number of the write)."""

Where = tuple[LogId, int]
"""(log of the index, number of its partition)."""


class Send(NamedTuple):
    """A request for a storage node's inbox."""

    node: str
    counter: int
    budget_ms: int
    parts: list[RequestPart]


@dataclass(slots=True, eq=False)
class _Write:
    """One write, for all who wait for it. `due_ms`: not before. `hint`: who is said to lead."""

    log: LogId
    write: IndexWrite
    owners: list[Owner]
    due_ms: float = 0.0
    tries: int = 0
    redirects: int = 0
    hint: str = ""


@dataclass(slots=True)
class _Message:
    """Sent, and not answered as a whole yet."""

    where: Where
    node: str
    left: dict[int, _Write]
    again_ms: float


@dataclass(slots=True)
class Deliveries:
    """`choose` picks one of several nodes (random in production)."""

    view: ClusterView
    choose: Callable[[list[str]], str]
    sent: int = 0
    repeated: int = 0
    """Writes that were sent once more."""
    throttled: int = 0
    failed: int = 0
    tallies: Tallies = field(default_factory=Tallies)
    over: OverCaps = field(default_factory=OverCaps)
    _waiting: dict[tuple[LogId, bytes], _Write] = field(default_factory=dict)
    _others: list[_Write] = field(default_factory=list)
    """Those that came back while a newer one of their key waits: each goes by itself."""
    _messages: dict[int, _Message] = field(default_factory=dict)
    _done: dict[PartitionId, list[int]] = field(default_factory=dict)
    _counter: int = 0

    @property
    def needless(self) -> int:
        """Writes that the index had already, or something newer."""
        return sum(each.repeats for each in [*self.tallies.by_log.values()])

    def __len__(self) -> int:
        """Writes that are not done."""
        return len(self._waiting) + len(self._others) + sum(len(each.left) for each in self._messages.values())

    def add(self, writes: Iterable[Sending]) -> None:
        """To be sent."""
        for each in writes:
            log, write = each.of
            owner = (each.partition, each.number)
            known = self._waiting.get((log, write.key))
            if known is None:
                self._waiting[log, write.key] = _Write(log, write, [owner])
            else:
                known.owners.append(owner)
                if write.source.order > known.write.source.order:
                    known.write = write

    def take_done(self) -> dict[PartitionId, list[int]]:
        """What was acknowledged since the last call, by the table's logs."""
        done, self._done = self._done, {}
        return done

    def keep_only(self, logs: set[LogId]) -> None:
        """All other indexes are gone: what was to be written there counts as done."""
        self.tallies.keep_only(logs)
        for key in [key for key in self._waiting if key[0] not in logs]:
            self._finish(self._waiting.pop(key))
        for write in [each for each in self._others if each.log not in logs]:
            self._others.remove(write)
            self._finish(write)
        for counter, message in [*self._messages.items()]:
            if message.where[0] not in logs:
                del self._messages[counter]
                for write in message.left.values():
                    self._finish(write)

    # -- out ------------------------------------------------------------------------------------------------------

    def due(self, now_ms: float) -> list[Send]:
        """What is to be sent now."""
        self._give_up(now_ms)
        if not self._waiting and not self._others:
            return []
        busy = Counter(message.where for message in self._messages.values())
        sends: list[Send] = []
        for where, writes in self._by_partition(now_ms, busy).items():
            batches = _batches(writes, max(0, MESSAGES_MOST - busy[where]))
            sends.extend(self._send(where, batch, now_ms) for batch in batches)
        return sends

    def _give_up(self, now_ms: float) -> None:
        for counter, message in [*self._messages.items()]:
            if now_ms >= message.again_ms:
                del self._messages[counter]
                for write in message.left.values():
                    self._again(write, now_ms)

    def _by_partition(self, now_ms: float, busy: Counter[Where]) -> dict[Where, list[_Write]]:
        """What is due, of indexes to which anything may be sent now: most of the time a fill waits for answers."""
        most: dict[LogId, int] = Counter(log for log, _ in busy.elements())
        tables: dict[LogId, Table | None] = {}
        found: dict[Where, list[_Write]] = {}
        for write in chain(self._waiting.values(), self._others):
            log = write.log
            if log not in tables:
                table = self.view.table(log)
                is_open = table is not None and most.get(log, 0) < MESSAGES_MOST * len(table.partitions)
                tables[log] = table if is_open else None
            if (table := tables[log]) is not None and write.due_ms <= now_ms:
                number = table.partition_of(write.write.key)["number"]
                found.setdefault((log, number), []).append(write)
        return found

    def _send(self, where: Where, batch: list[_Write], now_ms: float) -> Send:
        log, number = where
        table = self.view.table(log)
        assert table is not None
        partition = table.partition_of(batch[0].write.key)
        node = self._target(table, partition, batch[0])
        doublings = min(max(write.tries for write in batch), DOUBLINGS_MOST)
        budget_ms = SILENT_MS * 2**doublings
        self._counter += 1
        self._messages[self._counter] = _Message(where, node, dict(enumerate(batch)), now_ms + budget_ms)
        to = Arrival(log, number, partition["generation"])
        for write in batch:
            self._leave(write)
            self.repeated += write.tries > 0
            write.tries += 1
        self.sent += len(batch)
        return Send(node, self._counter, int(budget_ms), [arrival_part(to, each.write) for each in batch])

    def _leave(self, write: _Write) -> None:
        if self._waiting.get((write.log, write.write.key)) is write:
            del self._waiting[write.log, write.write.key]
        else:
            self._others.remove(write)

    def _target(self, table: Table, partition: PartitionMetadata, write: _Write) -> str:
        if write.hint in partition["members"]:
            return write.hint
        led = self.view.leader(table.id, partition["number"])
        if led is None or write.tries > 2:
            return self.choose(partition["members"])
        return led[1]

    # -- in -------------------------------------------------------------------------------------------------------

    def take(self, reply: Reply, now_ms: float) -> None:
        """An answer; of a message that was given up it comes too late, and is asked again."""
        message = self._messages.get(reply["counter"])
        if message is None:
            return
        for part in reply["parts"]:
            write = message.left.pop(part["index"], None)
            if write is not None:
                self._answered(message, write, part, now_ms)
        if not message.left:
            del self._messages[reply["counter"]]

    def _answered(self, message: _Message, write: _Write, part: ReplyPart, now_ms: float) -> None:
        status = part["status"]
        if status == DONE:
            self.tallies.of(write.log).answered(part["count"])
            self._finish(write)
        elif status == ReplyStatus.NOT_LEADER:
            self._redirected(message, write, part["body"].decode(), now_ms)
        elif status == ReplyStatus.STALE_ROUTE:
            if part["body"] == SEALED:
                self.view.sealed(*message.where)
            self._again(write, now_ms + AGAIN_MS)
        elif status in BRIEF:
            if status == ReplyStatus.THROTTLED:
                self.throttled += 1
                self.over.refused(message.where, now_ms)
            self._again(write, now_ms + AGAIN_MS)
        else:
            self.failed += 1
            self._again(write, now_ms + ERROR_MS)

    def _redirected(self, message: _Message, write: _Write, hint: str, now_ms: float) -> None:
        follows = bool(hint) and hint != message.node and write.redirects < REDIRECTS_MOST
        write.redirects += 1
        self._again(write, now_ms if follows else now_ms + AGAIN_MS)
        write.hint = hint if follows else ""

    def _again(self, write: _Write, due_ms: float) -> None:
        write.due_ms, write.hint = due_ms, ""
        if (write.log, write.write.key) in self._waiting:
            self._others.append(write)
        else:
            self._waiting[write.log, write.write.key] = write

    def _finish(self, write: _Write) -> None:
        for partition, number in write.owners:
            self._done.setdefault(partition, []).append(number)


def _batches(writes: list[_Write], most: int) -> list[list[_Write]]:
    """The first ones, in order, each with as much as a message may have."""
    batches: list[list[_Write]] = []
    size = 0
    for write in writes:
        length = len(write.write.item_json)
        if not batches or len(batches[-1]) >= PARTS_MOST or size + length > BYTES_MOST:
            if len(batches) == most:
                break
            batches.append([])
            size = 0
        batches[-1].append(write)
        size += length
    return batches
