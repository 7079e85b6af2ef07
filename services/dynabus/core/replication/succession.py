"""What a sealed log leaves to its children: one genesis each, a pure function of the seal (I2).

Each member that folded the seal writes it until the child's log has begun. All write the same bytes, so it does not
matter whose copy is first: the first one counts and the others are void. It names no writer, keeps the parent's log
time, so that request ids live on at the children (I10), and carries the parent's last chain checksum as `previous`,
which `fold` does not ask for and which proves the lineage to whoever reads both logs.
"""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.errors import InvariantError
from dynabus.core.ids import Writer
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import NOBODY, Bodies, Child, Envelope, Form, Genesis, Kind, encode_record

OTHERS_WAIT_MS = 300.0
"""The leader that sealed begins the children at once; the others only if it died. Two copies would do no harm."""

AGAIN_MS = 1000.0
"""Until the child's log is read to have begun: the append may have failed."""


class Begin(NamedTuple):
    """Append this genesis to the log of the partition with this number."""

    number: int
    genesis: bytes


def child_genesis(sealed: Place, child: Child, bodies: Bodies) -> bytes:
    """The first record of a child's log, from the place behind the parent's seal."""
    if sealed.group is None or sealed.children is None or child not in sealed.children:
        raise InvariantError("a child begins only where its parent was sealed")
    genesis = Genesis(Form.CHILD, child.lower, child.upper, sealed.group.members, 0)
    number, body = bodies.encode(Kind.GENESIS, genesis)
    envelope = Envelope(child.generation, 0, 0, sealed.chain, sealed.log_time_ms, NOBODY, 0, Kind.GENESIS)
    return encode_record(envelope, number, body)


class Succession:
    """One replica's part in it. `began` holds the children whose logs were read to have begun."""

    __slots__ = ("_bodies", "_due_ms", "_me", "began")

    def __init__(self, me: Writer, bodies: Bodies) -> None:
        self.began: set[int] = set()
        self._me, self._bodies = me, bodies
        self._due_ms: float | None = None

    def pending(self, place: Place) -> bool:
        """The log is sealed, and some child is not known to have begun."""
        return place.children is not None and any(child.number not in self.began for child in place.children)

    def tick(self, place: Place, now_ms: float) -> list[Begin]:
        """What is to be appended now."""
        if place.children is None or not self.pending(place):
            return []
        if self._due_ms is None:
            leader = place.reign.leader
            mine = leader is not None and leader.writer == self._me
            self._due_ms = now_ms if mine else now_ms + OTHERS_WAIT_MS
        if now_ms < self._due_ms:
            return []
        self._due_ms = now_ms + AGAIN_MS
        left = [child for child in place.children if child.number not in self.began]
        return [Begin(child.number, child_genesis(place, child, self._bodies)) for child in left]

    def append_failed(self, now_ms: float) -> None:
        """The node's log producer failed: what it had may be lost."""
        if self._due_ms is not None:
            self._due_ms = now_ms
