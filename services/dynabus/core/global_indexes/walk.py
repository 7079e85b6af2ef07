"""At an index partition's leader: a walk through its rows for tombstones that may go. Pure; of one term.

| floors that were told | it                                                                              |
|-----------------------|---------------------------------------------------------------------------------|
| none, or walked with  | rests                                                                           |
| higher ones           | walks from the first row to the last with those that it has been told until then |

A slice that has tombstones below floors which are not applied yet is not passed: first they are to be appended, and
read back. Then each tombstone is to be taken away by a write that looks at the row again. All of it is in the log
for certain as long as the term lasts; the next leader begins anew.

    request's member of a clearing
    detail           floors (`floors`)
    reply's member   of a clearing
    count            LEFT: the walk with these floors is not done; CLEAN: it is, and no tombstone below them is left
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.global_indexes.floors import (
    Floors,
    covers,
    decode_floors,
    encode_floors,
    floors_in,
    is_over,
    merged,
)
from dynabus.core.ids import LogId
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.store import Outcome, Store

CLEAN, LEFT = 0, 1


class Slice(NamedTuple):
    """What is to be done behind a slice. `note`: floors to append first. `over`: keys of tombstones to take away."""

    note: Floors | None = None
    over: tuple[bytes, ...] = ()
    rows: int = 0


@dataclass(slots=True)
class Walk:
    """`term` of the leader."""

    term: int
    _told: dict[int, int] = field(default_factory=dict)
    _clean: dict[int, int] = field(default_factory=dict)
    _with: dict[int, int] | None = None
    _after: bytes | None = None
    """The last row that was passed."""
    _is_noted: bool = False

    def tell(self, floors: Floors) -> Outcome:
        """Floors that a propagator knows; the answer."""
        self._told = merged(self._told, floors)
        return Outcome(count=CLEAN if covers(self._clean, floors) else LEFT)

    @property
    def rests(self) -> bool:
        """There is nothing to do."""
        return covers(self._clean, self._told)

    def look(self, store: Store, upper: bytes | None, rows_most: int, over_most: int) -> Slice:
        """The next rows. Raises CorruptRow."""
        floors = self._with
        if floors is None:
            floors = self._with = dict(self._told)
            self._after, self._is_noted = None, False
        over: list[bytes] = []
        last, rows = self._after, 0
        for key, row in store.scan(b"" if last is None else last + b"\0", upper):
            if rows == rows_most or len(over) == over_most:
                break
            rows += 1
            last = key
            if is_over(row, floors):
                over.append(key)
        else:
            last = None
        if over and not covers(floors_in(store), floors):
            return self._wait_for_note(store, floors, rows)
        self._after = last
        if last is None:
            self._clean, self._with = merged(self._clean, floors), None
        return Slice(over=tuple(over), rows=rows)

    def _wait_for_note(self, store: Store, floors: Floors, rows: int) -> Slice:
        if self._is_noted:
            return Slice(rows=rows)
        self._is_noted = True
        return Slice(merged(floors_in(store), floors), rows=rows)


def clearing_part(log: LogId, partition: int, generation: int, floors: Floors) -> RequestPart:
    """As it travels to an index partition's leader."""
    return part_to(log, partition, generation, Code.CLEAR, b"", detail=encode_floors(floors))


def told_floors(part: RequestPart) -> dict[int, int]:
    """Of a request. Raises struct.error."""
    return decode_floors(part["detail"])
