"""One term of leadership: evaluate, append, wait until accepted, answer (I3, I4, I7, I7b, I10).

A write's path: request id known? -> evaluate over applied state and overlay -> append -> (read back, applied) ->
answer. An answer leaves only when
* the record it stands for, or every record it looked at, is accepted,
* the deferral after the last change of leader is over, and
* for answers without a record, the lease of this very term holds.
Whatever changes nothing is a strong read, a failed condition too, and needs no record, unless the request has been
sent before: then its outcome gets one, since any other copy must come to the same (`provisional`). A leader that has
sent resign or seal answers no strong read any more, whatever becomes of that record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from dynabus.core.errors import InvariantError
from dynabus.core.global_tables.leading import REGIONS_ID, floors_in, floors_of, versioned
from dynabus.core.ids import NodeName, Writer
from dynabus.core.messages import SETTLED, ReplyStatus
from dynabus.core.replication.effects import Append, Effect, Respond, Timing, Write
from dynabus.core.replication.gathering import Gathered
from dynabus.core.replication.lease import Lease
from dynabus.core.replication.records import (
    Bodies,
    Body,
    Changes,
    Child,
    Configure,
    Empty,
    Envelope,
    Kind,
    Mutation,
    Record,
    Resign,
    RowChange,
    Seal,
    encode_record,
    next_chain,
)
from dynabus.core.replication.request_ids import KEEP_MS, NO_KEY, outcome_digest, recall
from dynabus.core.replication.store import Decision, Outcome, Read, Store
from dynabus.core.replication.tokens import DECIDED, recall_token, token_ids
from dynabus.core.replication.tokens import KEEP_MS as TOKEN_KEEP_MS
from dynabus.core.replication.unresolved import Held, Sender, Sent, Unresolved
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES

RECORD_LIMIT_BYTES = MESSAGE_LIMIT_BYTES - 64 * 1024
"""Checked before a sequence is given out, so that a refusal leaves the chain alone; the rest is Kafka's framing."""

ENVELOPE_MOST_BYTES = 1024
"""Of a record with one row: envelope and lengths."""


class Seat(NamedTuple):
    """What a leader is: who, in which generation and term, since when, and until when its answers are deferred."""

    me: Writer
    generation: int
    term: int
    claim_sent_ms: float
    accepted_ms: float
    deferred_until_ms: float
    log_time_ms: int
    chain: bytes


