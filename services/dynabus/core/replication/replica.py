"""A replica's brain: composes fold, election, leadership and request ids; decides everything, does no I/O.

The shell feeds it what it reads (log records, requests, heartbeats, questions, time) and then performs
`take_effects()` in order. The same class runs in storage nodes, as auto-admin's log, and in the simulator.
Times are milliseconds of a clock that counts suspend; `now_ms` is read after the poll that brought the input.

Invariants:
* It leads only after it read back its own claim, known by nonce and incarnation, with all before it applied (I2).
* Only members claim and answer: what replays the log to join the group, or has left it, does neither (I2).
* Rows change only when `fold` accepted a mutation, and never otherwise (I1, I5).
* Diverged or unreadable: it stops for good and says why (I9). It never starts again by itself (`standstill`).
"""

from __future__ import annotations

from collections.abc import Iterable

from dynabus.core.errors import InvariantError
from dynabus.core.ids import Incarnation, NodeName
from dynabus.core.messages import SEALED, ReplyStatus
from dynabus.core.replication.effects import (
    Append,
    Ask,
    Beat,
    Effect,
    Leading,
    Peer,
    Query,
    Respond,
    Surroundings,
    Tell,
    Write,
)
from dynabus.core.replication.election import Election, Stage, Step
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.leader import Leader, Seat
from dynabus.core.replication.membership import Wanted, obey
from dynabus.core.replication.neighbours import Neighbours
from dynabus.core.replication.place import Place, encode_claim
from dynabus.core.replication.records import Changes, Child, Kind, Mutation, Record
from dynabus.core.replication.request_ids import Applied, apply_mutation, ignore
from dynabus.core.replication.stopping import Stoppable
from dynabus.core.replication.store import Follow, Outcome, Store, no_more
from dynabus.core.replication.unresolved import Sender


