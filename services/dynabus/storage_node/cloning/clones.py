"""Partitions of which this node has nothing yet: cloned, or replayed. Each turn every one goes a step on.

| stage     | ends when                                                | next                                       |
|-----------|----------------------------------------------------------|--------------------------------------------|
| asking    | Kafka told what exists of its log and of its ancestors'   | replay, if that is short; else waiting     |
| waiting   | another node has a replica that can be cloned; if that   | cloning; one at a time on this node        |
|           | is the leader, after five seconds without another one    |                                            |
| waiting   | nobody has, for five seconds, and the logs are whole     | replay                                     |
| waiting   | the same, they are pruned, its checkpoint is not behind  | that is opened                             |
| cloning   | it is installed                                          | opened, as any replica that was here       |
| cloning   | it failed                                                | waiting: another source, if there is one   |
| cloning   | the source has read another history than was here (I9)   | stopped, with an alarm                     |
| waiting   | its partition is frozen                                  | that, until an operator recovers it        |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.lmdb import StoreError, place_put_aside
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.logs import logger
from dynabus.core.cloning.choice import PATIENCE_MS, Extent, choose, replay_is_possible, replay_is_short
from dynabus.core.cloning.receiver import Wanted
from dynabus.core.ids import PartitionId
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.place import Origin, Place
from dynabus.storage_node.cloning.receiving import CloneFailed, CloneReceiving, Job, OtherHistory, log_cloned
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed, Lookups
from dynabus.storage_node.replicas.losses import FROZEN_ELSEWHERE
from dynabus.storage_node.replicas.opening import Opening, Premises, said_of
from dynabus.storage_node.replicas.readers import Log
from dynabus.storage_node.upkeep.checkpoints import durable_of, restore

RETRY_MS = 1000.0
"""After a clone that failed, or while there is nobody to clone."""

TRIES_MOST = 3
"""Of clones that fail where the logs are whole: then they are replayed."""

FAILED_TRIES = 5
"""After so many it says that it failed, and goes on: another node may be asked instead."""

Kept = Callable[[PartitionId], bool]
"""Whether its log lost records, so that nothing is made of it here."""

Said = Callable[[str, int, float], list[tuple[str, ReplicaState]]]
"""(log, partition, now) -> what living nodes say of their replicas."""


class Stage(Enum):
    ASKING = "asking"
    WAITING = "waiting"
    CLONING = "cloning"
    CLONED = "cloned"
    REPLAY = "replay"
    STOPPED = "stopped"


@dataclass(slots=True)
class Case:
    """One partition. `extents`: of its ancestors' logs, the root first, and of its own."""

    opening: Opening
    since_ms: float
    stage: Stage = Stage.ASKING
    left: list[Log] = field(default_factory=list)
    facts: Future[LogFacts] | None = None
    extents: list[Extent] = field(default_factory=list)
    origin: Origin | None = None
    retry_at_ms: float = 0.0
    tries: int = 0
    refused: set[str] = field(default_factory=set)
    job: Job | None = None
    future: Future[Place] | None = None
    begun_ms: float = 0.0
    alarm: str = ""


