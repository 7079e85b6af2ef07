"""What the logs of a simulated global table say, and what they must not say (`global_tables`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynabus.core.global_tables.leading import REGIONS_ID
from dynabus.core.global_tables.versions import Version
from dynabus.core.replication.records import Mutation
from dynabus.core.rows import item_of, version_of
from tests.simulation.partitions import GLOBAL_KEYS
from tests.simulation.violation import Violation

OWN = "us"
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
    changes: int = 0
    imports: int = 0
    conflicts: int = 0

    def restored(self, mutation: Mutation) -> None:
        """A recovery's log has this row."""
        if mutation.key in GLOBAL_KEYS and mutation.new is not None:
            self.versions[mutation.key] = version_of(mutation.new, self.own)

    def accepted(self, mutation: Mutation, said: bool, number: int) -> None:
        """In the log of partition `number`; `said`: it says that the table is global."""
        self.known.add(mutation.request)
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
            raise Violation("a deletion in a global table leaves no tombstone")
        if new[0] != 3 and new != old:
            raise Violation("a write of a global table has no version")
        self._check(mutation.key, old, new, is_import)
        self.versions[mutation.key] = version_of(new, self.own)

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
        if found is None or not found.includes(version.stamp):
            raise Violation(f"{key!r}: {version} was said to be decided, and the version is {found}")
