"""A place: everything that a reader needs to go on folding a log (I6). Whole or useless.

Each field left out made readers fold the same log differently when it was tried on a model: a reader that adopts
the first record it meets, or waits for the next claim, or forgets only the sequence, the chain, the resigned flag
or the sealed flag, comes to another history than the reader beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.errors import InvariantError
from dynabus.core.ids import NodeName, PartitionId, Writer
from dynabus.core.replication.records import (
    CHAIN_START,
    Bodies,
    Child,
    Empty,
    Envelope,
    Form,
    Kind,
    Record,
    encode_record,
)

FOLD_VERSION = 1
"""Of the rules in `fold`; a place written under other rules is not gone on from."""


class Origin(NamedTuple):
    """Which log this is: Kafka cluster id, Kafka topic id, partition."""

    cluster: str
    topic: str
    partition: PartitionId


class Group(NamedTuple):
    """What genesis and `configure` said: the replication group and its range of encoded keys.

    `plan`: of the last `configure` that counted; 0 where genesis alone has named the members.
    """

    generation: int
    lower: bytes
    upper: bytes | None
    members: tuple[NodeName, ...]
    form: Form
    plan: int = 0

    def has(self, node: NodeName) -> bool:
        """A member. A group without members is the admin log's, which any auto-admin may lead."""
        return not self.members or node in self.members


class TermLeader(NamedTuple):
    """The winner of a term: never recognised by its node name alone (I2)."""

    writer: Writer
    nonce: int


class Reign(NamedTuple):
    """The current term. Term 0 is before any claim."""

    term: int
    leader: TermLeader | None
    resigned: bool = False
    clean: bool = False
    successor: NodeName | None = None


class Place(NamedTuple):
    """Where a reader stands. `next_offset` is where reading goes on; `group` is None until genesis was read."""

    origin: Origin
    next_offset: int
    leader_epoch: int
    group: Group | None
    reign: Reign
    next_sequence: int
    chain: bytes
    log_time_ms: int
    children: tuple[Child, ...] | None = None
    fold_version: int = FOLD_VERSION

    @property
    def sealed(self) -> bool:
        return self.children is not None

    @property
    def is_fresh(self) -> bool:
        """No term came before the first one of this log (I7)."""
        return self.group is not None and self.group.form in (Form.NEW, Form.CHILD)

    @property
    def is_restoring(self) -> bool:
        """A recovery's log that does not hold all yet: its first `configure` says that it does."""
        return self.group is not None and self.group.form is Form.RECOVERY and self.group.plan == 0

    def admits(self, node: NodeName) -> bool:
        """The node is a member, as the log says and nothing else (I2): it may claim, and answer."""
        return self.group is not None and self.group.has(node)

    def leader_hint(self, me: Writer) -> str:
        """Who `me` would ask instead of itself: the named successor, or another leader; empty if nobody is known."""
        reign = self.reign
        if reign.resigned:
            return reign.successor or ""
        return "" if reign.leader is None or reign.leader.writer == me else reign.leader.writer.node

    def leads(self, writer: Writer) -> bool:
        """True while `writer` is the winner of a term that has not ended."""
        reign = self.reign
        return (
            reign.leader is not None
            and not reign.resigned
            and reign.leader.writer == writer
            and self.children is None
        )


def one_before(place: Place) -> Place:
    """From which the last record that was read comes once more, for `other_history`."""
    return place._replace(next_offset=place.next_offset - 1)


def other_history(place: Place, before: Record) -> bool:
    """The record before the place is not the one that was read: of another leader epoch of Kafka's (I9, KIP-320)."""
    return place.leader_epoch >= 0 and before.leader_epoch not in (-1, place.leader_epoch)


def encode_claim(place: Place, me: Writer, nonce: int, bodies: Bodies) -> bytes:
    """A bid for the term after the place's; only a log that has begun can be claimed."""
    if place.group is None:
        raise InvariantError("a claim before the log began")
    number, body = bodies.encode(Kind.CLAIM, Empty())
    generation, term = place.group.generation, place.reign.term + 1
    envelope = Envelope(generation, term, 0, place.chain, place.log_time_ms, me, nonce, Kind.CLAIM)
    return encode_record(envelope, number, body)


def start_of_log(origin: Origin, offset: int = 0) -> Place:
    """The place of a reader that has read nothing."""
    return Place(origin, offset, -1, None, Reign(0, None), 0, CHAIN_START, 0)
