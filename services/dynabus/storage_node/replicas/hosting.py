"""Opening and closing replicas.

Assigned -> Kafka is asked which log it is and what of it exists -> LMDB is opened -> its place is checked against
the log -> a brain is made -> `catch_up` reads the log from the place -> at its end it moves to `main`.
A partition that is the child of another is an heir first (`heirs`), if only until its place was read.
One of which nothing is here is cloned where its log is long, or was pruned (`clones`).

A place of another log, or outside of the log, is never read on from and never reset: see `suspects` (I9).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.lmdb import LmdbStore, discard, put_off
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.logs import logger
from dynabus.core.contents import Contents
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.storage_node.cloning.clones import Clones
from dynabus.storage_node.replicas.assignments import Change
from dynabus.storage_node.replicas.following import Following
from dynabus.storage_node.replicas.hosted import BROKEN_STORE, DAMAGED, Hosted
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed, Lookups
from dynabus.storage_node.replicas.losses import Losses
from dynabus.storage_node.replicas.opening import NothingHere, Opening, Premises, refuse
from dynabus.storage_node.replicas.readers import Log, Readers
from dynabus.storage_node.replicas.suspects import Suspects
from dynabus.storage_node.splitting.ancestors import AncestorLogs
from dynabus.storage_node.splitting.heirs import Heirs
from dynabus.storage_node.upkeep.checkpoints import checkpoint_of
from dynabus.storage_node.upkeep.repair import Repairs, expected_place
from dynabus.storage_node.upkeep.restoring import Restorings

RETRY_MS = 500.0
"""After Kafka did not tell about a log; it may just be changing its leader."""


class Hosting:
    """The replicas of this node, by (log id, partition) in `hosted` and by (topic, topic partition) in `by_log`."""

    def __init__(
        self, premises: Premises, readers: Readers, lookups: Lookups, ancestors: AncestorLogs, clones: Clones
    ) -> None:
        self.hosted: dict[tuple[str, int], Hosted] = {}
        self.by_log: dict[tuple[str, int], Hosted] = {}
        self._premises, self._readers, self._lookups = premises, readers, lookups
        self._opening: dict[PartitionId, Opening] = {}
        self._suspects = Suspects(lookups)
        self._losses = Losses(premises.folder)
        self.clones, clones.kept = clones, self._losses.__contains__
        self.repairs = Repairs(premises, lookups, clones.source, self._losses.__contains__)
        self._restorings = Restorings(premises, lookups, self.hosted)
        self._following = Following(readers, self.by_log)
        self._assigned: dict[PartitionId, Opening] = {}
        """What the replicas of `hosted` were opened with."""
        self._heirs = Heirs(premises, lookups, ancestors, self._source, self._losses.__contains__)
        self._sealed: set[Hosted] = set()
        for path in premises.folder.left_aside():
            lookups.remove_folder(path)

    def apply(self, change: Change, now_ms: float) -> list[Hosted]:
        """What metadata changed; returns the replicas that were closed, which still have answers to give."""
        self._acquaint(change)
        for partition in change.opened:
            topic = self._premises.topics.log_name(partition.log)
            log, preferred = Log(topic, partition.number), partition in change.preferred
            opening = Opening(partition, log, preferred, change.indexes, change.inherited.get(partition))
            if opening.to is None:
                self._opening[partition] = opening
            else:
                self._heirs.add(opening)
        closed = [self._close(partition, "this node left the group", now_ms) for partition in change.left]
        for partition in change.elsewhere:
            self._remove(partition)
        for partition in self._losses.learn(change).intersection(self.hosted):
            self._losses.freeze(self.hosted[partition], now_ms)
        if change.deleted is not None:
            known = (*self.hosted, *self._opening, *self._heirs, *self.clones)
            here = [PartitionId(LogId(log), number) for log, number in known]
            mine = [partition for partition in here if partition.log == change.deleted]
            closed += [self._close(partition, "the table was deleted", now_ms) for partition in mine]
            self._readers.forget(self._premises.topics.log_name(change.deleted))
            self._lookups.remove_folder(self._premises.folder.path / change.deleted)
        return [hosted for hosted in closed if hosted is not None]

    def _acquaint(self, change: Change) -> None:
        """Let those who read and write logs know the topics; a child's may have grown since they looked last."""
        grown = {self._premises.topics.log_name(partition.log) for partition in change.inherited}
        for topic in {self._premises.topics.log_name(partition.log) for partition in change.opened} | grown:
            self._readers.introduce(topic, grown=topic in grown)
            self._lookups.acquaint(topic)

    def _close(self, partition: PartitionId, why: str, now_ms: float) -> Hosted | None:
        opening = self._opening.pop(partition, None)
        if opening is not None and opening.store is not None:
            opening.store.abandon()
        self._heirs.drop(partition)
        self.clones.drop(partition)
        self.repairs.forget(partition)
        self._assigned.pop(partition, None)
        hosted = self.hosted.pop(partition, None)
        if hosted is None:
            return None
        self._sealed.discard(hosted)
        del self.by_log[hosted.log]
        self._suspects.forget(hosted)
        self._readers.leave(hosted.log)
        hosted.retire(why, now_ms)
        if hosted.replica.place.sealed:
            # Its children serve; whoever still needs what was in it reads its log, or clones them.
            for path in self._paths(partition):
                self._lookups.remove_folder(path)
        logger().info("replica closed", partition=str(partition), reason=why)
        return hosted

    def _remove(self, partition: PartitionId) -> None:
        """Other nodes have the partition: should it come back, it replays or clones."""
        for path in self._paths(partition)[1:]:
            self._lookups.remove_folder(path)
        aside = self._premises.folder.set_aside(partition)
        if aside is not None:
            logger().info("replica removed", partition=str(partition))
            self._lookups.remove_folder(aside)

    def _paths(self, partition: PartitionId) -> tuple[Path, ...]:
        path = self._premises.folder.replica(partition)
        return path, (checkpoint := checkpoint_of(path)), put_off(checkpoint)

    # -- every turn -------------------------------------------------------------------------------------------

    @property
    def unsettled(self) -> bool:
        """Something is being opened or suspected: `step` has work."""
        waiting = self._opening or self._suspects or self._heirs or self._sealed
        return bool(waiting or self.repairs or self.clones or self._restorings)

    @property
    def asking(self) -> bool:
        """An answer is on its way that no message announces."""
        asked = any(opening.facts is not None for opening in self._opening.values()) or self._suspects.asking
        return asked or self._heirs.busy or self.clones.busy or self._restorings.busy

    def take_news(self) -> bool:
        """Whether there is something that heartbeats should say at once."""
        news = self._heirs.more_ready or self._following.replayed
        self._heirs.more_ready = self._following.replayed = False
        return news

    def step(self, now_ms: float) -> list[Hosted]:
        """Go on with what is being opened, caught up or suspected; returns replicas that changed."""
        changed: list[Hosted] = []
        for opening in self._heirs.step(now_ms):
            self._opening[opening.partition] = opening
        self._take_clones(now_ms)
        self._look_at_children()
        if self.repairs:
            changed += self._repair(now_ms)
        if self._opening:
            changed += self._open_those_known(now_ms)
        if self._readers.catching_up:
            self._following.move_caught_up()
        if self._restorings:
            changed += self._restorings.step(now_ms)
        if self._suspects:
            for hosted in self._suspects.step(now_ms):
                changed.append(hosted)
                if hosted.replica.alarm is None and not hosted.damage and not hosted.replica.place.sealed:
                    self._following.catch_up(hosted)
        return changed

    def _take_clones(self, now_ms: float) -> None:
        """Those that are here now, and those that are better replayed."""
        for opening in self._heirs.take_orphans():
            self.clones.add(opening, now_ms)
        cloned, replay = self.clones.step(now_ms)
        for opening in (*cloned, *replay):
            if opening.to is None or opening.cloned:
                opening.facts = None
                self._opening[opening.partition] = opening
            else:
                self._heirs.add(opening)

    def _repair(self, now_ms: float) -> list[Hosted]:
        """Those whose stores were moved aside are opened as if new; the others may have resigned."""
        changed = list(self.repairs.hosted())
        for opening in self.repairs.step(now_ms):
            hosted = self.hosted.pop(opening.partition, None)
            self._opening.pop(opening.partition, None)
            if hosted is not None:
                self._sealed.discard(hosted)
                self._suspects.forget(hosted)
                self._readers.leave(hosted.log)
                del self.by_log[hosted.log]
            if opening.to is None:
                self._opening[opening.partition] = opening
            else:
                self._heirs.add(opening)
        return changed

    def _repair_store(self, opening: Opening, why: str, hosted: Hosted | None) -> None:
        if opening.partition not in self._losses:
            self.repairs.add(opening, why, hosted)

    def suspect(self, hosted: Hosted, now_ms: float) -> None:
        """Kafka says that the place is outside of the log."""
        self._readers.leave(hosted.log)
        self._suspects.add(hosted, now_ms)

    def stop_reading(self, hosted: Hosted) -> None:
        """It will never read on: frozen, failed or sealed."""
        self._readers.leave(hosted.log)
        if hosted.replica.place.sealed:
            self._sealed.add(hosted)

    def _look_at_children(self) -> None:
        """Which children of sealed partitions have begun: their genesis need not be written again."""
        for hosted in [*self._sealed]:
            for child in hosted.replica.place.children or ():
                found = self.hosted.get(PartitionId(hosted.partition.log, child.number))
                if found is not None and found.replica.place.group is not None:
                    hosted.succession.began.add(child.number)
            if not hosted.succession.pending(hosted.replica.place):
                self._sealed.discard(hosted)

    def _source(self, parent: PartitionId) -> LmdbStore | bool:
        hosted = self.hosted.get(parent)
        if hosted is not None and not hosted.failed and hosted.replica.alarm is None:
            return True if hosted.replica.standstill else hosted.store
        opening = self._opening.get(parent)
        to_come = self._heirs.is_to_come(parent) or self.clones.is_to_come(parent)
        return (opening is not None and not opening.failed) or to_come

    def look_at_ends(self, replicas: Iterable[Hosted]) -> None:
        """Tell these replicas where their logs end, as far as fetches told."""
        self._following.look_at_ends(replicas)

    def unopened(self) -> Iterator[ReplicaState]:
        """What heartbeats say of replicas that are not here yet."""
        for opening in list(self._opening.values()):
            yield opening.state()
        yield from self._heirs.states()
        yield from self.clones.states()

    def _open_those_known(self, now_ms: float) -> list[Hosted]:
        opened = []
        for opening in list(self._opening.values()):
            if opening.failed:
                continue
            if opening.facts is None:
                if now_ms >= opening.retry_at_ms:
                    opening.facts = self._lookups.log_facts(opening.log)
            elif opening.facts.done():
                hosted = self._try_to_open(opening, opening.facts, now_ms)
                opened += [hosted] if hosted is not None else []
        return opened

    def _try_to_open(self, opening: Opening, future: Future[LogFacts], now_ms: float) -> Hosted | None:
        try:
            facts = future.result()
            hosted = self._open(opening, facts, now_ms)
        except LookupFailed as error:
            opening.facts, opening.retry_at_ms, opening.alarm = None, now_ms + RETRY_MS, str(error)
            return None
        except NothingHere:
            del self._opening[opening.partition]
            opening.store, opening.cloned = None, False
            self.clones.add(opening, now_ms)
            return None
        except (*BROKEN_STORE, UndecodableMessage) as error:
            opening.facts, opening.alarm, opening.failed = None, str(error), True
            if isinstance(error, DAMAGED):
                opening.store = None
                self._repair_store(opening, str(error), None)
            logger().error("replica failed", partition=str(opening.partition), reason=str(error))
            return None
        del self._opening[opening.partition]
        self._assigned[opening.partition] = opening
        self.hosted[opening.partition] = self.by_log[hosted.log] = hosted
        logger().info("replica opened", partition=str(opening.partition), next_offset=hosted.committed.offset)
        return hosted

    def _open(self, opening: Opening, facts: LogFacts, now_ms: float) -> Hosted:
        partition = opening.partition
        self._premises.files.check(len(self.hosted) + 1)
        store = opening.store or self._premises.open_store(partition, kept=partition in self._losses)
        origin = Origin(facts.identity.cluster_id, facts.identity.topic_id, partition)
        try:
            stored = store.place()
            place = start_of_log(origin) if stored is None else decode_place(stored)
            if self._is_useless(opening, stored is None, place, facts):
                store.abandon()
                discard(self._premises.folder.replica(partition))
                raise NothingHere
            contents = Contents(store, opening.indexes)
        except (*BROKEN_STORE, UndecodableMessage):
            store.abandon()
            raise
        hosted = self._premises.host(opening, store, place, contents, now_ms)
        replica = hosted.replica
        hosted.expected = expected_place(self._premises.folder.replica(partition), place)
        if self._losses.reopened(hosted, now_ms, fence=place.origin == origin) or refuse(replica, origin, now_ms):
            pass  # it is alarmed: by what is written beside it, or by its place
        elif not facts.low <= place.next_offset <= facts.high:
            self._suspects.add(hosted, now_ms)
        else:
            replica.end_offset = facts.high
            if place.sealed:
                self._sealed.add(hosted)
            else:
                # What was away may have missed that the log was cut and grew again.
                self._following.catch_up(hosted, compare=place.next_offset > facts.low)
        self._losses.freeze(hosted, now_ms)
        if opening.preferred and replica.alarm is None:
            replica.prefer(now_ms)
        return hosted

    def _is_useless(self, opening: Opening, empty: bool, place: Place, facts: LogFacts) -> bool:
        """Nothing was read here yet, of a log that is long or pruned; or it was pruned while this was cloned. What is
        frozen stays as it is (I9).
        """
        if opening.partition in self._losses:
            return False
        if empty:
            return not opening.replay and self.clones.wanted(facts)
        return opening.cloned and place.next_offset < facts.low

    def settle(self, hosted: Hosted) -> None:
        """Who leads may have changed, and with it who should read; or it turned out to be damaged, or frozen."""
        self._losses.keep(hosted)
        if hosted.damage and self.hosted.get(hosted.partition) is hosted:
            # One that was replaced already may still be touched once more.
            self._repair_store(self._assigned[hosted.partition], hosted.damage, hosted)
        self._following.settle(hosted)
        self._restorings.notice(hosted)

    def close(self) -> None:
        """Commit all and leave clean directories."""
        for hosted in self.hosted.values():
            hosted.close()
        self._restorings.close()
        self._heirs.close()
        self.clones.close()
