"""The checks. The auditor folds every record the moment it lands, so it knows the one history that must hold."""

from __future__ import annotations

from dynabus.core.global_tables.leading import floors_of
from dynabus.core.replication.fold import Verdict
from dynabus.core.replication.fold import fold as true_fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import Bodies, Configure, Genesis, Kind, Mutation, Record, RowChange, RowChanges
from dynabus.core.replication.request_ids import NO_KEY, TOKENS
from dynabus.core.replication.standstill import is_fence
from dynabus.core.replication.tokens import NAME_BYTES
from dynabus.core.rows import version_of
from tests.simulation.partitions import GLOBAL_KEYS
from tests.simulation.region_truth import DECIDED, Truth, says_so
from tests.simulation.violation import Violation as Violation

ABSENT = 0
"""Operation number that stands for "no row"."""


class Auditor:
    """The truth of one log: its accepted history, per key the versions, per offset the state."""

    def __init__(self, bodies: Bodies, origin: Origin, lossy: bool = False, parent: Auditor | None = None) -> None:
        self._bodies, self._parent = bodies, parent
        self._lower: bytes = b""
        self._upper: bytes | None = None
        self._inherited = parent is None
        self._genesis: bytes | None = None
        self.lossy = lossy
        self.broken_log = False
        """What Kafka left is no history any more: a reader from the start must stop."""
        self.place = start_of_log(origin)
        self.rows: dict[bytes, bytes] = {}
        self.digest = 0
        self.digests: list[int] = [0]
        self.places: list[Place] = [self.place]
        self.versions: dict[bytes, list[int]] = {} if parent is None else parent.versions
        """Over all partitions: a key has one history, whichever partition it was in."""
        self.index: dict[tuple[bytes, int], int] = {} if parent is None else parent.index
        self.decided: set[bytes] = set() if parent is None else parent.decided
        """Names of commands' tokens."""
        self.refused: set[tuple[bytes, int]] = set() if parent is None else parent.refused
        """(key, operation): its client was told that it changed nothing."""
        self.truth: Truth = Truth() if parent is None else parent.truth
        self.is_global = False
        """It says that the table is."""
        self.promised = -1
        """It has no own writes of a global table at or below this time behind the record that says so."""
        self._members: tuple[str, ...] = ()
        self._plan = 0
        self.fenced = False
        self._wanted: dict[bytes, bytes] | None = None
        """What a recovery's log must hold once it says that it holds all."""
        self.accepted = 0
        self.gathered = 0
        """Writes that were in one record with others."""
        self.voids = 0
        self.terms = 0

    def landed(self, record: Record) -> None:
        """Fold a record and check what a history may not contain."""
        if self.broken_log or self.fenced:
            return
        if is_fence(record) and self.place.group is not None and record.generation == self.place.group.generation:
            if not self.lossy:
                raise Violation(f"{record.writer.node} fenced a log that lost nothing")
            self.fenced = True
            return
        if self._parent is not None and record.intact and record.kind == Kind.GENESIS:
            self._check_genesis(record.value)
        self.place, verdict = true_fold(self.place, record, self._bodies)
        if verdict == Verdict.DIVERGED and self.lossy:
            self.broken_log = True
            return
        if verdict not in (Verdict.ACCEPTED, Verdict.VOID):
            raise Violation(f"the log diverges from itself at offset {record.offset}: {verdict.name}")
        if verdict == Verdict.ACCEPTED:
            self._check_members(record)
            self.accepted += 1
            self.terms += record.kind == Kind.CLAIM
            if self._wanted is not None and not self.place.is_restoring and record.kind != Kind.GENESIS:
                self._check_restored()
            if record.kind == Kind.MUTATION:
                self._apply(record)
        else:
            self.voids += 1
        self.digests.append(self.digest)
        self.places.append(self.place)

    def _check_members(self, record: Record) -> None:
        """Counted apart from `fold`: genesis names the members, then the configure with the highest plan so far."""
        if record.kind == Kind.CLAIM and record.writer.node not in self._members:
            raise Violation(f"{record.writer.node} won a term of a group that it does not belong to")
        if record.kind in (Kind.GENESIS, Kind.CONFIGURE):
            body = self._bodies.decode(record.schema_number, record.body)
            if isinstance(body, Genesis) or (isinstance(body, Configure) and body.plan > self._plan):
                self._members = body.members
                self._plan = body.plan if isinstance(body, Configure) else 0
        group = self.place.group
        if group is None or (group.members, group.plan) != (self._members, self._plan):
            raise Violation(f"the group is not that of plan {self._plan}")

    def of_child(self, lower: bytes, upper: bytes | None) -> None:
        """The range of a child, whose rows are its parent's when that is sealed."""
        self._lower, self._upper = lower, upper

    def _check_genesis(self, value: bytes) -> None:
        """It is a pure function of the parent's seal, so all who write it write the same."""
        parent = self._parent
        if parent is None or not parent.place.sealed:
            raise Violation("a child's log began before its parent was sealed")
        self._inherit()
        if self._genesis is not None and self._genesis != value:
            raise Violation("two that wrote a child's genesis disagree about it")
        self._genesis = value

    def _inherit(self) -> None:
        parent = self._parent
        if self._inherited or parent is None:
            return
        if not parent.place.sealed:
            raise Violation("a child is a replica although its parent is not sealed")
        parent._inherit()
        self._inherited, self.is_global = True, self.is_global or parent.is_global
        self.promised = max(self.promised, parent.promised)
        for key, row in parent.rows.items():
            if self._lower <= key and (self._upper is None or key < self._upper):
                self.rows[key] = row
                self.digest ^= hash((key, row))
        self.digests = [self.digest for _ in self.digests]

    def _apply(self, record: Record) -> None:
        body = self._bodies.decode(record.schema_number, record.body)
        if isinstance(body, RowChanges):
            self.gathered += len(body.rows) if len(body.rows) > 1 else 0
            for row in body.rows:
                self._changed(row, int.from_bytes((row.new or b"")[:8], "big"))
            return
        assert isinstance(body, Mutation)
        self.is_global = self.is_global or says_so(body)
        if self.place.is_restoring:
            if body.new is not None:
                self.rows[body.key] = body.new
                self.digest ^= hash((body.key, body.new))
            self.truth.restored(body)
            return
        if says_so(body):
            self.promised = max(self.promised, floors_of(body).promised)
        self.truth.accepted(body, self.is_global, self.place.origin.partition.number)
        self._check_promise(body)
        self._check_token(body)
        if body.key == NO_KEY:
            return
        if body.key in GLOBAL_KEYS:
            self._replaced(RowChange(body.key, body.old, body.new), "a write of a global table")
            return
        self._changed(RowChange(body.key, body.old, body.new), int.from_bytes(body.answer[:8], "big"))

    def _changed(self, row: RowChange, operation: int) -> None:
        key, _, new = row
        if (key, operation) in self.index:
            raise Violation(f"operation {operation} was applied twice")
        if (key, operation) in self.refused:
            raise Violation(f"operation {operation} was applied after its client was told that it changed nothing")
        versions = self.versions.setdefault(key, [ABSENT])
        self._replaced(row, f"operation {operation}")
        self.index[key, operation] = len(versions)
        versions.append(operation if new is not None else ABSENT)

    def _replaced(self, row: RowChange, what: str) -> None:
        key, old, new = row
        if old != self.rows.pop(key, None):
            raise Violation(f"{what} was evaluated against another row than it replaced")
        self.digest ^= hash((key, old)) if old is not None else 0
        if new is not None:
            self.rows[key] = new
            self.digest ^= hash((key, new))

    def _check_promise(self, body: Mutation) -> None:
        if body.key not in GLOBAL_KEYS or body.new is None or body.answer in DECIDED or body.new == body.old:
            return
        stamp = version_of(body.new, self.truth.own).stamp
        if stamp.region == self.truth.own and stamp.time <= self.promised and not self.truth.is_lost:
            raise Violation(f"{stamp} is below what the log has promised: {self.promised}")

    def _check_token(self, body: Mutation) -> None:
        """A command is decided once, if only to be refused."""
        if body.request.startswith(TOKENS):
            name = body.request[-NAME_BYTES:]
            if name in self.decided:
                raise Violation("a command was decided twice")
            self.decided.add(name)

    def find(self, chain: bytes) -> int | None:
        """The first offset behind which this history has this chain checksum; None if it never has."""
        return next((place.next_offset for place in self.places if place.chain == chain), None)

    def goes_on_from(self, history: list[tuple[bytes, int, bytes | None]]) -> None:
        """A recovery's log: the versions of that history are those that may be seen again."""
        self._wanted = {}
        for key, operation, row in history:
            versions = self.versions.setdefault(key, [ABSENT])
            self.index[key, operation] = len(versions)
            versions.append(operation if row is not None else ABSENT)
            self._wanted.pop(key, None)
            if row is not None:
                self._wanted[key] = row

    def _check_restored(self) -> None:
        wanted, self._wanted = self._wanted, None
        if self.rows != wanted:
            raise Violation("what a recovery serves is not what the chosen replica held")

    def check_replica(self, name: str, place: Place, digest: int) -> None:
        """All readers hold one history, and replicas are equal at equal places."""
        self._inherit()
        if place.next_offset >= len(self.places):
            return
        truth = self.places[place.next_offset]
        if place.chain != truth.chain or place.reign != truth.reign or place.next_sequence != truth.next_sequence:
            raise Violation(f"{name} folded another history up to offset {place.next_offset}")
        if place.group != truth.group:
            raise Violation(f"{name} has other members than the log at offset {place.next_offset}")
        if digest != self.digests[place.next_offset]:
            raise Violation(f"{name} holds other rows at offset {place.next_offset}")


