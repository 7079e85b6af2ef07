"""Repair of damaged replicas: the store is moved aside, then log or clone tell all anew. Steps: ARCHITECTURE.md.

| a damaged replica                                  | then                                                         |
|----------------------------------------------------|--------------------------------------------------------------|
| may hold what its log has lost, or another one     | wait; once that is sure it is frozen and never repaired (I9) |
| says so, for which it stands still                 |                                                              |
| serves, no other member of its group is active     | wait: better most rows than none                             |
| leads                                              | resign, wait until that is read back (two seconds at most)   |
| its logs are not whole: other log, end, start      | wait with an alarm; nothing is touched (I9)                  |
| its logs are whole                                 | stop, move the folder aside, open as if new                  |
| they were pruned, another node can be cloned       | the same: `clones` finds nothing here, and clones            |
| they were pruned, nobody can be cloned, it has a   | the same: `clones` opens the checkpoint                      |
| checkpoint that lies in the log                    |                                                              |
| they were pruned, neither of the two               | wait with an alarm; nothing is touched                       |
| was repaired `REPAIRS_MOST` times in this run      | stay failed: the disk is broken, not the data                |

That a log reaches to the replica's place does not prove that it is the log which was folded. So the place is kept
beside the old store, and the new replica compares its chain when it comes by (`Hosted.expected`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.lmdb import place_put_aside
from dynabus.adapters.log_codec import decode_place, encode_place
from dynabus.adapters.logs import logger
from dynabus.core.ids import PartitionId
from dynabus.core.replication.place import Origin, Place
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed, Lookups
from dynabus.storage_node.replicas.opening import Opening, Premises
from dynabus.storage_node.replicas.readers import Log
from dynabus.storage_node.replicas.suspects import is_behind, outside
from dynabus.storage_node.upkeep.checkpoints import durable_of

REPAIRS_MOST = 3
"""Of one replica in one run. A disk that damages a replica again and again is for people."""

RESIGN_MS = 2000.0
"""Until a resign is read back; without it the others notice by silence."""

ASK_AGAIN_MS = 1000.0
"""After Kafka did not tell, or told of a log that is not whole, or the folder could not be moved."""


Source = Callable[[PartitionId, float], str | None]
"""(partition, now) -> a node that it could be cloned from."""

Kept = Callable[[PartitionId], bool]
"""Whether what is here of a partition is to stay as it is: its log lost records (I9)."""


@dataclass(slots=True)
class Repair:
    """One under way. `hosted`: None where the store could not even be opened."""

    opening: Opening
    why: str
    hosted: Hosted | None
    logs: list[Log] = field(default_factory=list)
    """Still to be asked about: the ancestors', then its own."""
    resigned_ms: float | None = None
    not_before_ms: float = 0.0
    facts: Future[LogFacts] | None = None
    moved: Future[None] | None = None


