"""The modelled log: one topic partition that many producers append to, with everything that goes wrong on the way."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynabus.core.ids import Incarnation, NodeName, PartitionId, Writer
from dynabus.core.replication.place import Origin, Place
from dynabus.core.replication.records import (
    CHAIN_START,
    Body,
    Child,
    Configure,
    Empty,
    Envelope,
    Form,
    Genesis,
    Kind,
    Mutation,
    Record,
    Recovered,
    Resign,
    RowChange,
    RowChanges,
    Seal,
    decode_record,
    encode_record,
)
from tests.simulation.audit import Auditor
from tests.simulation.partitions import LOG
from tests.simulation.world import World


def origin_of(number: int) -> Origin:
    """Of the log of a partition."""
    return Origin("cluster", "topic", PartitionId(LOG, number))


ORIGIN = origin_of(0)
ADMIN = Writer(NodeName("admin"), Incarnation(1))
_KINDS = list(Kind)
_ROWS = 100
"""The schema number of a mutation of several rows; all others are those of their kinds."""


class QuickBodies:
    """Bodies by `marshal`: the simulator decodes thousands a second, and no Avro belongs to what it checks."""

    def encode(self, kind: Kind, body: Body) -> tuple[int, bytes]:
        if isinstance(body, RowChanges):
            return _ROWS, marshal.dumps((body.timestamp_ms, tuple(map(tuple, body.rows))))
        fields = tuple(
            tuple(map(tuple, f)) if isinstance(f, tuple) and f and isinstance(f[0], Child) else f for f in body
        )
        plain: list[Any] = [tuple(f) if isinstance(f, Recovered) else f for f in fields]
        return int(kind), marshal.dumps(tuple(int(f) if isinstance(f, Form) else f for f in plain))

    def decode(self, schema_number: int, body: bytes) -> Body | None:
        fields = marshal.loads(body)
        if schema_number == Kind.MUTATION:
            return Mutation(*fields)
        if schema_number == _ROWS:
            return RowChanges(fields[0], tuple(RowChange(*row) for row in fields[1]))
        if schema_number == Kind.GENESIS:
            form, lower, upper, members, term, recovered = fields
            told = None if recovered is None else Recovered(*recovered)
            return Genesis(Form(form), lower, upper, members, term, told)
        if schema_number == Kind.RESIGN:
            return Resign(*fields)
        if schema_number == Kind.CONFIGURE:
            return Configure(*fields)
        if schema_number == Kind.SEAL:
            return Seal(tuple(Child(*child) for child in fields[0]))
        return Empty()


BODIES = QuickBodies()


@dataclass
class Troubles:
    """Chances, per append or message, of the moment; the faults change them for a while."""

    lost: float = 0.0
    late: float = 0.0
    ack_lost: float = 0.0
    doubled: float = 0.0
    message_lost: float = 0.003
    stalled: bool = False
    late_most_ms: float = 9000.0


MESSAGE_TIMEOUT_MS = 2000.0


class Log:
    """Appends land in the order in which they arrive; whoever watches is told."""

    def __init__(
        self,
        world: World,
        members: tuple[NodeName, ...],
        form: Form,
        number: int = 0,
        parent: Log | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        self.world = world
        self.number = number
        self.troubles: Troubles = troubles or (Troubles() if parent is None else parent.troubles)
        """Of Kafka as a whole."""
        self.records: list[Record] = []
        self.epoch, self.cuts = 0, list[tuple[int, int]]()
        """Of the Kafka leader, and where the log ended when it got each epoch in which it had lost something."""
        self.start = 0
        """What lies before it was pruned: only the auditor still sees it."""
        self.auditor: Auditor = Auditor(BODIES, origin_of(number), parent=None if parent is None else parent.auditor)
        self.watchers: list[Callable[[], None]] = []
        self._stalled: list[bytes] = []
        self._members, self._form = members, form

    def begin(self) -> None:
        """Auto-admin's genesis, after a stray void record now and then."""
        if self.world.random.random() < 0.3:
            self.land(b"stray")
        number, body = BODIES.encode(Kind.GENESIS, Genesis(self._form, b"", None, self._members, 0))
        envelope = Envelope(1, 0, 0, CHAIN_START, 0, ADMIN, 0, Kind.GENESIS)
        self.land(encode_record(envelope, number, body))
        if self.world.random.random() < 0.3:
            self.land(encode_record(envelope, number, body))

    def land(self, value: bytes) -> None:
        """The record is in the log now."""
        if self.troubles.stalled:
            self._stalled.append(value)
            return
        record = decode_record(len(self.records), self.epoch, value)
        self.records.append(record)
        self.world.events += 1
        self.auditor.landed(record)
        for watcher in self.watchers:
            watcher()

    def go_on(self) -> None:
        """The broker is back; what it had taken and not yet shown lands, in some part."""
        waiting, self._stalled = self._stalled, []
        for value in waiting:
            if self.world.random.random() < 0.5:
                self.land(value)

    def lose_tail(self, count: int, *, same_epoch: bool) -> None:
        """Acknowledged records are gone; the truth is what was left. `same_epoch`: from a backup of all of Kafka."""
        del self.records[len(self.records) - count :]
        if not same_epoch:
            self.epoch += 1
            self.cuts.append((self.epoch, len(self.records)))
        words = self.auditor.truth.words
        self.auditor = Auditor(BODIES, ORIGIN, lossy=True)
        self.auditor.truth.words.update(words)  # other regions said it, and their logs have lost nothing
        for record in self.records:
            self.auditor.landed(record)

    def is_cut(self, place: Place) -> bool:
        """What Kafka says of a reader's leader epoch: it ends before the place (KIP-320)."""
        return any(place.leader_epoch < epoch and end < place.next_offset for epoch, end in self.cuts)


