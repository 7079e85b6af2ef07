"""A storage node's part of global tables: what metadata say of regions goes into logs, and other regions' writes are
decided (`core.operations.import_item`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations import import_item
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.storage_node.expiry.sweeping import serves
from dynabus.storage_node.replicas.hosted import Hosted

LOOK_MS = 250.0
"""Between two looks at what metadata say: until then writes of other regions wait."""

CLOCK_AHEAD = "clock-ahead"


@dataclass(slots=True)
class GlobalTables:
    """`decided`: imports of partitions that are led here, by (table id, what became of them), since the start: what
    `versions.Meeting` says, or `CLOCK_AHEAD`. Evaluated, that is: a few may be of records that are void."""

    view: ClusterView
    clock_lead_ms: int
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    _look_ms: float = 0.0

    def step(self, replicas: Iterable[Hosted], now_ms: float) -> list[Hosted]:
        """Have each leader's log say what metadata say; returns replicas that something was done to."""
        if now_ms < self._look_ms:
            return []
        self._look_ms = now_ms + LOOK_MS
        return [each for each in replicas if self._declare(each, now_ms)]

    def _declare(self, hosted: Hosted, now_ms: float) -> bool:
        table, leader = self.view.table(hosted.partition.log), hosted.replica.leader
        if table is None or leader is None or not table.regions[1:]:
            return False  # what was global once has versions for good; metadata without regions may be old, too
        known = leader.floors
        # Who is gone raises no floor any more: what is newer than its last one may still arrive by another region.
        own, others = table.regions[0], frozenset({*table.regions[1:], *table.former} - {table.regions[0]})
        if (known is not None and (known.region, known.others) == (own, others)) or not serves(hosted):
            return False
        raised = {} if known is None else {name: time for name, time in known.raised.items() if name in others}
        leader.append_unasked(note_of(Floors(own, others, raised)), now_ms)
        return True

    def importing(self, hosted: Hosted, part: RequestPart) -> Evaluate:
        """What decides a write of another region. Raises ApiError."""
        table = self.view.table(part["log"])
        if table is None:
            return lambda _old, _wall_ms: Decision(False, None, Outcome(ReplyStatus.BUSY))
        here = import_item.Here(lambda: _floors(hosted), table.schema, self.clock_lead_ms)
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
