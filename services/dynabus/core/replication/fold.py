"""Fold: which records of a replication log count (I1). Pure; every reader of a log runs it and none bypasses it.

| the log so far          | the record                                             | verdict  |
|-------------------------|--------------------------------------------------------|----------|
| any                     | damaged                                                | void     |
| any                     | not at the next offset                                 | diverged |
| no genesis              | genesis                                                | accepted |
| no genesis              | anything else                                          | void     |
| sealed                  | anything, claims too                                   | void     |
| begun                   | another genesis, or another generation                 | void     |
| begun                   | claim of current term + 1 by a member                  | accepted |
| begun                   | claim of a term <= current, or by a stranger           | void     |
| begun                   | claim above current term + 1                           | diverged |
| begun                   | term below the current                                 | void     |
| begun                   | term above the current                                 | diverged |
| led, resigned           | current term, writer is not that term's winner         | diverged |
| resigned                | current term, by its winner                            | void     |
| led                     | not the next sequence                                  | void     |
| led                     | next sequence, another previous checksum               | diverged |
| led                     | next sequence, same previous checksum                  | accepted |

A `configure` that is accepted changes the members only if its plan is newer than the group's: plans are numbered by
the admin log, so whatever order they come in, the newest that was ever appended is the one that counts.

Diverged means: the log that this reader folded is not the log that it reads now, because Kafka lost its tail or the
topic was made anew; the reader stops (I9). Only who has read back its own claim writes anything else in that term
(I2), and all readers of one log agree whose claim it was: a record of the current term by somebody else is of another
log, in which another claim won. A deposed leader's late records are of older terms and stay void.

A record that would be accepted but whose version or kind this code does not know is *unreadable*: the reader stops
too, rather than guess. Of somebody else it is void, since later versions may have kinds that anybody writes.
"""

from __future__ import annotations

from enum import IntEnum

from dynabus.core.replication.place import Group, Place, Reign, TermLeader
from dynabus.core.replication.records import (
    FORMAT_VERSION,
    Bodies,
    Configure,
    Genesis,
    Kind,
    Record,
    Resign,
    Seal,
    next_chain,
)


class Verdict(IntEnum):
    """What a record is to a reader at a place."""

    ACCEPTED = 0
    VOID = 1
    DIVERGED = 2
    UNREADABLE = 3


_KINDS = frozenset(Kind)
_BODY_KINDS = {Kind.GENESIS: Genesis, Kind.CONFIGURE: Configure, Kind.RESIGN: Resign, Kind.SEAL: Seal}


def judge(place: Place, record: Record) -> Verdict:
    """The table above, for a record whose version and kind are taken as known."""
    if record.offset != place.next_offset:
        return Verdict.DIVERGED
    if not record.intact:
        return Verdict.VOID
    group = place.group
    if group is None:
        return Verdict.ACCEPTED if record.kind == Kind.GENESIS else Verdict.VOID
    if place.children is not None or record.generation != group.generation or record.kind == Kind.GENESIS:
        return Verdict.VOID
    if record.kind == Kind.CLAIM:
        return _judge_claim(place.reign, group, record)
    return _judge_led(place, record)


def _judge_claim(reign: Reign, group: Group, record: Record) -> Verdict:
    if record.term <= reign.term:
        return Verdict.VOID
    if record.term > reign.term + 1:
        return Verdict.DIVERGED
    return Verdict.ACCEPTED if group.has(record.writer.node) else Verdict.VOID


def _judge_led(place: Place, record: Record) -> Verdict:
    reign = place.reign
    if record.term != reign.term:
        return Verdict.DIVERGED if record.term > reign.term else Verdict.VOID
    if reign.leader is not None and record.writer != reign.leader.writer:
        only_winners_write = record.version == FORMAT_VERSION and record.kind in _KINDS
        return Verdict.DIVERGED if only_winners_write else Verdict.VOID
    if reign.leader is None or reign.resigned or record.sequence != place.next_sequence:
        return Verdict.VOID
    return Verdict.ACCEPTED if record.previous == place.chain else Verdict.DIVERGED


def fold(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
    """The next place and what the record is. The place does not move where the reader must stop."""
    verdict = judge(place, record)
    if verdict == Verdict.ACCEPTED:
        return _accept(place, record, bodies)
    if verdict == Verdict.VOID:
        return place._replace(next_offset=record.offset + 1, leader_epoch=record.leader_epoch), verdict
    return place, verdict


def _accept(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
    if record.version != FORMAT_VERSION:
        return place, Verdict.UNREADABLE
    kind = record.kind
    if kind in (Kind.MUTATION, Kind.BARRIER):
        return _advanced(place, record), Verdict.ACCEPTED
    if kind == Kind.CLAIM:
        reign = Reign(record.term, TermLeader(record.writer, record.nonce))
        # A claim's log time is not taken over: its sender may have read less of the log than we.
        moved = _advanced(place, record)._replace(reign=reign, next_sequence=1, log_time_ms=place.log_time_ms)
        return moved, Verdict.ACCEPTED
    body = bodies.decode(record.schema_number, record.body) if kind in _BODY_KINDS else None
    if kind not in _BODY_KINDS or not isinstance(body, _BODY_KINDS[Kind(kind)]):
        return place, Verdict.UNREADABLE
    moved = _advanced(place, record)
    if isinstance(body, Genesis):
        group = Group(record.generation, body.lower, body.upper, body.members, body.form)
        return moved._replace(group=group, reign=Reign(body.term, None), next_sequence=0), Verdict.ACCEPTED
    if isinstance(body, Resign):
        reign = place.reign._replace(resigned=True, clean=body.clean, successor=body.successor)
        return moved._replace(reign=reign), Verdict.ACCEPTED
    if isinstance(body, Configure):
        assert place.group is not None
        return moved._replace(group=_configured(place.group, body)), Verdict.ACCEPTED
    assert isinstance(body, Seal)
    return moved._replace(children=body.children), Verdict.ACCEPTED


def _configured(group: Group, body: Configure) -> Group:
    """An older plan comes of an order that lay about: it belongs to the chain, and changes nothing."""
    return group._replace(members=body.members, plan=body.plan) if body.plan > group.plan else group


def _advanced(place: Place, record: Record) -> Place:
    log_time_ms = place.log_time_ms if place.log_time_ms > record.log_time_ms else record.log_time_ms
    return Place(
        place.origin,
        record.offset + 1,
        record.leader_epoch,
        place.group,
        place.reign,
        place.next_sequence + 1,
        next_chain(place.chain, record.value),
        log_time_ms,
        place.children,
        place.fold_version,
    )
