"""Writes of a global table in the simulation of a replication group: keys, clients, checks.

Some clients write items of two keys of their own, as clients of this region do; others bring writes of two other
regions, of which some knew what is here and some did not; both send again, and stray copies come late. At some time,
another one on each node, metadata say that the table is global: whoever leads then has its log say so.

Checked (`region_truth`) of each accepted record, in the order of the log: behind the record that says so every row
has a version, that includes the version before it; a client's write has a stamp above all that its item had seen; a
write that changes nothing keeps the version; a deletion leaves a tombstone; nothing of another region comes before.
Of what is answered: a client's write is in the log; what a region was told to be decided is included in the version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import orjson

from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations import import_item
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.effects import Query, Write
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Read, Reader
from dynabus.core.replication.unresolved import Sender
from dynabus.core.rows import encode_row, item_of
from dynabus.core.values import item_size
from dynabus.storage_node import inbox
from tests.simulation.client import Client, Pending
from tests.simulation.disk import Disk
from tests.simulation.forgetting import Owed
from tests.simulation.partitions import REGION_KEYS
from tests.simulation.region_truth import OTHERS, OWN
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

FLOORS = Floors(OWN, OTHERS)
CLOCK_OFF_MS, CLOCK_LEAD_MS = 8_000, 10**9
WALL_MS = 1_700_000_000_000


class AnyKey:
    """In place of a key schema: simulated keys are no encodings."""

    def encode_item(self, item: dict[str, Any]) -> bytes:
        return str(item["pk"]["S"]).encode()


class Evaluated(Protocol):
    """An evaluation that needs the replica that does it."""

    def at(self, replica: Replica, store: Disk) -> Evaluate:
        """For this one."""


@dataclass(frozen=True)
class Importing:
    """Such a one: a write of another region."""

    part: RequestPart

    def at(self, replica: Replica, _store: Disk) -> Evaluate:
        def floors() -> Floors | None:
            return None if replica.leader is None else replica.leader.floors

        return import_item.node(self.part, import_item.Here(floors, AnyKey(), CLOCK_LEAD_MS))  # type: ignore[arg-type]

    def __call__(self, _old: bytes | None, _wall_ms: int) -> Decision:
        raise NotImplementedError("its replica is not known")


def bound(request: Write, replica: Replica, store: Disk) -> Write:
    """With what the replica knows."""
    if not hasattr(request.evaluate, "at"):
        return request
    return request._replace(evaluate=cast("Evaluated", request.evaluate).at(replica, store))


class Hosting(NamedTuple):
    """As much of `Hosted` as a page needs."""

    replica: Replica
    store: Disk


@dataclass(frozen=True)
class Paging:
    """A page of rows for an initial copy, likewise."""

    part: RequestPart

    def at(self, replica: Replica, store: Disk) -> Read:
        return lambda reader: inbox._rows(self.part, cast("Any", Hosting(replica, store)), reader)

    def __call__(self, _reader: Reader) -> Outcome:
        raise NotImplementedError("its replica is not known")


class Asking(Protocol):
    """What is asked of a replica, and needs it."""

    def at(self, replica: Replica, store: Disk) -> Read:
        """For this one."""


def asking(query: Query, replica: Replica, store: Disk) -> Query:
    """With what the replica has."""
    if not hasattr(query.read, "at"):
        return query
    return query._replace(read=cast("Asking", query.read).at(replica, store))


def declare(replica: Replica, floors: Floors, now_ms: float) -> None:
    """Metadata say that the table is global, and with whom."""
    leader = replica.leader
    if leader is None or not leader.serving or replica.place.is_restoring:
        return
    known = leader.floors
    if known is None or (known.region, known.others) != (floors.region, floors.others):
        leader.append_unasked(note_of(floors), now_ms)


def item_row(key: bytes, value: int, wall_ms: int = WALL_MS) -> bytes:
    item = {"pk": {"S": key.decode()}, "v": {"N": str(value)}}
    return encode_row(orjson.dumps(item), item_size(item), wall_ms)


def put(key: bytes, value: int) -> Evaluate:
    return lambda _old, wall_ms: Decision(True, item_row(key, value), Outcome(body=b"put"))


def delete(_key: bytes, _value: int) -> Evaluate:
    def evaluate(old: bytes | None, _: int) -> Decision:
        return Decision(item_of(old) is not None, None, Outcome(body=b"deleted"))

    return evaluate


class RegionsClient(Client):
    """One of this region, or of RepIn."""

    def __init__(self, cluster: Cluster, number: int, pause_ms: float) -> None:
        super().__init__(cluster, number, pause_ms)
        self.uses_tokens = False
        self._version: Version | None = None
        self._value = 0

    def _choose(self) -> tuple[bytes, str]:
        dice = self.world.random
        key, kind = dice.choice(REGION_KEYS), dice.choices(("store", "erase", "import"), (35, 15, 50))[0]
        self._value, self._version = dice.randrange(4), None
        abroad = self.cluster.abroad
        if kind == "import" and abroad.owed and dice.random() < 0.8:
            key, self._version, self._value = abroad.owed.pop()
        elif kind == "import" and abroad.done and dice.random() < 0.2:
            key, self._version, self._value = dice.choice(abroad.done)
        elif kind == "import":
            self._version = self._of_another_region(key)
            abroad.begin(self._version.stamp)
        return key, kind

    def _of_another_region(self, key: bytes) -> Version:
        """Half of them knew what is here now."""
        dice = self.world.random
        region = dice.choice(sorted(OTHERS))
        known = self.cluster.truth.versions.get(key)
        seen = dict(known.seen) if known is not None and dice.random() < 0.5 else {}
        wall_ms = WALL_MS + int(self.world.now_ms) + dice.randint(-CLOCK_OFF_MS, CLOCK_OFF_MS)
        # Two writes of a region do not have one stamp.
        least = max(self.cluster.truth.words.get(region, -1), *seen.values(), -1) + 1
        time = max(wall_ms * TICKS_PER_MS, least) + self.cluster.next_operation()
        return Version(Stamp(time, region), {**seen, region: time})

    def _message(self, pending: Pending, sender: Sender, generation: int) -> Write | Query:
        budget_ms = int(pending.deadline_ms - self.world.now_ms)
        request = b""  # the version of a write of another region says what an id would
        if self._version is None:
            request = encode_request_id(RequestId(Incarnation(self.number), pending.counter, 0))
        evaluate = self._evaluate(pending)
        return Write(sender, request, generation, pending.key, evaluate, budget_ms, repeat=pending.tries > 1)

    def _evaluate(self, pending: Pending) -> Evaluate:
        if self._version is None:
            make: Callable[[bytes, int], Evaluate] = put if pending.kind == "store" else delete
            return make(pending.key, self._value)
        body = b"" if self._value == 0 else orjson.dumps({"pk": {"S": pending.key.decode()}, "e": {"N": "1"}})
        detail = self._version.encode()
        return Importing(part_to("l", 0, 1, Code.IMPORT, pending.key, body, 9 if body else 0, detail))

    def _judge(self, pending: Pending, outcome: Outcome) -> None:
        if outcome.status != ReplyStatus.OK:
            raise Violation(f"a write of a global table was refused: {outcome.body!r}")
        if self._version is not None:
            self.cluster.truth.decided(pending.key, self._version)
            self.cluster.abroad.end(Owed(pending.key, self._version, self._value))
            self._version = None
        elif not outcome.provisional and pending.kind == "store":
            self.cluster.truth.told(encode_request_id(RequestId(Incarnation(self.number), pending.counter, 0)))

    def _done(self) -> None:
        """What was not decided is owed."""
        if self._version is not None and self.pending is not None:
            self.cluster.abroad.owed.append(Owed(self.pending.key, self._version, self._value))
            self._version = None
        super()._done()
