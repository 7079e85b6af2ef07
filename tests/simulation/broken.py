"""Brains with one rule left out or misread. The checks must catch each one, else they check nothing.

Every entry names the rule, says what is done wrong, and patches the real classes while it is active.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from dynabus.core.ids import Incarnation
from dynabus.core.replication import fold as fold_module
from dynabus.core.replication import heir as heir_module
from dynabus.core.replication import leader as leader_module
from dynabus.core.replication import replica as replica_module
from dynabus.core.replication import tokens
from dynabus.core.replication.effects import Leading, Peer, Query, Respond, Write
from dynabus.core.replication.fold import Verdict
from dynabus.core.replication.leader import Leader, Seat
from dynabus.core.replication.lease import LeaseTiming
from dynabus.core.replication.place import Place, Reign
from dynabus.core.replication.records import CHAIN_START, Bodies, Kind, Record, Resign, next_chain
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Outcome, Read
from dynabus.core.replication.unresolved import Sender, Unresolved
from tests.simulation import audit, node
from tests.simulation.brains import Patches, patched
from tests.simulation.client import Client
from tests.simulation.disk import Disk

BROKEN: dict[str, tuple[str, Callable[[], Patches]]] = {}


def broken(rule: str, what: str) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    def register(make: Callable[[], Patches]) -> Callable[[], Patches]:
        BROKEN[make.__name__] = (f"{rule}: {what}", make)
        return make

    return register


@contextmanager
def active(name: str | None) -> Iterator[None]:
    """Run with this brain in place of the real one."""
    patches = BROKEN[name][1]() if name else []
    with patched(
        patch.object(target, attribute, new, create=attribute == "delivered") for target, attribute, new in patches
    ):
        yield


# -- leases and resignation (I7) --------------------------------------------------------------------------------


@broken("I7", "resign ends no term and its sender goes on reading")
def resign_ends_nothing() -> Patches:
    def fold(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
        moved, verdict = fold_module.fold(place, record, bodies)
        if verdict == Verdict.ACCEPTED and record.kind == Kind.RESIGN:
            reign = moved.reign
            moved = moved._replace(reign=Reign(reign.term, reign.leader, False, reign.clean, reign.successor))
        return moved, verdict

    def look(self: Replica, now_ms: float) -> None:
        reign = self.place.reign
        if reign.successor == self.around.me.node:
            self.election.claim_at_once(now_ms)

    def lead(self: Replica, before: Place, term: int, carried: float | None) -> float:
        if before.reign.clean:
            return float("-inf")
        return real(self, before, term, carried)

    real = Replica._deferred_until_ms
    return [
        (replica_module, "fold", fold),
        (heir_module, "fold", fold),
        (audit, "true_fold", fold),
        (Leader, "resign", _resign_reading_on),
        (Replica, "_look_at_reign", _both(Replica._look_at_reign, look)),
        (Replica, "_retire", _retire_unless_resigned),
        (Replica, "_deferred_until_ms", lead),
    ]


def _both(first: Callable[..., None], second: Callable[..., None]) -> Callable[..., None]:
    def run(*arguments: Any) -> None:
        first(*arguments)
        second(*arguments)

    return run


_real_retire = Replica._retire


def _retire_unless_resigned(self: Replica, now_ms: float) -> None:
    if self.place.reign.successor is None or not self.place.leads(self.around.me):
        _real_retire(self, now_ms)


def _resign_reading_on(self: Leader, successor: Any, now_ms: float) -> None:
    self._append(Kind.RESIGN, Resign(now_ms >= self.seat.deferred_until_ms, successor), now_ms)


@broken("I7", "reads stop only when the own resign is read back")
def reads_until_resign_is_read_back() -> Patches:
    return [(Leader, "resign", _resign_reading_on)]


@broken("I7", "a resign waives the next leader's wait although its sender was still deferring")
def resign_always_clean() -> Patches:
    def resign(self: Leader, successor: Any, now_ms: float) -> None:
        self.serving = False
        self._append(Kind.RESIGN, Resign(True, successor), now_ms)

    return [(Leader, "resign", resign)]


@broken("I7", "a new leader does not wait for the old lease to end")
def no_deferral() -> Patches:
    return [(LeaseTiming, "deferral_ms", 0.0)]


@broken("I7", "the lease counts from acceptance, not from the first send")
def lease_from_acceptance() -> Patches:
    real = Leader.accepted

    def accepted(self: Leader, record: Record, now_ms: float) -> Any:
        self._lease.renew(now_ms)
        return real(self, record, now_ms)

    return [(Leader, "accepted", accepted)]


@broken("I7", "the lease counts from the last send of a record that was sent again")
def lease_from_last_send() -> Patches:
    real = Replica.append_failed

    def append_failed(self: Replica, now_ms: float) -> None:
        for sent in self.leader.unresolved.records if self.leader else ():
            sent.first_sent_ms = now_ms
        real(self, now_ms)

    return [(Replica, "append_failed", append_failed)]


@broken("I7", "leases by the wall clock, which jumps")
def lease_by_wall_clock() -> Patches:
    real, real_log_time = node.Node.clock_ms, Leader._log_time_ms
    return [
        (node.Node, "clock_ms", lambda self: real(self) + max(-4000, min(4000, self.wall_jump_ms))),
        (Leader, "_log_time_ms", lambda self, now_ms: max(0, real_log_time(self, now_ms))),
    ]


@broken("I7", "after a restart, never having read an old term means no wait")
def no_wait_after_restart() -> Patches:
    real = Replica.__init__

    def init(self: Replica, *arguments: Any) -> None:
        real(self, *arguments)
        self._foreign_ms = float("-inf")

    return [(Replica, "__init__", init)]


@broken("I7", "the lease is not bound to its term: whoever still has one reads on after the term's end")
def lease_outlives_its_term() -> Patches:
    real_retire, real_query = Replica._retire, Replica.query

    def retire(self: Replica, now_ms: float) -> None:
        self.old = self.leader or getattr(self, "old", None)  # type: ignore[attr-defined]
        real_retire(self, now_ms)

    def query(self: Replica, request: Query, now_ms: float) -> None:
        old = getattr(self, "old", None)
        if request.consistent and self.leader is None and old is not None and old._lease.holds(now_ms):
            self._effects.append(Respond(request.sender, request.read(self.store)))
        else:
            real_query(self, request, now_ms)

    return [(Replica, "_retire", retire), (Replica, "query", query)]


@broken("I4", "succession in the same run drops the deferral that was left")
def succession_drops_deferral() -> Patches:
    def carried(self: Replica, before: Place) -> float | None:
        leader = before.reign.leader
        return float("-inf") if leader is not None and leader.writer == self.around.me else None

    return [(Replica, "_carried_deferral", carried)]


# -- answers without a record, visibility (I7b, I3) -------------------------------------------------------------


@broken("I7b", "failed conditions are answered at once")
def conditions_at_once() -> Patches:
    def answer(self: Leader, sequence: int, sender: Sender, outcome: Outcome | Read, now_ms: float) -> None:
        self._respond(sender, outcome if isinstance(outcome, Outcome) else outcome(self._store))

    return [(Leader, "_answer", answer)]


@broken("I7b", "failed conditions check the lease, not what they looked at")
def conditions_with_lease_only() -> Patches:
    real = Leader._answer

    def answer(self: Leader, sequence: int, sender: Sender, outcome: Outcome | Read, now_ms: float) -> None:
        real(self, 0, sender, outcome, now_ms)

    return [(Leader, "_answer", answer)]


class _OverlayReader:
    """Reads the leader's own un-accepted writes."""

    def __init__(self, leader: Leader) -> None:
        self._leader = leader

    def get(self, key: bytes) -> bytes | None:
        newest = self._leader.unresolved.newest(key)
        return self._leader._store.get(key) if newest is None else newest[1]

    def scan(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        return self._leader._store.scan(lower, upper, reverse)

    def get_entry(self, key: bytes) -> bytes | None:
        return self._leader._store.get_entry(key)

    def scan_entries(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        return self._leader._store.scan_entries(lower, upper, reverse)


@broken("I7b", "strong reads see un-accepted writes")
def reads_see_the_overlay() -> Patches:
    real = Leader.read

    def read(self: Leader, sender: Sender, wanted: Read, now_ms: float) -> None:
        real(self, sender, lambda _: wanted(_OverlayReader(self)), now_ms)

    return [(Leader, "read", read)]


def _by_report(rule: Callable[[Any, int], bool]) -> Patches:
    """Acknowledge when a delivery report satisfies `rule`; rows are applied when read back, as ever."""

    def delivered(self: Any, value: bytes, offset: int, now_ms: float) -> None:
        leader = self.leader
        for sent in leader.unresolved.records if leader else ():
            may_leave = leader.serving and now_ms >= leader.seat.deferred_until_ms
            if may_leave and sent.value == value and rule(self, offset):
                self._effects.extend(Respond(*told) for told in sent.told)
                sent.told = ()
        self.last_report = offset

    return [(Replica, "delivered", delivered)]


@broken("I3", "acknowledged when the report's offset is greater than the last accepted one")
def acknowledged_by_greater_offset() -> Patches:
    return _by_report(lambda self, offset: offset >= self.place.next_offset)


@broken("I3", "acknowledged by any successful report")
def acknowledged_by_any_report() -> Patches:
    return _by_report(lambda self, offset: True)


@broken("I3", "acknowledged when the report follows the previous report")
def acknowledged_by_following_report() -> Patches:
    return _by_report(lambda self, offset: offset == getattr(self, "last_report", offset - 1) + 1)


@broken("I3", "acknowledged by a sound report, but read from rows that it has not been applied to")
def acknowledged_before_applied() -> Patches:
    return _by_report(lambda self, offset: offset == self.place.next_offset)


# -- claims and terms (I1, I2, I4) ------------------------------------------------------------------------------


@broken("I2", "a claim is recognised by its node's name")
def claim_by_node_name() -> Patches:
    def won(self: Replica, record: Record) -> bool:
        return record.writer.node == self.around.me.node

    return [(Replica, "_won", won)]


@broken("I2", "a restarted process goes on leading its old term")
def restart_goes_on_leading() -> Patches:
    real_init, real_start = Replica.__init__, node.Node.start

    def start(self: node.Node) -> None:
        if not self.up and self.incarnation:
            self.incarnation -= 1
        real_start(self)

    def init(self: Replica, around: Any, store: Any, place: Place, now_ms: float) -> None:
        real_init(self, around, store, place, now_ms)
        if place.leads(around.me) and place.group is not None:
            seat = Seat(around.me, 1, place.reign.term, now_ms, now_ms, now_ms, place.log_time_ms, place.chain)
            self.leader = Leader(seat, store, around.bodies, around.timing, self._effects)
            self.leader._next_sequence = place.next_sequence

    return [(Replica, "__init__", init), (node.Node, "start", start)]


@broken("I4", "after a delivery error other records take the places of those that failed")
def two_records_for_one_place() -> Patches:
    def append_failed(self: Replica, now_ms: float) -> None:
        self.election.attempt_failed(now_ms)
        if self.leader is not None:
            self.leader.unresolved = Unresolved()
            self.leader._chain, self.leader._next_sequence = self.place.chain, self.place.next_sequence

    return [(Replica, "append_failed", append_failed)]


@broken("I1, I9", "a mismatch is void and the chain starts again at each claim")
def chain_restarts_at_claims() -> Patches:
    def fold(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
        if record.offset == place.next_offset and fold_module.judge(place, record) == Verdict.DIVERGED:
            return place._replace(next_offset=record.offset + 1), Verdict.VOID
        moved, verdict = fold_module.fold(place, record, bodies)
        if verdict == Verdict.ACCEPTED and record.kind == Kind.CLAIM:
            moved = moved._replace(chain=next_chain(CHAIN_START, record.value))
        return moved, verdict

    return [(replica_module, "fold", fold), (heir_module, "fold", fold), (audit, "true_fold", fold)]


# -- places and disks (I6) --------------------------------------------------------------------------------------


def _cut(cut: Callable[[Place], Place]) -> Patches:
    real = Replica.__init__

    def init(self: Replica, around: Any, store: Any, place: Place, now_ms: float) -> None:
        real(self, around, store, cut(place) if place.group is not None else place, now_ms)

    return [(Replica, "__init__", init)]


@broken("I6", "a restored reader waits for the first claim that it meets")
def place_waits_for_a_claim() -> Patches:
    real = fold_module.judge

    def judge(place: Place, record: Record) -> Verdict:
        if place.reign.term == -1 and record.intact:
            return Verdict.ACCEPTED if record.kind == Kind.CLAIM else Verdict.VOID
        return real(place, record)

    return [*_cut(lambda place: place._replace(reign=Reign(-1, None))), (fold_module, "judge", judge)]


@broken("I6", "the place loses sequence and chain, and adopts those of the first record it meets")
def place_loses_sequence_and_chain() -> Patches:
    real = fold_module.fold

    def fold(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
        if place.next_sequence < 0 and record.intact:
            place = place._replace(next_sequence=record.sequence, chain=record.previous)
        return real(place, record, bodies)

    return [*_cut(lambda place: place._replace(next_sequence=-1)), (replica_module, "fold", fold)]


@broken("I6", "the place loses the resigned flag")
def place_loses_resigned() -> Patches:
    return _cut(lambda place: place._replace(reign=place.reign._replace(resigned=False, clean=False)))


@broken("I6", "place and data are committed apart")
def place_apart_from_data() -> Patches:
    real = Disk.crash

    def crash(self: Disk, back: int) -> Place | None:
        place = real(self, back)
        if place is not None and len(self.commits) > 1:
            rows, requests, digest, _ = self.commits[-1]
            self.commits[-1] = (rows, requests, digest, self.commits[-2][3])
        return place

    return [(Disk, "crash", crash)]


# -- request ids (I10) ------------------------------------------------------------------------------------------


@broken("I10", "a router re-sends under a new request id")
def retries_without_request_id() -> Patches:
    return [(Client, "new_request_id_on_retry", True)]


@broken("I10", "log time jumps to the new leader's clock, which forgets ids whose retries are on their way")
def log_time_jumps() -> Patches:
    return [(Leader, "_log_time_ms", lambda self, now_ms: int(now_ms))]


@broken("I10", "the leader does not look for the request id")
def request_ids_are_not_looked_up() -> Patches:
    return [(Unresolved, "in_flight", lambda self, request: False), (Disk, "remembered", lambda self, request: None)]


@broken("I10", "what a repeated request comes to is not remembered where it changes nothing")
def refusals_of_repeats_are_not_kept() -> Patches:
    def is_kept(request: Write, outcome: Outcome) -> bool:
        return request.token is not None and outcome.status in tokens.DECIDED

    return [(leader_module, "_is_kept", is_kept), (Client, "takes_any_answer", True)]


@broken("I10", "a router that has sent a request again takes what the first copy came to")
def first_refusal_counts() -> Patches:
    return [(Client, "takes_any_answer", True)]


@broken("I10", "the leader does not look for a command's token")
def tokens_are_not_looked_up() -> Patches:
    return [(leader_module, "recall_token", lambda *_: None)]


@broken("I10", "a token is looked for under today's window of log time only")
def tokens_of_one_window() -> Patches:
    return [(tokens, "WINDOW_MS", 2_000), (tokens, "WINDOWS", 1)]


# -- elections (liveness) ---------------------------------------------------------------------------------------


@broken("§4", "any heartbeat of the leader's node counts as a healthy leader")
def heartbeats_per_node() -> Patches:
    real = Replica.hear

    def hear(self: Replica, name: Any, incarnation: Incarnation, said: Leading, peer: Peer, now_ms: float) -> None:
        leader = self.place.reign.leader
        if leader is not None and leader.writer.node == name:
            said = Leading(True, True, self.place.reign.term)
            incarnation = leader.writer.incarnation if name != self.around.me.node else incarnation
        real(self, name, incarnation, said, peer, now_ms)

    # The restarted node's own claim would hide the fault.
    return [(Replica, "hear", hear), (Replica, "_look_at_reign", _only_first_term)]


_real_look = Replica._look_at_reign


def _only_first_term(self: Replica, now_ms: float) -> None:
    if self.place.reign.leader is None or self.place.reign.resigned:
        _real_look(self, now_ms)
