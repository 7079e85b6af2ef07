"""What goes into a replica's brain and what comes out. The order of effects is a contract: the shell keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.heartbeats import Pulse
from dynabus.core.ids import NodeName, Writer
from dynabus.core.replication.election import ElectionTiming
from dynabus.core.replication.lease import LeaseTiming
from dynabus.core.replication.records import Bodies
from dynabus.core.replication.store import Evaluate, Outcome, Read
from dynabus.core.replication.tokens import Token
from dynabus.core.replication.unresolved import Sender


class Write(NamedTuple):
    """A change of one item. `budget_ms`: how long its sender still waits; `request` is the encoded request id.

    Without one (empty) `evaluate` must itself see that a repeat changes nothing, as writes of indexes and of other
    regions do. A command that came through Kafka has a token instead. `repeat`: it has been sent before, under the
    same id. `gathered`: without an id or a token, its record may be that of others too (`gathering`).
    """

    sender: Sender
    request: bytes
    generation: int
    key: bytes
    evaluate: Evaluate
    budget_ms: int
    token: Token | None = None
    repeat: bool = False
    gathered: bool = False


class Query(NamedTuple):
    """A read of one partition: of the leader when `consistent`, else of any replica."""

    sender: Sender
    generation: int
    consistent: bool
    read: Read


class Append(NamedTuple):
    """Append to the partition's replication log, in order, once per effect."""

    value: bytes


class Respond(NamedTuple):
    """Answer one part of a request."""

    sender: Sender
    outcome: Outcome


class Ask(NamedTuple):
    """Ask these nodes whether they hear a healthy leader in a term of at least `term`."""

    nodes: tuple[NodeName, ...]
    term: int
    nonce: int


class Tell(NamedTuple):
    """Answer another node's question."""

    node: NodeName
    nonce: int
    hears_leader: bool
    caught_up: bool
    able: bool


class Beat(NamedTuple):
    """Send a heartbeat at once: who leads has changed."""


Effect = Append | Respond | Ask | Tell | Beat


@dataclass(frozen=True, slots=True)
class Timing:
    """All periods of replication, in milliseconds, and the two bounds of a leader's memory."""

    lease: LeaseTiming = field(default_factory=LeaseTiming)
    election: ElectionTiming = field(default_factory=ElectionTiming)
    suspect_append_ms: float = 1000.0
    """A record unresolved for longer than this: heartbeats no longer say `appending`."""
    step_down_ms: float = 5000.0
    """No acceptance for this long while a record is unresolved: the leader steps down (I4)."""
    unresolved_most: int = 4096
    """Two seconds of full load; beyond it writes are answered BUSY instead of queueing."""
    held_most: int = 8192
    """Answers that wait for a lease or a deferral; routers re-send what is refused."""
    caught_up_records: int = 256
    """A replica this close to the log's end reads the rest before its own claim comes back."""
    barrier_reads: bool = False
    """Read mode "barrier": an answer without a record appends one and waits for it, and trusts no clock."""

    @classmethod
    def without_leases(cls) -> Timing:
        """For a log whose every reader uses barriers, as the admin log: there is no lease to wait out."""
        return cls(lease=LeaseTiming(duration_ms=0.0, drift=0.0, margin_ms=0.0), barrier_reads=True)


class Leading(NamedTuple):
    """What a heartbeat says of the replica's own claim to lead."""

    leading: bool
    appending: bool
    term: int


@dataclass(slots=True)
class Peer:
    """What another node's heartbeat said last; later ones confirm it through the `pulse`, if they missed nothing.

    `doubtful`: its place seems to lie beyond the log's end; None: it does not say. `lost`: why it is frozen (I9).
    """

    incarnation: int
    next_offset: int
    heard_ms: float
    able: bool
    doubtful: bool | None = None
    lost: str = ""
    pulse: Pulse | None = None

    @property
    def confirmed_ms(self) -> float:
        """When it was so, as far as heartbeats tell."""
        return self.heard_ms if self.pulse is None else self.pulse.heard_ms


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a brain cannot make by itself: an identity, randomness in [0, 1), fresh nonces, an encoding, periods."""

    me: Writer
    random: Callable[[], float]
    nonce: Callable[[], int]
    bodies: Bodies
    timing: Timing