class Linearizability:
    """Per key: an operation may not go behind what any operation that had returned before it began had seen.

    The log fixes the order of versions, so this is all that linearizability asks of strong reads, failed conditions
    and writes; unknown outcomes constrain nothing.
    """

    def __init__(self, auditor: Auditor) -> None:
        self.auditor = auditor
        self._seen: dict[bytes, int] = {}
        self.checked = 0

    def begin(self, key: bytes) -> int:
        """The floor: versions older than this one may not be seen by an operation that begins now."""
        return self._seen.get(key, 0)

    def wrote(self, key: bytes, operation: int, floor: int, before: int) -> None:
        """A write was acknowledged; `before` is the operation whose row it said it replaced."""
        index = self.auditor.index.get((key, operation))
        if index is None:
            raise Violation(f"operation {operation} was acknowledged and is not in the log's history")
        if index <= floor:
            raise Violation(f"operation {operation} was ordered before one that had returned when it began")
        if self.auditor.versions[key][index - 1] != before:
            raise Violation(f"operation {operation} said that it replaced {before}, which it did not")
        self._saw(key, index)

    def read(self, key: bytes, operation: int, floor: int, what: str) -> None:
        """A strong read, a failed condition or a change of nothing saw the row of `operation`."""
        versions = self.auditor.versions.get(key, [ABSENT])
        if operation != ABSENT:
            index = self.auditor.index.get((key, operation))
            if index is None:
                raise Violation(f"{what} saw operation {operation}, which is not in the log's history")
            if index < floor:
                raise Violation(f"stale {what}: saw version {index} after version {floor} was seen")
        else:
            index = next((i for i in range(floor, len(versions)) if versions[i] == ABSENT), -1)
            if index < 0:
                raise Violation(f"stale {what}: saw no row after version {floor} was seen")
        self._saw(key, index)

    def refused(self, key: bytes, operation: int) -> None:
        """A client was told that its operation changed nothing: it has not, and never will."""
        if (key, operation) in self.auditor.index:
            raise Violation(f"operation {operation} was applied, and its client was told that it changed nothing")
        self.auditor.refused.add((key, operation))

    def _saw(self, key: bytes, index: int) -> None:
        self.checked += 1
        if index > self._seen.get(key, 0):
            self._seen[key] = index
