"""The cap of one partition, kept by each replica for what it serves: a leader for writes, all of them for reads.

A write is looked at between its request id and its evaluation, by wrapping what evaluates it. So a re-send of what
was applied or is under way never comes here, and is never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from dynabus.core.admission.bucket import TokenBucket
from dynabus.core.admission.capacity import READ, WRITE, Limit, partition_cap
from dynabus.core.admission.costs import OK, PAGE, SIZED, fetched_halves, is_charged
from dynabus.core.admission.heat import Heat
from dynabus.core.admission.refusals import refusal
from dynabus.core.capacity import read_halves, write_halves
from dynabus.core.local_indexes import note_of
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Read, Reader

CAP_BURST_S = 1
"""The cap is the partition's limit at any moment; unused capacity is kept by the table's bucket."""

Refused = Callable[[RequestPart, int, int], bool]
"""(part, dimension, estimate in half units) -> whether to refuse: the caller notes it, and may let it pass."""


class PartitionMeter:
    """Buckets of one replica, and what it has served since it was opened, in half units."""

    def __init__(self, description: Mapping[str, Any], partitions: int, caps: tuple[int, int], now_ms: float) -> None:
        self._description = description
        self._has_indexes = "LocalSecondaryIndexes" in description
        rates = self._rates(description, partitions, caps)
        self.buckets = tuple(TokenBucket(rate, rate * CAP_BURST_S, now_ms) for rate in rates)
        self.served = [0, 0]
        self.refused = [0, 0]
        """Reads, writes: served since it was opened, and refused by the cap."""
        self.heat: Heat | None = None
        """Which keys are asked for; only while the partition is hot."""
        self._told = [0, 0, 0, 0]

    @staticmethod
    def _rates(description: Mapping[str, Any], partitions: int, caps: tuple[int, int]) -> list[int]:
        return [partition_cap(description, each, partitions, caps[each]) for each in (READ, WRITE)]

    def change(self, description: Mapping[str, Any], partitions: int, caps: tuple[int, int], now_ms: float) -> None:
        """The table was changed."""
        self._description = description
        for bucket, rate in zip(self.buckets, self._rates(description, partitions, caps), strict=True):
            if rate != bucket.rate:
                bucket.change(rate, rate * CAP_BURST_S, now_ms)

    def evaluation(self, evaluate: Evaluate, part: RequestPart, refused: Refused, now_ms: float) -> Evaluate:
        """The evaluation of a write behind the cap."""
        bucket = self.buckets[WRITE]
        estimate = write_halves(part["size"]) if part["operation"] in SIZED else 2

        def metered(old: bytes | None, wall_ms: int) -> Decision:
            admitted = bucket.admits(estimate, now_ms)
            if not admitted and refused(part, WRITE, estimate):
                self._note_refused(WRITE, part["key"], estimate)
                return Decision(False, None, self._refusal(WRITE))
            decision = evaluate(old, wall_ms)
            units = self._write_cost(decision.outcome)
            self.served[WRITE] += units
            if self.heat is not None:
                self.heat.samples[WRITE].note(part["key"], units)
            if admitted:
                bucket.charge(units)
            return decision

        return metered

    def reading(self, read: Read, part: RequestPart, refused: Refused, now_ms: float) -> Read:
        """A read behind the cap."""
        bucket, consistent = self.buckets[READ], part["consistent"]
        estimate = 2 if consistent else 1
        admitted = bucket.admits(estimate, now_ms)
        if not admitted and refused(part, READ, estimate):
            self._note_refused(READ, part["key"], estimate)
            return lambda _store: self._refusal(READ)

        def metered(store: Reader) -> Outcome:
            outcome = read(store)
            units = read_halves(outcome.size, consistent)
            if self._has_indexes and part["operation"] == PAGE and outcome.status == OK:
                units += fetched_halves(outcome.body, consistent)
            self.served[READ] += units
            if self.heat is not None:
                self.heat.samples[READ].note(part["key"], units)
            if admitted:
                bucket.charge(units)
            return outcome

        return metered

    def take(self) -> list[int] | None:
        """Half units since the last call: reads and writes that were served, and that were refused; None: none."""
        now = [*self.served, *self.refused]
        if now == self._told:
            return None
        told, self._told = self._told, now
        return [new - old for new, old in zip(now, told, strict=True)]

    def _note_refused(self, dimension: int, key: bytes, units: int) -> None:
        """What is refused is load too, and a split may make room for it."""
        self.refused[dimension] += units
        if self.heat is not None:
            self.heat.samples[dimension].note(key, units)

    def _refusal(self, dimension: int) -> Outcome:
        error = refusal(self._description, dimension, Limit.KEY_RANGE)
        return Outcome(ReplyStatus.THROTTLED, orjson.dumps(error.body()))

    def _write_cost(self, outcome: Outcome) -> int:
        if outcome.status == OK:
            of_table = write_halves(outcome.size)
            return of_table if not self._has_indexes else of_table + _of_indexes(outcome)
        return write_halves(outcome.size) if is_charged(outcome.body) else 0


def _of_indexes(outcome: Outcome) -> int:
    note, _ = note_of(outcome.body)
    return sum(note.get("halves", {}).values())


class Metered(NamedTuple):
    """A replica's meter, made or changed for this version of its table."""

    version: int
    meter: PartitionMeter
