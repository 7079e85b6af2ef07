"""An heir: a child's rows before the child's log has begun, folded from its ancestors' logs.

| place is of        | and                  | then                                                         |
|--------------------|----------------------|--------------------------------------------------------------|
| an ancestor's log  | not sealed           | fold on; apply what lies in the child's range                |
| an ancestor's log  | sealed, names the next of the lineage | go over to that one's log, from its start   |
| an ancestor's log  | sealed, names others | alarm: the row that says so is not the log's history         |
| the child's log    |                      | finished: it is a replica now                                |

Request ids of the whole ancestor are kept, since a re-sent write must find its answer in whichever child its key went
to (I10). Data and place go over to the next log in one transaction (I6). An heir elects nobody and serves nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynabus.core.ids import PartitionId
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import Bodies, Kind, Mutation, Record, RowChanges
from dynabus.core.replication.request_ids import apply_mutation, apply_rows, remember
from dynabus.core.replication.store import Follow, Store


class Inheritance(NamedTuple):
    """Which child, its half-open range of encoded keys, and the numbers of its ancestors, the root first."""

    partition: PartitionId
    lower: bytes
    upper: bytes | None
    lineage: tuple[int, ...]

    def holds(self, key: bytes) -> bool:
        """Whether a key is the child's."""
        return self.lower <= key and (self.upper is None or key < self.upper)

    def after(self, number: int) -> int:
        """The next of the lineage, the child last."""
        line = (*self.lineage, self.partition.number)
        return line[line.index(number) + 1]

    def root(self, cluster: str, topic: str) -> Place:
        """Where an heir begins that has nothing: the start of the oldest ancestor's log."""
        return start_of_log(Origin(cluster, topic, PartitionId(self.partition.log, self.lineage[0])))


class Heir:
    """One child's heir on one node."""

    def __init__(self, to: Inheritance, store: Store, place: Place, bodies: Bodies, follow: Follow) -> None:
        self.to, self.store, self.place = to, store, place
        self.alarm: str | None = None
        self._bodies, self._follow = bodies, follow

    @property
    def finished(self) -> bool:
        """It has gone over to the child's own log."""
        return self.place.origin.partition == self.to.partition

    @property
    def ancestor(self) -> int:
        """The number of the partition whose log it reads."""
        return self.place.origin.partition.number

    def read_log(self, records: Iterable[Record]) -> None:
        """Records of the ancestor's log, from the place or from before it."""
        for record in records:
            if self.alarm is not None or self.place.sealed:
                return
            if record.offset == self.place.next_offset:
                self._read(record)

    def _read(self, record: Record) -> None:
        before = self.place
        self.place, verdict = fold(before, record, self._bodies)
        if verdict == Verdict.ACCEPTED and record.kind == Kind.MUTATION:
            self._apply(before, record)
        elif verdict == Verdict.DIVERGED:
            self.alarm = f"diverged at offset {record.offset} of partition {self.ancestor}"
        elif verdict == Verdict.UNREADABLE:
            self.alarm = f"record at offset {record.offset} of partition {self.ancestor} is of a newer version"

    def _apply(self, before: Place, record: Record) -> None:
        body = self._bodies.decode(record.schema_number, record.body)
        if isinstance(body, RowChanges):
            apply_rows(self.store, (row for row in body.rows if self.to.holds(row.key)), self._follow)
        elif not isinstance(body, Mutation):
            # The place may not pass what the rows do not hold.
            self.place = before
            self.alarm = f"mutation at offset {record.offset} of partition {self.ancestor} is of a newer version"
        elif self.to.holds(body.key):
            apply_mutation(self.store, body, record.sequence, self.place.log_time_ms, self._follow)
        elif body.request:
            remember(self.store, body, record.sequence, self.place.log_time_ms)

    def go_over(self) -> bool:
        """At an ancestor's seal: go on in the next log. True if the place changed, which is to be committed now."""
        place = self.place
        if place.children is None or self.alarm is not None:
            return False
        number = self.to.after(self.ancestor)
        found = next((child for child in place.children if child.number == number), None)
        last = number == self.to.partition.number
        if found is None or (last and (found.lower, found.upper) != (self.to.lower, self.to.upper)):
            self.alarm = f"the seal of partition {self.ancestor} does not name {number} with this range"
            return False
        partition = PartitionId(self.to.partition.log, number)
        self.place = start_of_log(place.origin._replace(partition=partition))
        return True
