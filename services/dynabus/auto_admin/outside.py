"""What auto-admin needs of the world, as its loop sees it: Kafka in production, a few dictionaries in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.ids import Writer
from dynabus.core.messages import Heartbeat, Order, Reply
from dynabus.core.replication.effects import Surroundings
from dynabus.core.replication.place import Origin
from dynabus.core.replication.records import Record

Delivered = Callable[[bool], None]
"""Called by `Bus.serve` once it is known whether Kafka has the message."""


@dataclass(slots=True)
class Turn:
    """What one poll brought: records of the admin log, other messages decoded, and where the log ends, if told."""

    records: list[Record] = field(default_factory=list)
    messages: list[tuple[str, Any]] = field(default_factory=list)
    end_offset: int | None = None
    out_of_range: bool = False


class Bus(Protocol):
    """Messages in and out."""

    def poll(self, timeout_s: float) -> Turn:
        """Wait for a message, then take all that are there."""

    def append(self, value: bytes) -> None:
        """To the admin log."""

    def reply(self, asker: str, reply: Reply) -> None:
        """To a router."""

    def metadata(self, key: str, kind: str, message: Any | None, delivered: Delivered) -> None:
        """None: a tombstone, so that compaction forgets the key."""

    def tell(self, node: str, order: Order) -> None:
        """To a storage node."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """To everybody."""

    def want_heartbeats(self, asker: str) -> None:
        """Let every storage node name all its replicas."""

    def serve(self) -> str | None:
        """Once per turn: hear about deliveries. Why appends to the admin log failed, if they did."""

    def close(self) -> None:
        """Send what is left, for a second at most."""


class PruneWish(NamedTuple):
    """Delete a log's records before `until`, which `by` still needs; `whole`: all, it is a closed partition's.

    `known`: up to where some replica has read it, so that a log that ends before has lost records (I9).
    """

    log: str
    number: int
    until: int
    by: str
    whole: bool
    known: int = 0
    followed: bool = False
    """Log propagators read it: not beyond what their group has committed."""


class Pruned(NamedTuple):
    """What became of it: the log is low <= offset < high now. `by` keeps `held` records longer than they need be."""

    log: str
    number: int
    low: int
    high: int
    deleted: int
    by: str
    held: int


class Stated(NamedTuple):
    """Of a log's checkpoint: which metadata its writer knew, what is open, and what of that is being filled."""

    version: int
    open: frozenset[str]
    filling: frozenset[str] = frozenset()

    @property
    def begun(self) -> frozenset[str]:
        """Streams that have begun here, and indexes that have all of this partition."""
        return self.open - self.filling


Checkpoints = Mapping[tuple[str, int], Stated]


class Steps(Protocol):
    """Work that blocks; the futures raise StepFailed."""

    def build(self, state: TableState) -> Future[None]:
        """Create the table's topic, wait for its leaders, write a genesis record into each empty log."""

    def grow(self, state: TableState) -> Future[None]:
        """Let the table's topic have a topic partition for each number, all with leaders."""

    def renew(self, state: TableState) -> Future[None]:
        """Fence the logs of partitions that are recovered, then begin those of their successors."""

    def destroy(self, state: TableState) -> Future[None]:
        """Delete the topic of the table's logs; those of its streams stay for their retention."""

    def stream(self, state: TableState) -> Future[None]:
        """Make the topics of the table's streams, with a topic partition for each number it ever had."""

    def drop_streams(self, name: str, labels: Sequence[str]) -> Future[None]:
        """Delete the topics of streams of the table of this name."""

    def drop_table_topic(self, name: str) -> Future[None]:
        """Delete the compacted topic of the table of this name."""

    def checkpoints(self, logs: Sequence[tuple[str, int]]) -> Future[Checkpoints]:
        """What the propagators' group has committed of these logs, by table id and number."""

    def propagators(self) -> Future[int]:
        """How many log propagators run, as far as their group tells."""

    def prune(self, wishes: list[PruneWish]) -> Future[list[Pruned]]:
        """Delete what nobody needs of these logs."""


class StepFailed(Exception):
    """Kafka did not do it this time; the step is tried again."""


class World(NamedTuple):
    """All that one auto-admin is given."""

    me: Writer
    settings: AutoAdminSettings
    around: Surroundings
    origin: Origin
    bus: Bus
    steps: Steps
    now_ms: Callable[[], float]
    wall_ms: Callable[[], int]
    partitions_most: int
    """Of a new table."""
    numbers_most: int
    """Of a table, with those that were split: what its topic may have."""
