"""Brains that get lost logs, recoveries and repairs wrong, each of which the checks must catch. Beside `broken`'s."""

from __future__ import annotations

from typing import Any

from dynabus.core.replication import fold as fold_module
from dynabus.core.replication.effects import Leading, Peer
from dynabus.core.replication.fold import Verdict
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.stopping import Stoppable
from tests.simulation import kafka, part, recoveries
from tests.simulation.brains import Patches
from tests.simulation.broken import broken
from tests.simulation.disk import Disk


@broken("I9", "a replica whose place lies beyond the log's end is rebuilt from that log, like a damaged one")
def repair_over_a_truncated_log() -> Patches:
    def lose(self: Stoppable, why: str, now_ms: float, **_: Any) -> None:
        self.alarm = None

    real = part.Part._read_replica

    def read(self: part.Part, replica: Replica, now_ms: float) -> None:
        if replica.place.next_offset > len(self.log.records):
            self.disk = Disk()
            self.start(self._around, None, now_ms)
            return
        real(self, replica, now_ms)

    return [(Stoppable, "lose", lose), (part.Part, "_read_replica", read)]


@broken("I9", "a replica whose place lies beyond the log's end is replaced by a clone of one that lies in it")
def clone_over_a_truncated_log() -> Patches:
    def lose(self: Stoppable, why: str, now_ms: float, **_: Any) -> None:
        self.alarm = None

    real = part.Part._read_replica

    def read(self: part.Part, replica: Replica, now_ms: float) -> None:
        if replica.place.next_offset > len(self.log.records):
            self.disk, self._expected, self._decided = self.disk.replaced([]), None, True
            self.start(self._around, None, now_ms)
            return
        real(self, replica, now_ms)

    return [(Stoppable, "lose", lose), (part.Part, "_read_replica", read)]


@broken("I9", "the operator's choice is the replica that is furthest behind")
def recovered_from_a_replica_that_is_behind() -> Patches:
    def choose(places: dict[str, Any], _: str | None) -> str:
        return min(places, key=lambda node: (places[node]["term"], places[node]["next_sequence"]))

    return [(recoveries, "choose", choose)]


@broken("I9", "the most advanced is who has the highest term, whichever history it is of")
def recovered_from_the_highest_term() -> Patches:
    def choose(places: dict[str, Any], _: str | None) -> str:
        return max(places, key=lambda node: (places[node]["term"], places[node]["next_sequence"]))

    return [(recoveries, "choose", choose)]


@broken("I1", "records of the current term by another than its winner are void, as if such a log could be whole")
def another_winners_records_are_void() -> Patches:
    real = fold_module._judge_led

    def judge_led(place: Place, record: Record) -> Verdict:
        leader = place.reign.leader
        foreign = leader is not None and record.term == place.reign.term and record.writer != leader.writer
        return Verdict.VOID if foreign else real(place, record)

    return [(fold_module, "_judge_led", judge_led)]


@broken("I6", "places keep no leader epoch, by which Kafka would tell that a log was cut and grew again")
def leader_epochs_are_not_compared() -> Patches:
    return [(kafka.Log, "is_cut", lambda self, place: False)]


@broken("I9", "nobody fences, and nobody stands still for another: who is consistent with the shorter log goes on")
def frozen_alone() -> Patches:
    real = Replica.hear

    def hear(self: Replica, node: Any, incarnation: Any, said: Leading, peer: Peer, now_ms: float) -> None:
        peer.doubtful, peer.lost = False, ""
        real(self, node, incarnation, said, peer, now_ms)

    def lose(self: Stoppable, why: str, now_ms: float, *, saw: bool = True, fence: bool = True) -> None:
        if self.alarm is None and not self.place.sealed and saw:
            self.lost = self.saw_loss = True
            self.freeze(why, now_ms)

    return [(Replica, "hear", hear), (Stoppable, "lose", lose)]


@broken("I6", "a damaged replica that is rebuilt goes on from its old place, without what lies before it")
def rebuilt_without_replay() -> Patches:
    def rebuild(self: part.Part) -> None:
        commits = self.disk.commits
        self.disk = Disk()
        if commits:
            self.disk.commit_place(commits[-1][3])

    return [(part.Part, "rebuild", rebuild)]


@broken("I2", "a recovery's log serves before it holds all")
def served_while_restoring() -> Patches:
    return [(Place, "is_restoring", property(lambda self: False)), (part.Part, "restore", _restore_all)]


def _restore_all(self: part.Part, old: part.Part | None, recovered: Any, now_ms: float) -> None:
    raise AssertionError("never asked for: nothing says that the log is not whole")