class Clones:
    """False where there are none. `done` and `failed` count.

    `said` is set once the node hears others, `kept` by `hosting`.
    """

    def __init__(self, premises: Premises, lookups: Lookups, receiving: CloneReceiving, records_most: int) -> None:
        self.done = self.failed = 0
        self.said: Said = lambda *_: []
        self.kept: Kept = lambda _: False
        self.receiving = receiving
        self._premises, self._lookups, self._records_most = premises, lookups, records_most
        self._cases: dict[PartitionId, Case] = {}

    def __bool__(self) -> bool:
        return bool(self._cases)

    def __iter__(self) -> Iterator[PartitionId]:
        return iter([*self._cases])

    def is_to_come(self, partition: PartitionId) -> bool:
        """Its replica will be here; one that failed is not waited for."""
        case = self._cases.get(partition)
        return case is not None and _state(case) != "failed"

    @property
    def busy(self) -> bool:
        """Some go on by themselves."""
        return any(case.stage is not Stage.STOPPED for case in self._cases.values())

    def wanted(self, facts: LogFacts) -> bool:
        """A replica that has read nothing of this log needs more than a short replay."""
        return not replay_is_short([Extent(facts.low, facts.high)], self._records_most)

    def add(self, opening: Opening, now_ms: float) -> None:
        """Nothing of it is here, and it is not known to be replayed in a moment."""
        self._cases[opening.partition] = Case(opening, now_ms, left=_logs(opening))

    def drop(self, partition: PartitionId) -> None:
        """It is not wanted here any more."""
        case = self._cases.pop(partition, None)
        if case is not None and case.job is not None:
            case.job.cancelled = True

    def source(self, partition: PartitionId, now_ms: float) -> str | None:
        """A node that could be asked now."""
        return choose(self._others(partition, now_ms), ())

    def _others(self, partition: PartitionId, now_ms: float) -> list[tuple[str, ReplicaState]]:
        me = self._premises.around.me.node
        return [each for each in self.said(*partition, now_ms) if each[0] != me]

    def states(self) -> Iterator[ReplicaState]:
        """What heartbeats say of them."""
        for case in [*self._cases.values()]:
            alarm = case.alarm or case.opening.note
            yield said_of(case.opening.partition, _state(case), max(0, _offset(case)), -1, alarm)

    def close(self) -> None:
        for case in self._cases.values():
            if case.job is not None:
                case.job.cancelled = True
        self.receiving.close()

    # -- every turn -------------------------------------------------------------------------------------------

    def step(self, now_ms: float) -> tuple[list[Opening], list[Opening]]:
        """Go on; returns those that are cloned, and those that are to be replayed."""
        for case in self._cases.values():
            if now_ms >= case.retry_at_ms:
                self._go_on(case, now_ms)
        cloned, replay = self._out(Stage.CLONED), self._out(Stage.REPLAY)
        for opening in cloned:
            opening.cloned = True
        for opening in replay:
            opening.replay = True
        return cloned, replay

    def _out(self, stage: Stage) -> list[Opening]:
        found = [case.opening for case in self._cases.values() if case.stage is stage]
        for opening in found:
            del self._cases[opening.partition]
        return found

    def _go_on(self, case: Case, now_ms: float) -> None:
        if case.stage is Stage.ASKING:
            self._ask(case, now_ms)
        elif case.stage is Stage.WAITING:
            self._wait(case, now_ms)
        elif case.stage is Stage.CLONING and case.future is not None and case.future.done():
            self._collect(case, case.future, now_ms)

    def _ask(self, case: Case, now_ms: float) -> None:
        if case.facts is None:
            case.facts = self._lookups.log_facts(case.left[0])
            return
        if not case.facts.done():
            return
        future, case.facts = case.facts, None
        try:
            facts = future.result()
        except LookupFailed as error:
            case.alarm, case.retry_at_ms = str(error), now_ms + RETRY_MS
            return
        case.left.pop(0)
        case.extents.append(Extent(facts.low, facts.high))
        if not case.left:
            case.origin = Origin(facts.identity.cluster_id, facts.identity.topic_id, case.opening.partition)
            short = replay_is_short(case.extents, self._records_most)
            case.stage, case.alarm = (Stage.REPLAY if short else Stage.WAITING), ""

    def _wait(self, case: Case, now_ms: float) -> None:
        if any(other.stage is Stage.CLONING for other in self._cases.values()):
            return
        partition = case.opening.partition
        if self.kept(partition):
            # Nobody is left to clone, and what the log or a checkpoint has is not all that was acknowledged.
            case.alarm, case.retry_at_ms = FROZEN_ELSEWHERE, now_ms + RETRY_MS
            return
        others, patient = self._others(partition, now_ms), now_ms - case.since_ms < PATIENCE_MS
        node = choose(others, case.refused)
        # Right after a start the leader may be the only one that was heard.
        leads = any(name == node and state["leading"] for name, state in others)
        if node is not None and not (patient and leads):
            self._begin(case, node, now_ms)
            return
        if patient:
            return
        if replay_is_possible(case.extents):
            case.stage = Stage.REPLAY
        elif self._restored(case):
            case.stage = Stage.CLONED
        else:
            case.alarm = "its log was pruned, and no other replica can be cloned: waiting for one"
            case.retry_at_ms = now_ms + RETRY_MS

    def _restored(self, case: Case) -> bool:
        """Its own checkpoint, from which the log leads on: older than a clone, and better than nothing."""
        path, origin = self._premises.folder.replica(case.opening.partition), case.origin
        if origin is None or durable_of(path, origin).offset < case.extents[-1].low:
            return False
        try:
            if not restore(path):
                return False
        except StoreError as error:
            logger().error("its checkpoint is not restored", partition=str(case.opening.partition), reason=str(error))
            return False
        logger().warning("replica is restored from its checkpoint", partition=str(case.opening.partition))
        return True

    def _begin(self, case: Case, node: str, now_ms: float) -> None:
        opening, origin = case.opening, case.origin
        assert origin is not None
        path = self._premises.folder.replica(opening.partition)
        expected = _old_place(place_put_aside(path), origin)
        at_least = 0 if expected is None else expected.next_offset
        wanted = Wanted(self._premises.around.me.node, *opening.partition, at_least)
        indexes = len(opening.indexes.all)
        case.job = Job(node, wanted, opening.log, origin, case.extents[-1], path, indexes, expected)
        case.future, case.stage, case.begun_ms = self.receiving.begin(case.job), Stage.CLONING, now_ms
        logger().info("clone", partition=str(opening.partition), source=node)

    def _collect(self, case: Case, future: Future[Place], now_ms: float) -> None:
        job, case.job, case.future = case.job, None, None
        assert job is not None
        partition = str(case.opening.partition)
        try:
            future.result()
        except OtherHistory as error:
            case.stage, case.alarm = Stage.STOPPED, str(error)
            logger().error("clone stopped", partition=partition, reason=str(error))
        except CloneFailed as error:
            self.failed += 1
            self._try_again(case, job.source, str(error), now_ms)
        else:
            self.done += 1
            case.stage = Stage.CLONED
            log_cloned(partition, job, now_ms - case.begun_ms)

    def _try_again(self, case: Case, source: str, why: str, now_ms: float) -> None:
        logger().warning("clone failed", partition=str(case.opening.partition), source=source, reason=why)
        case.tries += 1
        case.alarm, case.retry_at_ms = f"clone of {source} failed: {why}", now_ms + RETRY_MS
        # Whoever was refused by all of them begins with the best one again.
        case.refused = {source} if source in case.refused else {*case.refused, source}
        if case.tries >= TRIES_MOST and replay_is_possible(case.extents):
            case.stage = Stage.REPLAY
        else:
            # The log may have been pruned meanwhile.
            case.stage, case.extents, case.left = Stage.ASKING, [], _logs(case.opening)


def _logs(opening: Opening) -> list[Log]:
    """Of its ancestors, the root first, and its own."""
    lineage = opening.to.lineage if opening.to is not None else ()
    return [Log(opening.log.topic, number) for number in (*lineage, opening.partition.number)]


def _state(case: Case) -> str:
    """As heartbeats say it. A child of a partition that is being split may not hold up the seal if it waits for a
    replica to clone: there is none before the seal."""
    child, stopped = case.opening.to is not None, case.stage is Stage.STOPPED
    if stopped or case.tries >= FAILED_TRIES or (child and case.stage is Stage.WAITING and case.alarm):
        return "failed"
    return "preparing" if child else "opening"


def _offset(case: Case) -> int:
    """Of the snapshot that is being received; -1 where there is none."""
    return -1 if case.job is None else case.job.offset


def _old_place(stored: bytes | None, origin: Origin) -> Place | None:
    """Where the store that was put aside had come to, if it had read this very log."""
    try:
        found = None if stored is None else decode_place(stored)
    except UndecodableMessage as error:
        logger().warning("the place of a damaged store is unreadable", reason=str(error))
        return None
    return found if found is not None and found.origin == origin else None
