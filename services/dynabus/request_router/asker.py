"""Requests under way: which node was asked, when to ask again, what has come back (I10).

All calls of one request that go to one partition travel in one message, under one counter, and a re-send repeats that
message with the same counter and the same parts in the same order: a part's request id never changes. (Grouping by
node instead would save messages and change the ids whenever a leader moves.) If the partition is split meanwhile, the
message goes to both children's leaders, whole: each does the parts that are its own, and leaves the others.

Pure bookkeeping on one thread: the shell produces what `Send` says and feeds replies, heartbeats and time.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import CORAL_AVAILABILITY, ApiError, resource_not_found
from dynabus.core.messages import (
    SEALED,
    SETTLED,
    PartitionMetadata,
    Reply,
    ReplyPart,
    ReplyStatus,
    RequestPart,
)
from dynabus.core.operations.calls import Call, Code, Control, part_to
from dynabus.core.places import Places
from dynabus.core.published_table import FROZEN, Table
from dynabus.core.replication.store import Outcome
from dynabus.request_router.recent import RecentWrites
from dynabus.request_router.round_trips import RoundTrips

REDIRECTS_MOST = 3
"""Followed at once between two re-sends; beyond it two nodes that name each other would be asked in circles."""

BYTES_MOST = 256 * 1024 * 1024
"""Of items in all messages under way: what a router holds of its clients' writes is bounded, however many."""

BYTES_PER_MS = 10_000
"""Large messages are given time before they are sent again (10 MB/s, what Kafka does at its worst): sending them
again while the first copies are on their way is how an overload feeds itself."""

CONTROL = ""
"""Who answers requests of the control topic, among nodes."""

SILENT_TRIES = 2
"""After so many re-sends without an answer others than the believed leader are asked too."""


class Send(NamedTuple):
    """A message to produce: to a storage node's inbox, or (node None) to the control topic."""

    node: str | None
    counter: int
    budget_ms: int
    repeat: bool
    parts: list[RequestPart]
    control: Control | None


class Asked(NamedTuple):
    """What holds for all calls of one API request. `counter`: of its first message, as the request's id; 0: any."""

    deadline_ms: float
    counter: int = 0
    places: Places | None = None


@dataclass(slots=True)
class Asking:
    """One message under way and who waits for it."""

    counter: int
    calls: list[Call]
    control: Control | None
    replies: list[ReplyPart | None]
    left: int
    deadline_ms: float
    future: Future[list[ReplyPart | None]]
    places: Places | None = None
    begun_ms: float = 0.0
    next_send_ms: float = 0.0
    tries: int = 0
    silences: int = 0
    redirects: int = 0
    target: str | None = None
    partition: int = -1
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = sum(len(call.value) for call in self.calls)


