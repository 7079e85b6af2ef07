"""Replicas whose place seems to lie outside of their log (I9).

Beyond its end, or in it while Kafka's leader epochs say that it was cut before the place and grew again (KIP-320):
Kafka lost records that were acknowledged, and this replica may be the only one that has them. Before its start: what
it still needs was pruned. Either way it must not read on from anywhere else, and stands still at once
(`core.replication.standstill`). Once that has been so for ten seconds, by fresh metadata and offsets of the log's
leader, the first freezes with an alarm, and the second is replaced by a clone; a Kafka leader that has just changed
may not know its own end yet.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from dynabus.adapters.logs import logger
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed, Lookups

CONFIRM_MS = 10_000.0
ASK_AGAIN_MS = 1000.0


@dataclass(slots=True)
class _Check:
    since_ms: float
    ask_at_ms: float
    facts: Future[LogFacts] | None = None


class Suspects:
    """False where there are none."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._checks: dict[Hosted, _Check] = {}

    def __bool__(self) -> bool:
        return bool(self._checks)

    @property
    def asking(self) -> bool:
        """Kafka was asked about one of them."""
        return any(check.facts is not None for check in self._checks.values())

    def add(self, hosted: Hosted, now_ms: float) -> None:
        """Begin to confirm; the replica is not read meanwhile."""
        if hosted not in self._checks:
            self._checks[hosted] = _Check(now_ms, now_ms)
            hosted.replica.doubt(f"place {_next(hosted)} may lie outside of its log: Kafka is asked", now_ms)
            logger().warning("place outside of the log", partition=str(hosted.partition), place=_next(hosted))

    def forget(self, hosted: Hosted) -> None:
        """It was closed."""
        self._checks.pop(hosted, None)

    def step(self, now_ms: float) -> list[Hosted]:
        """Ask and judge; returns those that are decided: cleared (no alarm) or frozen."""
        decided = [hosted for hosted, check in self._checks.items() if self._decide(hosted, check, now_ms)]
        for hosted in decided:
            del self._checks[hosted]
        return decided

    def _decide(self, hosted: Hosted, check: _Check, now_ms: float) -> bool:
        if check.facts is None:
            if now_ms >= check.ask_at_ms:
                check.facts = self._lookups.place_facts(hosted.log, hosted.replica.place)
            return False
        if not check.facts.done():
            return False
        try:
            facts = check.facts.result()
        except LookupFailed:
            facts = None
        check.facts, check.ask_at_ms = None, now_ms + ASK_AGAIN_MS
        return facts is not None and self._judge(hosted, facts, now_ms - check.since_ms, now_ms)

    def _judge(self, hosted: Hosted, facts: LogFacts, for_ms: float, now_ms: float) -> bool:
        replica, why = hosted.replica, outside(hosted, facts)
        if why is None:
            replica.end_offset = facts.high
            replica.standstill.clear()
            return True
        pruned = _next(hosted) < facts.low and _is_of(hosted, facts)
        if not pruned:
            replica.doubt(why, now_ms, beyond=True)
        if for_ms < CONFIRM_MS:
            return False
        if is_behind(hosted, facts):
            # Nothing is lost: what was pruned, all members of its group had on disk (I8). It is cloned; until then it
            # stands still, as what it is alarmed about now and not as one that doubts.
            replica.standstill.clear()
            replica.doubt(why, now_ms)
            hosted.damage = why
            logger().warning("replica is behind its log's start", partition=str(hosted.partition), reason=why)
        else:
            # Another topic of that name is no log of this partition: there is nobody to be stopped by a fence.
            replica.lose(why, now_ms, fence=_is_of(hosted, facts))
        return True


def outside(hosted: Hosted, facts: LogFacts) -> str | None:
    """Why the replica's place does not lie in this log, or None where it does."""
    place = hosted.replica.place
    if not _is_of(hosted, facts):
        return f"the log is another one ({facts.identity}) than the one that was read ({place.origin})"
    if place.next_offset > facts.high:
        return (
            f"place {place.next_offset} lies beyond the log's end {facts.high}: Kafka lost acknowledged records; "
            "recover from the most advanced replica"
        )
    if place.next_offset < facts.low:
        return f"place {place.next_offset} lies before the log's start {facts.low}, which was pruned: clone a replica"
    if facts.cut:
        return (
            f"place {place.next_offset} has records of Kafka leader epoch {place.leader_epoch} before it that the "
            "log has not: Kafka lost acknowledged records; recover from the most advanced replica"
        )
    return None


def is_behind(hosted: Hosted, facts: LogFacts) -> bool:
    """Its place lies before the start of the very log that it has read."""
    return _is_of(hosted, facts) and _next(hosted) < facts.low


def _is_of(hosted: Hosted, facts: LogFacts) -> bool:
    origin, identity = hosted.replica.place.origin, facts.identity
    return (identity.cluster_id, identity.topic_id) == (origin.cluster, origin.topic)


def _next(hosted: Hosted) -> int:
    return hosted.replica.place.next_offset
