"""What the logs of a simulated global table say, and what they must not say (`global_tables`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynabus.core.global_tables.leading import REGIONS_ID, floors_of
from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.replication.records import Mutation
from dynabus.core.rows import is_tombstone, item_of, version_of
from tests.simulation.partitions import GLOBAL_KEYS
from tests.simulation.violation import Violation

OWN, OTHERS = "us", frozenset({"eu", "za"})
DECIDED = (b"news", b"won", b"lost")


def says_so(mutation: Mutation) -> bool:
    """The record by which a log says that the table is global."""
    return mutation.request == REGIONS_ID


@dataclass
class Truth:
    """What the logs of a table's partitions say, over all of them."""

    versions: dict[bytes, Version] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)
    """Outcomes of request ids that are in a log."""
    own: str = OWN
    words: dict[str, int] = field(default_factory=dict)
    """Up to which time all that another region wrote is decided."""
    promised: int = -1
    """By any of the logs."""
    gone: dict[bytes, int] = field(default_factory=dict)
    """By key, the time of the last deletion that was forgotten."""
    forgotten: int = 0
    is_lost: bool = False
    """A recovery's log may lack what was promised."""
    changes: int = 0
    imports: int = 0
    conflicts: int = 0

    def restored(self, mutation: Mutation) -> None:
        """A recovery's log has this row, or this outcome of a request id."""
        self.is_lost = True
        self.known.add(mutation.request)
        if mutation.key in GLOBAL_KEYS and mutation.new is not None:
            self.versions[mutation.key] = version_of(mutation.new, self.own)

    def accepted(self, mutation: Mutation, said: bool, number: int) -> None:
        """In the log of partition `number`; `said`: it says that the table is global."""
        self.known.add(mutation.request)
        if says_so(mutation):
            self.promised = max(self.promised, floors_of(mutation).promised)
        if mutation.key not in GLOBAL_KEYS:
            return
        old, new = mutation.old, mutation.new
        is_import = mutation.answer in DECIDED
        self.changes += 1
        self.imports += is_import
        self.conflicts += mutation.losing is not None
        if not said:
            if is_import:
                raise Violation("a write of another region was decided before the log says that the table is global")
            if new is not None:
                self.versions[mutation.key] = version_of(new, self.own)
            else:
                self.versions.pop(mutation.key, None)
            return
        if new is None:
            self._forgets(mutation.key, old)
            return
        version = version_of(new, self.own)
        is_old = not self.is_lost and old is None and version.stamp.time < self.gone.get(mutation.key, -1)
        if is_old and not self._may_come_late(mutation.key, version.stamp):
            raise Violation(f"{mutation.key!r}: {version} was deleted, and that was forgotten")
        if new[0] != 3 and new != old:
            raise Violation("a write of a global table has no version")
        self._check(mutation.key, old, new, is_import)
        self.versions[mutation.key] = version

    def _may_come_late(self, _key: bytes, _stamp: Stamp) -> bool:
        """It is older than a deletion that was forgotten."""
        return False

    def _forgets(self, key: bytes, old: bytes | None) -> None:
        if old is None or not is_tombstone(old):
            raise Violation("a deletion in a global table leaves no tombstone")
        time = self.versions.pop(key).stamp.time
        if not self.is_lost and any(time > self.words.get(region, -1) for region in OTHERS):
            raise Violation(f"{key!r}: a deletion of {time} is forgotten, older writes may come: {self.words}")
        self.gone[key] = time
        self.forgotten += 1

    def _check(self, key: bytes, old: bytes | None, new: bytes, is_import: bool) -> None:
        after = version_of(new, self.own)
        if old is None:
            return
        before = version_of(old, self.own)
        if any(after.seen.get(region, -1) < time for region, time in before.seen.items()):
            raise Violation(f"{key!r}: {after} does not include {before}")
        if is_import:
            return
        if item_of(old) == item_of(new):
            if after != before:
                raise Violation(f"{key!r}: a write that changes nothing took {after} over {before}")
        elif after.stamp.region != self.own or after.stamp.time <= max(before.seen.values()):
            raise Violation(f"{key!r}: a client's write is stamped {after.stamp} over {before}")

    def told(self, request: bytes) -> None:
        """A client was told that its write was made."""
        if request not in self.known:
            raise Violation("a write of a global table was acknowledged and is in no log")

    def decided(self, key: bytes, version: Version) -> None:
        """A region was told that its write is decided."""
        found = self.versions.get(key)
        if version.stamp.time <= self.gone.get(key, -1):
            return
        if self.is_lost and version.stamp.time <= self.words.get(version.stamp.region, -1):
            return  # its region had been told so before it was lost; links are made anew then, which is not modelled
        if found is None or not found.includes(version.stamp):
            raise Violation(f"{key!r}: {version} was said to be decided, and the version is {found}")