class Repairs:
    """False where there are none. `done` counts stores that were moved aside."""

    def __init__(self, premises: Premises, lookups: Lookups, source: Source, kept: Kept) -> None:
        self.done = 0
        self._source, self._kept_as_is = source, kept
        self._premises, self._lookups = premises, lookups
        self._under: dict[PartitionId, Repair] = {}
        self._times: dict[PartitionId, int] = {}

    def __bool__(self) -> bool:
        return bool(self._under)

    def add(self, opening: Opening, why: str, hosted: Hosted | None) -> None:
        """A damaged replica, or a store that cannot be opened; telling it again changes nothing."""
        partition = opening.partition
        if partition in self._under or self._times.get(partition, 0) >= REPAIRS_MOST:
            return
        numbers = [*(opening.to.lineage if opening.to is not None else ()), partition.number]
        logs = [Log(opening.log.topic, number) for number in numbers]
        self._under[partition] = Repair(opening, why, hosted, logs)

    def forget(self, partition: PartitionId) -> None:
        """It was closed."""
        self._under.pop(partition, None)

    def hosted(self) -> Iterator[Hosted]:
        """Replicas among them that are still here."""
        return (repair.hosted for repair in list(self._under.values()) if repair.hosted is not None)

    def step(self, now_ms: float) -> list[Opening]:
        """Go on; returns those that are to be opened as if new."""
        ready = [repair for repair in list(self._under.values()) if self._go_on(repair, now_ms)]
        for repair in ready:
            partition = repair.opening.partition
            del self._under[partition]
            self.done += 1
            self._times[partition] = self._times.get(partition, 0) + 1
            logger().warning("replica is rebuilt from its log", partition=str(partition), reason=repair.why)
        return [_as_new(repair) for repair in ready]

    def _go_on(self, repair: Repair, now_ms: float) -> bool:
        hosted = repair.hosted
        if now_ms < repair.not_before_ms:
            return False
        if repair.moved is not None:
            return repair.moved.done() and self._was_moved(repair, repair.moved, now_ms)
        if self._kept_as_is(repair.opening.partition):
            self.forget(repair.opening.partition)
            return False
        if hosted is not None and hosted.replica.standstill.doubted:
            return False
        if hosted is not None and not hosted.failed:
            if hosted.replica.alarm is not None:
                # Frozen meanwhile: what it holds may be all that is left (I9).
                self.forget(repair.opening.partition)
                return False
            if not self._may_leave(hosted, now_ms) or not _gave_up(repair, hosted, now_ms):
                return False
        if repair.logs:
            self._ask(repair, now_ms)
        else:
            self._move(repair, now_ms)
        return False

    def _may_leave(self, hosted: Hosted, now_ms: float) -> bool:
        """Somebody else of its group is active, or nobody else is in it."""
        replica = hosted.replica
        group, heartbeat_ms = replica.place.group, self._premises.around.timing.election.heartbeat_ms
        alone = group is not None and len(group.members) == 1
        return alone or replica.neighbours.successor(now_ms - 3 * heartbeat_ms) is not None

    def _ask(self, repair: Repair, now_ms: float) -> None:
        if repair.facts is None:
            repair.facts = self._lookups.log_facts(repair.logs[0], fresh=True)
            return
        if not repair.facts.done():
            return
        future, repair.facts = repair.facts, None
        try:
            refusal = self._refusal(repair, future.result(), now_ms)
        except LookupFailed as error:
            refusal = str(error)
        if refusal is None:
            repair.logs.pop(0)
            return
        repair.not_before_ms = now_ms + ASK_AGAIN_MS
        text = f"{repair.why}; not repaired: {refusal}"
        if repair.hosted is not None:
            repair.hosted.note = text
        repair.opening.alarm = text

    def _refusal(self, repair: Repair, facts: LogFacts, now_ms: float) -> str | None:
        """Why neither the log nor a clone can give back what the replica held."""
        if facts.low > 0 and self._source(repair.opening.partition, now_ms) is None and not self._kept(repair, facts):
            return f"the log begins at offset {facts.low}, and no other replica can be cloned"
        own, hosted = repair.logs[0] == repair.opening.log, repair.hosted
        if not own or hosted is None or is_behind(hosted, facts):
            return None
        return outside(hosted, facts)

    def _kept(self, repair: Repair, facts: LogFacts) -> bool:
        """Its checkpoint, from which the log leads on."""
        partition = repair.opening.partition
        origin = Origin(facts.identity.cluster_id, facts.identity.topic_id, partition)
        own = repair.logs[0] == repair.opening.log
        return durable_of(self._premises.folder.replica(partition), origin).offset >= (facts.low if own else 0)

    def _move(self, repair: Repair, now_ms: float) -> None:
        hosted, place = repair.hosted, None
        if hosted is not None:
            place = hosted.replica.place
            hosted.retire(f"damaged: {repair.why}", now_ms)
        path = self._premises.folder.replica(repair.opening.partition)
        repair.moved = self._lookups.put_aside(path, None if place is None else encode_place(place))

    def _was_moved(self, repair: Repair, moved: Future[None], now_ms: float) -> bool:
        try:
            moved.result()
        except OSError as error:
            logger().error("not moved aside", partition=str(repair.opening.partition), reason=str(error))
            repair.moved, repair.not_before_ms = None, now_ms + ASK_AGAIN_MS
            return False
        return True


def _gave_up(repair: Repair, hosted: Hosted, now_ms: float) -> bool:
    """It does not lead, or has not been able to say so for long enough."""
    replica = hosted.replica
    if replica.leader is None:
        return True
    if replica.leader.serving:
        replica.step_down(now_ms)
        repair.resigned_ms = now_ms
    elif repair.resigned_ms is None:
        repair.resigned_ms = now_ms
    return repair.resigned_ms is not None and now_ms - repair.resigned_ms >= RESIGN_MS


def _as_new(repair: Repair) -> Opening:
    old = repair.opening
    note = f"rebuilt from its log: {repair.why}"
    return Opening(old.partition, old.log, old.preferred, old.indexes, old.to, note=note, alarm=note)


def expected_place(path: Path, place: Place) -> Place | None:
    """Where the store that was put aside had come to, if it had read more of this very log."""
    stored = place_put_aside(path)
    try:
        found = None if stored is None else decode_place(stored)
    except UndecodableMessage as error:
        logger().warning("the place of a damaged store is unreadable", path=str(path), reason=str(error))
        return None
    if found is None or found.origin != place.origin or found.next_offset <= place.next_offset:
        return None
    return found
