"""Takes tombstones away that nothing older may come for, of the partitions of indexes that this node leads.

Log propagators tell floors (`core.global_indexes.floors`); each partition is walked with them once, a slice of its
rows at a time, one partition after the other. What is found is taken away by writes of the leader's own, as expired
items are (`expiry`): records of the log as any other, charged to nobody.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from dynabus.core.errors import validation_error
from dynabus.core.global_indexes.floors import floors_in, note_of, removal
from dynabus.core.global_indexes.walk import LEFT, Walk, told_floors
from dynabus.core.messages import RequestPart
from dynabus.core.replication.effects import Write
from dynabus.core.replication.store import Outcome, Read, Reader
from dynabus.storage_node.expiry.sweeping import NOBODY, UNDER_WAY_MOST, serves
from dynabus.storage_node.replicas.hosted import BROKEN_STORE, Hosted

LOOK_MS = 100.0
"""Between two slices: at 10,000 rows a second 2 ms of the loop each."""

REMOVALS_MOST = 100
"""Of one slice: a thousand a second, and few enough that clients' writes hardly wait."""


@dataclass(slots=True)
class Clearing:
    """Of one node. `removed`: tombstones, since the start; `rows`: that were looked at."""

    rows_per_s: int
    removed: int = 0
    rows: int = 0
    _walking: dict[Hosted, None] = field(default_factory=dict)
    _look_ms: float = 0.0

    def answer(self, hosted: Hosted, part: RequestPart) -> Read:
        """To a propagator, by whoever leads. Raises ApiError for what no propagator sends."""
        try:
            floors = told_floors(part)
        except struct.error as error:
            raise validation_error("Floors of an index that cannot be read") from error

        def read(_store: Reader) -> Outcome:
            leader = hosted.replica.leader
            if leader is None or not self.rows_per_s:
                return Outcome(count=LEFT)
            if hosted.walk is None or hosted.walk.term != leader.seat.term:
                hosted.walk = Walk(leader.seat.term)
            answer = hosted.walk.tell(floors)
            if not hosted.walk.rests:
                self._walking[hosted] = None
            return answer

        return read

    def step(self, hosted: Mapping[tuple[str, int], Hosted], now_ms: float, wall_ms: int) -> list[Hosted]:
        """Go on; returns replicas that something was done to."""
        if not self._walking or now_ms < self._look_ms:
            return []
        self._look_ms = now_ms + LOOK_MS
        left = max(1, int(self.rows_per_s * LOOK_MS / 1000))
        touched: list[Hosted] = []
        for each in [*self._walking]:
            if left <= 0:
                break
            # The next one is the first then: none waits for ever behind a large one.
            del self._walking[each]
            if hosted.get(each.partition) is not each or not _is_walked(each):
                continue
            left -= self._go_on(each, left, now_ms, wall_ms)
            touched.append(each)
            if each.walk is not None and not each.walk.rests:
                self._walking[each] = None
        return touched

    def _go_on(self, hosted: Hosted, rows_most: int, now_ms: float, wall_ms: int) -> int:
        leader, walk, group = hosted.replica.leader, hosted.walk, hosted.replica.place.group
        assert leader is not None
        assert walk is not None
        assert group is not None
        if len(leader.unresolved) > UNDER_WAY_MOST:
            return 0
        try:
            found = walk.look(hosted.store, None, rows_most, REMOVALS_MOST)
            floors = floors_in(hosted.store) if found.over else {}
        except BROKEN_STORE as error:
            hosted.quarantine(error, now_ms)
            return 0
        if found.note is not None:
            leader.append_unasked(note_of(found.note), now_ms)
        for key in found.over:
            hosted.write(Write(NOBODY, b"", group.generation, key, removal(floors), 0), now_ms, wall_ms)
        self.removed += len(found.over)
        self.rows += found.rows
        return found.rows


def _is_walked(hosted: Hosted) -> bool:
    """It leads in the term in which the walk began; another one begins when floors are told again."""
    leader, walk = hosted.replica.leader, hosted.walk
    return serves(hosted) and leader is not None and walk is not None and walk.term == leader.seat.term