class Asker:
    """The in-flight map. `choose` picks one of several nodes (random in production)."""

    def __init__(
        self,
        view: ClusterView,
        send: Callable[[Send], None],
        choose: Callable[[list[str]], str],
        resend_ms: float,
        most: int,
        bytes_most: int = BYTES_MOST,
    ) -> None:
        self._view, self._send, self._choose = view, send, choose
        self._most, self._bytes_most = most, bytes_most
        self._round_trips = RoundTrips(resend_ms)
        self._recent = RecentWrites()
        self._under_way: dict[int, Asking] = {}
        self._bytes = 0
        self._counter = 0
        self.resent = 0

    def __len__(self) -> int:
        return len(self._under_way)

    def next_counter(self) -> int:
        self._counter += 1
        return self._counter

    def ask(self, asking: Asking, now_ms: float) -> None:
        """Begin. Raises ApiError (throttling) where too much is under way."""
        if len(self._under_way) >= self._most or self._bytes + asking.size > self._bytes_most:
            raise ApiError(
                CORAL_AVAILABILITY + "ThrottlingException", "Rate of requests exceeds the allowed throughput."
            )
        asking.begun_ms = now_ms
        self._under_way[asking.counter] = asking
        self._bytes += asking.size
        self._dispatch(asking, now_ms)

    def forget(self, counter: int) -> None:
        """The client is gone, or has its answer."""
        asking = self._under_way.pop(counter, None)
        if asking is not None:
            self._bytes -= asking.size

    def _end(self, asking: Asking) -> None:
        self.forget(asking.counter)
        if not asking.future.done():
            asking.future.set_result(asking.replies)

    def take(self, reply: Reply, now_ms: float) -> None:
        """A reply of this incarnation."""
        asking = self._under_way.get(reply["counter"])
        if asking is None:
            return
        hint: str | None = None
        sealed = False
        for part in reply["parts"]:
            if part["status"] in SETTLED:
                if part["provisional"] and asking.tries > 1:
                    continue  # another copy may come to another outcome, and its answer holds for all of them
                index = part["index"]
                if asking.replies[index] is None:
                    asking.replies[index] = part
                    asking.left -= 1
                    if part["place"] and asking.places is not None:
                        asking.places.was_told(asking.calls[index].table.id, part["place"])
            elif part["status"] == ReplyStatus.NOT_LEADER:
                hint = part["body"].decode()
            elif part["status"] == ReplyStatus.BEHIND:
                # What a leader has acknowledged it has read.
                led = self._view.leader(asking.calls[0].table.id, asking.partition)
                hint = led[1] if led is not None else None
            elif part["body"] == SEALED:
                sealed = True
        if asking.left == 0:
            if asking.tries == asking.silences + 1:  # nobody else was asked
                self._round_trips.took(asking.target or CONTROL, now_ms - asking.begun_ms)
            self._remember(asking, now_ms)
            self._end(asking)
        elif sealed and self._view.sealed(asking.calls[0].table.id, asking.partition):
            # Known to this router from now on; whoever else waits at the parent asks the children too.
            self.leaders_changed(now_ms)
        elif hint and hint != asking.target and asking.redirects < REDIRECTS_MOST:
            self._redirect(asking, now_ms, hint)
        else:  # no silence: it is to be asked again soon
            asking.next_send_ms = min(asking.next_send_ms, now_ms + self._round_trips.least_ms)

    def _remember(self, asking: Asking, now_ms: float) -> None:
        for call in asking.calls:
            if call.write:
                self._recent.wrote(call.table.id, asking.partition, call.key, now_ms)

    def leaders_changed(self, now_ms: float) -> None:
        """A heartbeat named another leader, or metadata did: who waits at the old one asks the new one at once."""
        for asking in [each for each in self._under_way.values() if each.calls and each.redirects < REDIRECTS_MOST]:
            call = asking.calls[0]
            if self._end_if_deleted(asking):
                continue
            table = self._view.now(call.table)
            number = table.partition_of(call.route)["number"]
            if number != asking.partition:
                self._redirect(asking, now_ms)
            elif call.consistent:
                led = self._view.leader(table.id, number)
                if led is not None and led[1] != asking.target:
                    self._redirect(asking, now_ms, led[1])

    def _end_if_deleted(self, asking: Asking) -> bool:
        """Nobody has the table any more: whether a write counted is no matter now."""
        if not self._view.is_deleted(asking.calls[0].table.id):
            return False
        asking.replies = [NO_TABLE.part(at) if reply is None else reply for at, reply in enumerate(asking.replies)]
        self._end(asking)
        return True

    def _redirect(self, asking: Asking, now_ms: float, target: str | None = None) -> None:
        asking.redirects += 1
        self.resent += 1
        self._dispatch(asking, now_ms, target)

    def tick(self, now_ms: float) -> None:
        """Send again what was met with silence; give up what is past its deadline."""
        for asking in [each for each in self._under_way.values() if each.next_send_ms <= now_ms]:
            if now_ms >= asking.deadline_ms:
                self._end(asking)
            else:
                asking.redirects = 0
                asking.silences += 1
                self.resent += 1
                self._dispatch(asking, now_ms)

    def _dispatch(self, asking: Asking, now_ms: float, target: str | None = None) -> None:
        asking.tries += 1
        asking.target = target
        self._send_to(asking, now_ms, target)
        patience_ms = self._round_trips.timeout_ms(asking.target or CONTROL, asking.silences)
        asking.next_send_ms = min(now_ms + patience_ms + asking.size / BYTES_PER_MS, asking.deadline_ms)

    def _send_to(self, asking: Asking, now_ms: float, target: str | None) -> None:
        budget_ms = max(1, int(asking.deadline_ms - now_ms))
        if asking.control is not None:
            self._send(Send(None, asking.counter, budget_ms, asking.tries > 1, [], asking.control))
            return
        if self._end_if_deleted(asking):
            return
        first = asking.calls[0]
        table = self._view.now(first.table)
        partition = table.partition_of(first.route)
        asking.partition = partition["number"]
        if any(table.partition_of(call.route)["state"] == FROZEN for call in asking.calls):
            # Nobody will serve it before an operator has recovered it: HTTP 500 now, as when nobody answers.
            self._end(asking)
        elif len(asking.calls) > 1:
            self._dispatch_together(asking, table, target, now_ms, budget_ms)
        elif first.within is not None and cuts(first.within, partition):
            asking.replies[0] = STALE
            self._end(asking)
        else:
            asking.target = target or self._target(first, table.id, partition, asking.tries, now_ms)
            parts = [request_part(first, table.id, partition, asking.places)]
            self._send(Send(asking.target, asking.counter, budget_ms, asking.tries > 1, parts, None))

    def _dispatch_together(
        self, asking: Asking, table: Table, target: str | None, now_ms: float, budget_ms: int
    ) -> None:
        """Calls that went to one partition when they were grouped, and may belong to its children now."""
        routes = [table.partition_of(call.route) for call in asking.calls]
        pairs = zip(asking.calls, routes, strict=True)
        parts = [request_part(call, table.id, route, asking.places) for call, route in pairs]
        by_number = {route["number"]: (call, route) for call, route in zip(asking.calls, routes, strict=True)}
        targets = [self._target(call, table.id, route, asking.tries, now_ms) for call, route in by_number.values()]
        if target is not None and len(targets) == 1:
            targets = [target]
        asking.target = targets[0]
        nodes = list(dict.fromkeys(targets))
        repeat = asking.tries > 1 or len(nodes) > 1
        for node in nodes:
            self._send(Send(node, asking.counter, budget_ms, repeat, parts, None))

    def _target(self, call: Call, log: str, partition: PartitionMetadata, tries: int, now_ms: float) -> str:
        members, number = partition["members"], partition["number"]
        if not call.consistent and (tries > 1 or not self._just_written(call, log, number, now_ms)):
            serving = [node for node in members if self._view.serves(node, log, number, now_ms)]
            living = serving or [node for node in members if self._view.alive(node, now_ms)]
            return self._choose(living or members)
        led = self._view.leader(log, number)
        if led is None and partition["lineage"] and tries <= SILENT_TRIES:
            # A child that is about to be claimed, by this one if nothing goes wrong.
            return partition["preferred"]
        if led is None or (tries > SILENT_TRIES and tries % 2):
            return self._choose(members)
        return led[1]

    def _just_written(self, call: Call, log: str, number: int, now_ms: float) -> bool:
        if call.code == Code.GET:
            return self._recent.has_key(log, call.key, now_ms)
        return self._recent.has_partition(log, number, now_ms)


NO_TABLE = Outcome(ReplyStatus.ERROR, orjson.dumps(resource_not_found("Requested resource not found").body()))
"""The table was deleted meanwhile."""

STALE: ReplyPart = Outcome(ReplyStatus.STALE_ROUTE, b"").part(0)
"""To the operation: what it wanted to read of one partition lies in several now."""


def cuts(within: tuple[bytes, bytes | None], partition: PartitionMetadata) -> bool:
    """Whether the range of a page reaches beyond this partition. Pages travel alone."""
    lower, upper = within
    ends = partition["upper"]
    return lower < partition["lower"] or (ends is not None and (upper is None or upper > ends))


def request_part(call: Call, log: str, partition: PartitionMetadata, places: Places | None = None) -> RequestPart:
    """One call as it travels."""
    number, generation = partition["number"], partition["generation"]
    part = part_to(log, number, generation, call.code, call.key, call.value, call.size, call.detail, call.consistent)
    if call.token:
        part["token"] = call.token
    if places is not None:
        part["at_least"] = places.least(log, number, generation)
    return part
