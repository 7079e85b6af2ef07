"""A storage node's part of global tables: what metadata say of regions goes into logs, and other regions' writes are
decided (`core.operations.import_item`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.adapters.clock import unix_ms
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_tables.floors import Floors
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations import import_item
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Read
from dynabus.storage_node.broker_clock import BrokerClock
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.upkeep.forgetting import Forgettings

LOOK_MS = 250.0
"""Between two looks at what metadata say: until then writes of other regions wait."""

NOTES_MOST = 50
"""Records of floors that are appended at a look: a node may lead hundreds of partitions."""

CLOCK_AHEAD = "clock-ahead"

CLOCK_OFF = "this node's clock is ahead of Kafka's by more than max_clock_lead_ms: other regions wait for its writes"


class Sure(NamedTuple):
    """A time of which logs may be told, None: none is known yet; and what is wrong with this node's clock."""

    wall_ms: int | None
    alarm: str


@dataclass(slots=True)
class GlobalTables:
    """`decided`: imports of partitions that are led here, by (table id, what became of them), since the start: what
    `versions.Meeting` says, or `CLOCK_AHEAD`. Evaluated, that is: a few may be of records that are void. `broker`:
    the clock of the broker that has heartbeats."""

    view: ClusterView
    clock_lead_ms: int
    forgettings: Forgettings
    wall_ms: Callable[[], int] = unix_ms
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    broker: BrokerClock = field(default_factory=BrokerClock)
    _look_ms: float = 0.0
    _walked_ms: float = 0.0

    def step(self, replicas: Collection[Hosted], now_ms: float) -> list[Hosted]:
        """Have each leader's log say what metadata and other regions say, and take tombstones away; returns replicas
        that something was done to."""
        wall_ms, done = self.wall_ms(), list[Hosted]()
        looks_ms, self._walked_ms = min(now_ms - self._walked_ms, LOOK_MS), now_ms
        if now_ms >= self._look_ms:
            self._look_ms = now_ms + LOOK_MS
            sure = self._sure(now_ms, wall_ms)
            for each in replicas:
                if len(done) < NOTES_MOST and self._declare(each, now_ms, sure):
                    done.append(each)
        return done + self.forgettings.walk(replicas, looks_ms, now_ms, wall_ms)

    def _sure(self, now_ms: float, wall_ms: int) -> Sure:
        """What logs are told holds for good, so no node's clock decides it alone: one that is ahead of Kafka's by
        more than other regions allow is not believed."""
        broker_ms = self.broker.time_ms(now_ms)
        if broker_ms is None:
            return Sure(None, "")
        is_off = wall_ms > broker_ms + self.clock_lead_ms
        return Sure(int(broker_ms), CLOCK_OFF) if is_off else Sure(wall_ms, "")

    def _declare(self, hosted: Hosted, now_ms: float, sure: Sure) -> bool:
        table = self.view.table(hosted.partition.log) if hosted.replica.leader is not None else None
        if table is None or not table.regions[1:]:
            return False  # what was global once has versions for good; metadata without regions may be old, too
        # Who is gone raises no floor any more: what is newer than its last one may still arrive by another region.
        own, others = table.regions[0], frozenset({*table.regions[1:], *table.former} - {table.regions[0]})
        self.forgettings.of(hosted).alarm = sure.alarm
        # Writes of its own that were lost come back with their times: nothing is promised before.
        wall_ms = None if table.lacks_items else sure.wall_ms
        return self.forgettings.tell(hosted, own, others, now_ms, wall_ms)

    def hearing(self, hosted: Hosted, part: RequestPart) -> Read:
        """What is answered to a word of another region. Raises ApiError."""
        table, read = self.view.table(part["log"]), self.forgettings.hearing(hosted, part)
        # Of before this table lost items, maybe: who says it need not know that yet.
        return (lambda _store: Outcome()) if table is not None and table.lacks_items else read

    def importing(self, hosted: Hosted, part: RequestPart) -> Evaluate:
        """What decides a write of another region. Raises ApiError."""
        table = self.view.table(part["log"])
        if table is None:
            return lambda _old, _wall_ms: Decision(False, None, Outcome(ReplyStatus.BUSY))
        named = frozenset((*table.regions, *table.former))
        here = import_item.Here(lambda: _floors(hosted), table.schema, self.clock_lead_ms, named)
        evaluate = import_item.node(part, here)

        def counted(old: bytes | None, wall_ms: int) -> Decision:
            decision = evaluate(old, wall_ms)
            outcome = decision.outcome
            if outcome.status == ReplyStatus.OK:
                self.decided[part["log"], outcome.body.decode()] += 1
            elif outcome.status == ReplyStatus.ERROR:
                self.decided[part["log"], CLOCK_AHEAD] += 1
            return decision

        return counted


def _floors(hosted: Hosted) -> Floors | None:
    leader = hosted.replica.leader
    return None if leader is None else leader.floors