class Replica(Stoppable):
    """One replica of one partition."""

    def __init__(self, around: Surroundings, store: Store, place: Place, now_ms: float, follow: Follow = no_more):
        super().__init__()
        self.around, self.place, self.store, self._follow = around, place, store, follow
        self.applied: Applied = ignore
        self.leader: Leader | None = None
        self.stopping = self.preferred = False
        self.end_offset: int | None = None  # the log's end as last heard of
        self.voids = 0  # since this process started
        self.election = Election(around.timing.election, around.random)
        self.neighbours = Neighbours(self.election)
        self._effects: list[Effect] = []
        self._foreign_ms = now_ms
        """When the last accepted record of another writer was read; after a restart, process start (I7)."""
        self._look_at_reign(now_ms)

    def take_effects(self) -> list[Effect]:
        """The effects since the last call, in the order in which they must be performed."""
        if self.leader is not None:
            self.leader.flush()
        effects, self._effects[:] = self._effects[:], []
        return effects

    # -- the log ----------------------------------------------------------------------------------------------

    def read_log(self, records: Iterable[Record], now_ms: float) -> None:
        """Fold and apply. `now_ms` was read after the consume call that returned the records."""
        if self.standstill:
            self.standstill.missed = True
            return
        for record in records:
            if self.alarm is not None or self.place.sealed:
                break
            if record.offset >= self.place.next_offset:
                self._read(record, now_ms)
        if self.leader is not None:
            self.leader.answers(now_ms)

    def _read(self, record: Record, now_ms: float) -> None:
        before = self.place
        self.place, verdict = fold(before, record, self.around.bodies)
        if verdict == Verdict.ACCEPTED:
            self._accepted(before, record, now_ms)
        elif verdict == Verdict.VOID:
            self.voids += 1
        elif verdict == Verdict.DIVERGED:
            self._diverged(record, now_ms)
        else:
            self.freeze(f"record at offset {record.offset} is of a newer version; upgrade this node", now_ms)

    def _accepted(self, before: Place, record: Record, now_ms: float) -> None:
        mine = record.writer == self.around.me
        if not mine and not (record.kind == Kind.GENESIS and self.place.is_fresh):
            self._foreign_ms = now_ms
        if record.kind == Kind.CLAIM:
            self._claim_accepted(before, record, now_ms)
        elif record.kind == Kind.MUTATION:
            self._apply(before, record, self._own(record, now_ms) if mine else None, now_ms)
        else:
            if mine:
                self._own(record, now_ms)
            if record.kind in (Kind.RESIGN, Kind.GENESIS):
                self._look_at_reign(now_ms)
            if record.kind in (Kind.RESIGN, Kind.SEAL):
                self._retire(now_ms)
            if record.kind in (Kind.RESIGN, Kind.SEAL, Kind.CONFIGURE):
                self._effects.append(Beat())

    def _own(self, record: Record, now_ms: float) -> Changes | None:
        leader = self.leader
        return leader.accepted(record, now_ms) if leader is not None and leader.seat.term == record.term else None

    def _apply(self, before: Place, record: Record, mutation: Changes | None, now_ms: float) -> None:
        body = mutation or self.around.bodies.decode(record.schema_number, record.body)
        if not isinstance(body, Changes):
            self.place = before  # it may not pass what the rows do not hold
            self.freeze(f"mutation at offset {record.offset} is of a newer version; upgrade this node", now_ms)
            return
        apply_mutation(self.store, body, record.sequence, self.place.log_time_ms, self._follow)
        if isinstance(body, Mutation):
            self.applied(body, record.offset, self.place, self.leader is not None)

    def _claim_accepted(self, before: Place, record: Record, now_ms: float) -> None:
        won = self._won(record)
        claim_sent_ms = self.election.claim_sent_ms
        carried = self._carried_deferral(before)
        self.election.claim_accepted(now_ms, replayed=record.offset + 1 < (self.end_offset or 0))
        self.neighbours.claim_accepted(record.term)
        self._retire(now_ms)
        if won:
            self._lead(before, record, claim_sent_ms, carried, now_ms)
        elif record.writer.node == self.around.me.node:
            # An abandoned attempt of ours, or one of an earlier run: nobody leads that term.
            self.election.claim_at_once(now_ms)
        self._effects.append(Beat())

    def _won(self, record: Record) -> bool:
        """Our own claim of this very attempt: known by incarnation and nonce, never by the node's name (I2)."""
        election, mine = self.election, record.writer == self.around.me
        return mine and election.stage is Stage.CLAIMING and record.nonce == election.nonce

    def _lead(self, before: Place, record: Record, sent_ms: float, carried: float | None, now_ms: float) -> None:
        group = self.place.group
        if group is None:
            raise InvariantError("a claim was accepted before the log began")
        until_ms = self._deferred_until_ms(before, record.term, carried)
        me, place, term, generation = self.around.me, self.place, record.term, group.generation
        seat = Seat(me, generation, term, sent_ms, now_ms, until_ms, place.log_time_ms, place.chain)
        self.leader = Leader(seat, self.store, self.around.bodies, self.around.timing, self._effects)

    def _deferred_until_ms(self, before: Place, term: int, carried: float | None) -> float:
        if (term == 1 and self.place.is_fresh) or (before.reign.resigned and before.reign.clean):
            return float("-inf")
        return self._foreign_ms + self.around.timing.lease.deferral_ms if carried is None else carried

    def _carried_deferral(self, before: Place) -> float | None:
        """The directly preceding term was led by this very run: its own remaining deferral, none added (I4)."""
        if self.leader is not None and self.leader.seat.term == before.reign.term:
            return self.leader.seat.deferred_until_ms
        return None

    def _retire(self, now_ms: float) -> None:
        """The term is over. Accepted writes are still acknowledged; whoever waits for anything else asks again."""
        if (leader := self.leader) is not None:
            leader.serving, self.leader = False, None
            try:
                leader.answers(now_ms)
            finally:
                self._redirect(leader.waiting())

    def _look_at_reign(self, now_ms: float) -> None:
        """What the place itself says about who should claim: after opening, a genesis or a resign."""
        reign, me = self.place.reign, self.around.me
        if self.place.group is None or self.place.sealed:
            return
        if reign.leader is None:
            self.election.term_begins(now_ms, preferred=self.preferred)
        elif reign.resigned:
            self.election.term_ended(now_ms, successor=reign.successor == me.node)
        elif reign.leader.writer.node == me.node and reign.leader.writer != me:
            self.election.claim_at_once(now_ms)

    # -- requests ---------------------------------------------------------------------------------------------

    def write(self, request: Write, now_ms: float, wall_ms: int) -> None:
        """Only the leader of the partition's generation takes writes."""
        if self._refused(request.sender, request.generation):
            return
        if self.leader is None or not self.leader.serving:
            self._redirect([request.sender])
        else:
            self.leader.write(request, now_ms, wall_ms)

    def query(self, request: Query, now_ms: float) -> None:
        """Strong reads of the leader, eventually consistent ones of any member."""
        if self._refused(request.sender, request.generation):
            return
        if not self.place.admits(self.around.me.node):
            self._redirect([request.sender])
        elif not request.consistent:
            self._effects.append(Respond(request.sender, request.read(self.store)))
        elif self.leader is None or not self.leader.serving:
            self._redirect([request.sender])
        else:
            self.leader.read(request.sender, request.read, now_ms)

    def _refused(self, sender: Sender, generation: int) -> bool:
        group, stopped = self.place.group, self.alarm is not None or self.place.sealed or self.standstill
        if group is not None and group.generation == generation and not stopped and not self.place.is_restoring:
            return False
        self._effects.append(Respond(sender, Outcome(ReplyStatus.STALE_ROUTE, SEALED if self.place.sealed else b"")))
        return True

    def _redirect(self, senders: Iterable[Sender]) -> None:
        outcome = Outcome(ReplyStatus.STALE_ROUTE, SEALED)
        if not self.place.sealed:
            outcome = Outcome(ReplyStatus.NOT_LEADER, self.place.leader_hint(self.around.me).encode())
        self._effects.extend(Respond(sender, outcome) for sender in senders)

    def hear(self, node: NodeName, incarnation: Incarnation, said: Leading, peer: Peer, now_ms: float) -> None:
        """A node's heartbeat, the own one included."""
        if (node, incarnation) == self.around.me:
            self.hear_itself(now_ms)
        else:
            self.neighbours.heard_peer(node, peer)
            self.heard_of_loss(node, peer, now_ms)
        self.neighbours.heard_leading(self.place.reign, node, incarnation, said, now_ms, peer.pulse)

    def hear_itself(self, now_ms: float) -> None:
        """Kafka brought the own node's heartbeat; if we stepped down for want of it, claim again at once (I4)."""
        self.election.heard_self(now_ms)
        stepped_down = self.leader is not None and not (self.leader.serving or self.stopping or self.standstill)
        if stepped_down and self.election.stage is Stage.WATCHING and self.place.leads(self.around.me):
            self.election.claim_at_once(now_ms)

    def question(self, node: NodeName, incarnation: int, term: int, nonce: int, now_ms: float) -> None:
        """Another replica suspects the leader and asks what we hear."""
        if self.leader is not None:
            hears = self.leader.appending(now_ms) and self.leader.seat.term >= term
        else:
            hears = self.neighbours.hears_leader(self.place.reign, node, incarnation, term, now_ms)
        self._effects.append(Tell(node, nonce, hears, self.caught_up, self._able))

    def answer(self, nonce: int, hears_leader: bool, better: bool, now_ms: float) -> None:
        """The answer to our question; `better`: the answering replica is caught up and able to claim."""
        if nonce == self.election.nonce:
            self.election.answered(now_ms, hears_leader=hears_leader, better=better)

    # -- time -------------------------------------------------------------------------------------------------

    def tick(self, now_ms: float) -> None:
        """Elections, step-down, answers whose deferral has ended."""
        leader = self.leader
        if leader is not None:
            if leader.serving and leader.stuck(now_ms):
                # The records may still be accepted: what became of them is unknown until the next term begins.
                leader.serving = False
                self._effects.append(Beat())
            leader.answers(now_ms)
        self.neighbours.tick(self.place.reign, now_ms)
        step = self.election.tick(now_ms, able=self._able, caught_up=self.caught_up)
        if step is Step.ASK:
            self._ask()
        elif step is Step.CLAIM:
            self._claim(now_ms)

    def _ask(self) -> None:
        group, me = self.place.group, self.around.me
        others = tuple(node for node in group.members if node != me.node) if group is not None else ()
        self.election.nonce = self.around.nonce()
        self._effects.append(Ask(others, self.place.reign.term, self.election.nonce))

    def _claim(self, now_ms: float) -> None:
        nonce = self.around.nonce()
        self.election.claiming(nonce, now_ms)
        self._effects.append(Append(encode_claim(self.place, self.around.me, nonce, self.around.bodies)))

    def append_failed(self, now_ms: float) -> None:
        """The node's log producer reported an error or a timeout: everything unresolved goes out again (I4)."""
        self.election.attempt_failed(now_ms)
        if self.leader is not None:
            self.leader.send_again()

    def prefer(self, now_ms: float) -> None:
        """Auto-admin placed this replica first: it claims as soon as the log has begun."""
        self.preferred = True
        self._look_at_reign(now_ms)

    def seal(self, generation: int, children: tuple[Child, ...], now_ms: float) -> None:
        """Auto-admin decided a split and the heirs are ready: end the log, if this is the leader (I7)."""
        if self.leader is not None and self.leader.seat.generation == generation:
            self.leader.seal(children, now_ms)

    def regroup(self, wanted: Wanted, now_ms: float) -> None:
        """Auto-admin wants other members, or another leader."""
        if self.leader is not None and self.place.group is not None and not self.place.is_restoring:
            since_ms = now_ms - self.around.timing.election.recent_ms
            obey(wanted, self.leader, self.place.group, self.neighbours, since_ms, now_ms)

    def stop(self, now_ms: float) -> None:
        """A planned stop."""
        self.stopping = True
        self.step_down(now_ms)

    def step_down(self, now_ms: float) -> None:
        """Resign, naming the most advanced other replica as successor."""
        if self.leader is not None and self.leader.serving:
            since_ms, group = now_ms - self.around.timing.election.recent_ms, self.place.group
            self.leader.resign(self.neighbours.successor(since_ms, group.members if group else ()), now_ms)

    @property
    def caught_up(self) -> bool:
        end = self.end_offset
        return end is not None and self.place.next_offset + self.around.timing.caught_up_records >= end

    @property
    def restless(self) -> bool:
        """Time alone may change something within milliseconds: such a replica needs a tick every 20 ms or so."""
        return self.election.stage is not Stage.WATCHING or (self.leader is not None and not self.leader.idle)

    @property
    def due_ms(self) -> float:
        """When it needs a tick, if nothing happens: always, while it stands still, which may end."""
        return float("-inf") if self.standstill else self.election.due_ms

    @property
    def lag(self) -> int:
        """Records between the place and the log's end; -1 while the end is unknown."""
        return -1 if self.end_offset is None else max(0, self.end_offset - self.place.next_offset)

    @property
    def _able(self) -> bool:
        leading = self.leader is not None and self.leader.serving
        may_claim = not (self.stopping or self.standstill or self.alarm is not None or self.place.sealed or leading)
        return may_claim and self.place.admits(self.around.me.node)

    def leading(self, now_ms: float) -> Leading:
        """What the node's heartbeat says of this replica."""
        leader = self.leader
        if leader is not None and leader.serving:
            return Leading(True, leader.appending(now_ms), leader.seat.term)
        return Leading(False, False, self.place.reign.term)
