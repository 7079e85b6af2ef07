"""Brains that get splits wrong, each of which the checks must catch. Registered beside those of `broken`."""

from __future__ import annotations

from typing import Any

from dynabus.core.replication import fold as fold_module
from dynabus.core.replication import heir as heir_module
from dynabus.core.replication import replica as replica_module
from dynabus.core.replication.fold import Verdict
from dynabus.core.replication.heir import Heir
from dynabus.core.replication.leader import Leader
from dynabus.core.replication.place import Place, start_of_log
from dynabus.core.replication.records import Bodies, Child, Envelope, Kind, Record, Seal, decode_record, encode_record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.succession import Succession
from tests.simulation import audit, part
from tests.simulation.brains import Patches
from tests.simulation.broken import broken
from tests.simulation.disk import Disk


@broken("I1", "a claim after a seal is accepted, and the parent lives on")
def claim_after_a_seal() -> Patches:
    def fold(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
        claim = place.sealed and record.intact and record.kind == Kind.CLAIM
        if not claim or record.term != place.reign.term + 1 or record.offset != place.next_offset:
            return fold_module.fold(place, record, bodies)
        return fold_module.fold(place._replace(children=None), record, bodies)

    def read_log(self: Replica, records: Any, now_ms: float) -> None:
        for record in records:
            if self.alarm is None and record.offset >= self.place.next_offset:
                self._read(record, now_ms)
        if self.leader is not None:
            self.leader.answers(now_ms)

    real = Replica._accepted

    def accepted(self: Replica, before: Place, record: Record, now_ms: float) -> None:
        real(self, before, record, now_ms)
        if record.kind == Kind.SEAL:
            # As it would be if nothing were special about a sealed log.
            self.election.term_ended(now_ms, successor=False)

    able = property(lambda self: self.alarm is None and not self.stopping and self.leader is None)
    return [
        (replica_module, "fold", fold),
        (heir_module, "fold", fold),
        (audit, "true_fold", fold),
        (Replica, "read_log", read_log),
        (Replica, "_accepted", accepted),
        (Replica, "_able", able),
    ]


@broken("I7", "the parent's leader reads on after it sent its seal")
def parent_reads_on_after_its_seal() -> Patches:
    def seal(self: Leader, children: tuple[Child, ...], now_ms: float) -> bool:
        if now_ms < self.seat.deferred_until_ms or not self.serving:
            return False
        if not any(decode_record(0, 0, sent.value).kind == Kind.SEAL for sent in self.unresolved.records):
            self._append(Kind.SEAL, Seal(children), now_ms)
        return True

    return [(Leader, "seal", seal)]


@broken("I7", "the parent is sealed by a leader that still defers, whose predecessor may read on")
def sealed_while_deferring() -> Patches:
    def seal(self: Leader, children: tuple[Child, ...], now_ms: float) -> bool:
        if not self.serving:
            return False
        self.serving = False
        self._append(Kind.SEAL, Seal(children), now_ms)
        return True

    return [(Leader, "seal", seal)]


@broken("I2", "a child is a replica before it folded its parent to the seal")
def child_before_the_seal() -> Patches:
    def go_over(self: Heir) -> bool:
        if self.place.group is None:
            return False
        self.place = start_of_log(self.place.origin._replace(partition=self.to.partition))
        return True

    return [(Heir, "go_over", go_over)]


@broken("I6", "an heir goes over at the seal without what lay between its copy and the seal")
def heir_skips_to_the_seal() -> Patches:
    def read_log(self: Heir, records: Any) -> None:
        for record in records:
            if record.offset == self.place.next_offset and not self.place.sealed:
                self.place, _ = fold_module.fold(self.place, record, self._bodies)

    return [(Heir, "read_log", read_log)]


@broken("I2", "a child's log begins when its parent's seal is sent, not when it is accepted")
def genesis_before_the_seal_is_accepted() -> Patches:
    real_seal, real_begins, real_has_heirs = Replica.seal, part.Part.begins, part.Part.has_heirs

    def seal(self: Replica, generation: int, children: tuple[Child, ...], now_ms: float) -> None:
        real_seal(self, generation, children, now_ms)
        if self.leader is not None and not self.leader.serving and not self.place.sealed:
            self.hasty = self.place._replace(children=children)  # type: ignore[attr-defined]

    def has_heirs(self: part.Part) -> bool:
        return real_has_heirs(self) or getattr(self.replica, "hasty", None) is not None

    def begins(self: part.Part, now_ms: float) -> Any:
        hasty = getattr(self.replica, "hasty", None)
        if hasty is None or self.replica is None or self.replica.place.sealed:
            return real_begins(self, now_ms)
        return Succession(self._around.me, self._around.bodies).tick(hasty, now_ms)

    return [(Replica, "seal", seal), (part.Part, "begins", begins), (part.Part, "has_heirs", has_heirs)]


@broken("I10", "heirs keep only the request ids of their own keys")
def heir_loses_request_ids() -> Patches:
    real = Disk.inherit

    def inherit(self: Disk, parent: Disk, to: Any) -> None:
        real(self, parent, to)
        rows, _, digest, place = self.commits[-1]
        self.requests.clear()
        self._ids.clear()
        self.commits[-1] = (rows, {}, digest, place)

    def apply(store: Any, mutation: Any, sequence: int, log_time_ms: int, follow: Any) -> None:
        if mutation.new is None:
            store.delete(mutation.key)
        else:
            store.put(mutation.key, mutation.new)

    return [
        (Disk, "inherit", inherit),
        (heir_module, "apply_mutation", apply),
        (heir_module, "remember", lambda *_: None),
    ]


@broken("I2", "whoever writes a child's genesis puts its own name into it")
def genesis_differs_between_writers() -> Patches:
    real = Succession.tick

    def tick(self: Succession, place: Place, now_ms: float) -> Any:
        return [begin._replace(genesis=signed(begin.genesis, self)) for begin in real(self, place, now_ms)]

    def signed(value: bytes, by: Succession) -> bytes:
        record = decode_record(0, 0, value)
        chain, log_time_ms = record.previous, record.log_time_ms
        envelope = Envelope(record.generation, 0, 0, chain, log_time_ms, by._me, 0, Kind.GENESIS)
        return encode_record(envelope, record.schema_number, record.body)

    return [(Succession, "tick", tick)]