class Leader:
    """Leads one partition in one term. Writes effects, in order, to the list it was given."""

    def __init__(self, seat: Seat, store: Store, bodies: Bodies, timing: Timing, effects: list[Effect]) -> None:
        self.seat = seat
        self.serving = True
        """False once stepped down or resigned: no answer leaves that is not an acknowledgement."""
        self.unresolved = Unresolved()
        self._gathered = Gathered()
        self.accepted_sequence = 0
        self.floors = floors_in(store)
        """Of a global table (`global_tables.leading`); None: it is none."""
        self._store, self._bodies, self._timing, self._effects = store, bodies, timing, effects
        self._chain = seat.chain
        self._next_sequence = 1
        self._plan = 0
        self._lease = Lease(timing.lease, seat.term)
        self._lease.renew(seat.claim_sent_ms)
        self._held: deque[Held] = deque()
        self._progress_ms = seat.accepted_ms

    # -- requests ---------------------------------------------------------------------------------------------

    def write(self, request: Write, now_ms: float, wall_ms: int) -> None:
        """Evaluate and append, or answer without a record."""
        ids = self._ids(request, now_ms)
        if any(map(self.unresolved.in_flight, ids)):
            return  # the first copy's answer is on its way
        if len(self.unresolved) + len(self._gathered) >= self._timing.unresolved_most:
            self._respond(request.sender, Outcome(ReplyStatus.BUSY))
            return
        known = self._known(request, ids, now_ms)
        if known is not None:
            self._answer(0, request.sender, known, now_ms)
            return
        newest = self.unresolved.newest(request.key)
        sequence, previous = (0, self._store.get(request.key)) if newest is None else newest
        decision = request.evaluate(previous, wall_ms)
        if self.floors is not None and decision.write:
            decision = versioned(self.floors, previous, decision, wall_ms)
        if decision.write and request.gathered:
            self._gather(request, previous, decision, now_ms, wall_ms)
        elif decision.write or _is_kept(request, decision.outcome):
            self._mutate(request, previous, decision, now_ms, wall_ms)
        else:
            self._answer(sequence, request.sender, replace(decision.outcome, provisional=bool(ids)), now_ms)

    def _ids(self, request: Write, now_ms: float) -> Sequence[bytes]:
        """Under which its outcome may be remembered, the first one is that of now."""
        if request.token is not None:
            return token_ids(request.token, self._log_time_ms(now_ms))
        return (request.request,) if request.request else ()

    def _known(self, request: Write, ids: Sequence[bytes], now_ms: float) -> Outcome | None:
        if request.token is not None:
            return recall_token(self._store, ids, request.token, self._log_time_ms(now_ms))
        return recall(self._store, ids[0]) if ids else None

    def read(self, sender: Sender, read: Read, now_ms: float) -> None:
        """A strong read: of applied state only, never of the overlay."""
        self._answer(0, sender, read, now_ms)

    def _gather(
        self, request: Write, previous: bytes | None, decision: Decision, now_ms: float, wall_ms: int
    ) -> None:
        row = RowChange(request.key, previous, decision.row)
        length = row.length
        if length > RECORD_LIMIT_BYTES - ENVELOPE_MOST_BYTES:
            self._respond(request.sender, Outcome(ReplyStatus.ERROR, _TOO_LARGE))
            return
        if not self._gathered.has_room(length):
            self.flush()
        self._gathered.add(row, length, (request.sender, decision.outcome), now_ms, wall_ms)
        self.unresolved.cover(row.key, self._next_sequence, row.new)

    def flush(self) -> None:
        """Append what was gathered: at the end of a turn, and before anything else is appended."""
        if self._gathered:
            now_ms, (changes, told) = self._gathered.now_ms, self._gathered.take()
            if self._append(Kind.MUTATION, changes, now_ms, changes, told) is None:
                raise InvariantError("rows were gathered that do not fit into a record")

    def _mutate(
        self, request: Write, previous: bytes | None, decision: Decision, now_ms: float, wall_ms: int
    ) -> None:
        outcome, log_time_ms = decision.outcome, self._log_time_ms(now_ms)
        if request.token is None:
            request_id, expires_ms = request.request, log_time_ms + request.budget_ms + KEEP_MS
            digest = outcome_digest(request.key, decision.row, outcome.body)
        else:
            request_id, expires_ms = token_ids(request.token, log_time_ms)[0], log_time_ms + TOKEN_KEEP_MS
            digest = request.token.digest
        mutation = Mutation(
            key=request.key if decision.write else NO_KEY,
            old=previous if decision.write else None,
            new=decision.row if decision.write else None,
            timestamp_ms=wall_ms,
            request=request_id,
            expires_ms=expires_ms,
            status=int(outcome.status),
            answer=outcome.body,
            size=outcome.size,
            outcome=digest,
            losing=decision.losing,
        )
        if self._append(Kind.MUTATION, mutation, now_ms, mutation, ((request.sender, outcome),)) is None:
            self._respond(request.sender, Outcome(ReplyStatus.ERROR, _TOO_LARGE))

    # -- the log ----------------------------------------------------------------------------------------------

    def accepted(self, record: Record, now_ms: float) -> Changes | None:
        """An own record of this term was read back as accepted; its changes, which are to be applied now.

        `answers` is called after that, so that an acknowledged write is visible before its answer leaves.
        """
        self.accepted_sequence = record.sequence
        self._progress_ms = now_ms
        if (sent := self.unresolved.resolve(record.value)) is None:
            return None
        self._lease.renew(sent.first_sent_ms)
        self._held.extend(Held(sent.sequence, False, sender, outcome) for sender, outcome in sent.told)
        return sent.changes

    def answers(self, now_ms: float) -> None:
        """Let go what may leave now, in order; renew the lease if something waits for it."""
        if not self._held or now_ms < self.seat.deferred_until_ms:
            return
        leased = self.serving and self._lease.holds(now_ms)
        all_held, self._held = self._held, deque()
        try:
            for it in [*all_held]:
                if it.sequence > self.accepted_sequence or (it.lease and not leased):
                    self._held.append(it)
                else:
                    self._respond(it.sender, it.answer if isinstance(it.answer, Outcome) else it.answer(self._store))
                all_held.popleft()
        finally:
            self._held.extend(all_held)  # from one on whose rows cannot be read
        if self._held and not leased:
            self._renew(now_ms)

    def send_again(self) -> None:
        """After a delivery error: all unresolved records once more, identical and in order (I4)."""
        self._effects.extend(Append(sent.value) for sent in self.unresolved.records)

    def stuck(self, now_ms: float) -> bool:
        """No acceptance for too long while a record is unresolved."""
        return self._silent_ms(now_ms) > self._timing.step_down_ms

    def appending(self, now_ms: float) -> bool:
        """What heartbeats say: appends succeed."""
        return self.serving and self._silent_ms(now_ms) <= self._timing.suspect_append_ms

    def configure(self, plan: int, members: tuple[NodeName, ...], now_ms: float) -> None:
        """Append the new members, this leader among them; once per plan and term, and never an older plan.

        It may still defer: who may claim says nothing about who may read, so no lease begins or ends with this.
        """
        if self.serving and plan > self._plan:
            self._plan = plan
            self._append(Kind.CONFIGURE, Configure(members, plan), now_ms)

    def append_unasked(self, mutation: Mutation, now_ms: float) -> None:
        """Append what the log shall hold, by a recovery or of an index; nobody asked for it, nobody is answered."""
        if not self.serving:
            return
        if self._append(Kind.MUTATION, mutation, now_ms, mutation) is None:
            raise InvariantError("what a log is to hold does not fit into one")
        if mutation.request == REGIONS_ID:
            self.floors = floors_of(mutation)

    # -- endings ----------------------------------------------------------------------------------------------

    def resign(self, successor: NodeName | None, now_ms: float) -> None:
        """Stop strong reads for good, then end the term; what was appended before stays valid."""
        clean = now_ms >= self.seat.deferred_until_ms
        self.serving = False
        self._append(Kind.RESIGN, Resign(clean, successor), now_ms)

    def seal(self, children: tuple[Child, ...], now_ms: float) -> bool:
        """End the log for a split: only past the deferral. True if the seal was sent."""
        if now_ms < self.seat.deferred_until_ms or not self.serving:
            return False
        self.serving = False
        self._append(Kind.SEAL, Seal(children), now_ms)
        return True

    @property
    def idle(self) -> bool:
        """No record is unresolved and nobody waits for an answer."""
        return not self._held and not self.unresolved and not self._gathered

    def waiting(self) -> list[Sender]:
        """Everybody who still waits for an answer."""
        gathered = [sender for sender, _ in self._gathered.told]
        return [*self.unresolved.senders(), *gathered, *(held.sender for held in self._held)]

    # -- inside -----------------------------------------------------------------------------------------------

    def _may_serve(self, now_ms: float) -> bool:
        return self.serving and now_ms >= self.seat.deferred_until_ms and self._lease.holds(now_ms)

    def _answer(self, sequence: int, sender: Sender, answer: Outcome | Read, now_ms: float) -> None:
        if self._timing.barrier_reads:
            self._hold(Held(self._barrier(now_ms), False, sender, answer))
            return
        if sequence <= self.accepted_sequence and self._may_serve(now_ms):
            self._respond(sender, answer if isinstance(answer, Outcome) else answer(self._store))
            return
        self._hold(Held(sequence, True, sender, answer))
        if now_ms >= self.seat.deferred_until_ms and not self._lease.holds(now_ms):
            self._renew(now_ms)

    def _hold(self, held: Held) -> None:
        if len(self._held) >= self._timing.held_most:
            self._respond(held.sender, Outcome(ReplyStatus.BUSY))
        else:
            self._held.append(held)

    def _renew(self, now_ms: float) -> None:
        if self.serving and not self.unresolved and not self._gathered:
            self._barrier(now_ms)

    def _barrier(self, now_ms: float) -> int:
        self._append(Kind.BARRIER, Empty(), now_ms)
        return self._next_sequence - 1

    def _append(
        self,
        kind: Kind,
        body: Body,
        now_ms: float,
        changes: Changes | None = None,
        told: Sequence[tuple[Sender, Outcome]] = (),
    ) -> Sent | None:
        self.flush()
        seat = self.seat
        number, encoded = self._bodies.encode(kind, body)
        envelope = Envelope(
            seat.generation,
            seat.term,
            self._next_sequence,
            self._chain,
            self._log_time_ms(now_ms),
            seat.me,
            0,
            kind,
        )
        value = encode_record(envelope, number, encoded)
        if len(value) > RECORD_LIMIT_BYTES:
            return None
        sent = Sent(self._next_sequence, value, now_ms, changes, told)
        self._chain = next_chain(self._chain, value)
        self._next_sequence += 1
        self.unresolved.add(sent)
        self._effects.append(Append(value))
        return sent

    def _log_time_ms(self, now_ms: float) -> int:
        return self.seat.log_time_ms + int(now_ms - self.seat.accepted_ms)

    def _silent_ms(self, now_ms: float) -> float:
        oldest = self.unresolved.oldest_sent_ms()
        return 0.0 if oldest is None else now_ms - max(oldest, self._progress_ms)

    def _respond(self, sender: Sender, outcome: Outcome) -> None:
        self._effects.append(Respond(sender, outcome))


def _is_kept(request: Write, outcome: Outcome) -> bool:
    """Whether what changes nothing is remembered by a record of its own."""
    if request.token is not None:
        return outcome.status in DECIDED
    return request.repeat and bool(request.request) and outcome.status in SETTLED


_TOO_LARGE = (
    b'{"__type":"com.amazon.coral.validate#ValidationException",'
    b'"message":"Item size has exceeded the maximum allowed size"}'
)