class LogProducer:
    """A node's producer of one run: in order while all is well. A new one is made after an error (I4)."""

    def __init__(self, log: Log, failed: Callable[[], None], delivered: Callable[[bytes, int], None]) -> None:
        self._log, self._failed, self._delivered = log, failed, delivered
        self._last_ms = 0.0
        self._gone = False

    def produce(self, value: bytes) -> None:
        world, troubles = self._log.world, self._log.troubles
        dice = world.random.random()
        arrives_ms = max(self._last_ms, world.now_ms + world.random.uniform(0.5, 3.0))
        if troubles.stalled or dice < troubles.lost:
            world.after(MESSAGE_TIMEOUT_MS, self._report_failure)
            if troubles.stalled and dice < 0.5:
                self._log.land(value)
            return
        if dice < troubles.lost + troubles.late:
            world.after(world.random.uniform(10.0, troubles.late_most_ms), self._log.land, value)
            world.after(MESSAGE_TIMEOUT_MS, self._report_failure)
            return
        self._last_ms = arrives_ms
        lost_report = world.random.random() < troubles.ack_lost
        world.after(arrives_ms - world.now_ms, self._arrive, value, lost_report)
        if world.random.random() < troubles.doubled:
            world.after(arrives_ms - world.now_ms + world.random.uniform(0.0, 3000.0), self._log.land, value)

    def purge(self) -> None:
        """Dropped by its node: no report comes any more, appends under way may still land."""
        self._gone = True

    def _arrive(self, value: bytes, lost_report: bool) -> None:
        if self._gone and self._log.world.random.random() < 0.5:
            return
        self._log.land(value)
        if lost_report:
            self._log.world.after(MESSAGE_TIMEOUT_MS, self._report_failure)
        else:
            offset = len(self._log.records) - 1
            self._log.world.after(self._log.world.random.uniform(0.3, 3.0), self._report, value, offset)

    def _report(self, value: bytes, offset: int) -> None:
        if not self._gone:
            self._delivered(value, offset)

    def _report_failure(self) -> None:
        if not self._gone:
            self._failed()
