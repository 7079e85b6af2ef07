"""Records that were sent and are not yet accepted, and what hangs on them (I3, I4, I7b).

* The *overlay* is the state that the leader evaluates writes against: applied rows covered by its own un-accepted
  ones. Reads never see it.
* Each record is kept byte for byte, so that after a delivery error all can be sent again, identical and in order, in
  the same term: the first copy wins and the others are void. There are never two different records for one
  (term, sequence).
* An answer that looked at the overlay waits until what it looked at is accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dynabus.core.replication.records import Changes, Mutation, RowChanges
from dynabus.core.replication.store import Outcome, Read


class Sender(NamedTuple):
    """Whom an answer goes to: the asker's topic slot, its incarnation, its counter, the index of the part.

    `wants_place`: whether it is to be told up to where the log is in what it is answered. `is_brief`: of what is done
    it is told no more than that (an `IndexReply`).
    """

    asker: str
    incarnation: int
    counter: int
    part: int
    wants_place: bool = False
    is_brief: bool = False


@dataclass(slots=True)
class Sent:
    """One un-accepted record of the current term."""

    sequence: int
    value: bytes
    first_sent_ms: float
    changes: Changes | None
    told: Sequence[tuple[Sender, Outcome]] = ()
    """Who is answered what, once it is accepted."""


@dataclass(slots=True)
class Held:
    """An answer that waits: for `sequence` to be accepted, for the deferral's end and, with `lease`, for a lease.

    `answer` is an outcome, or a read that runs only when it may be answered.
    """

    sequence: int
    lease: bool
    sender: Sender
    answer: Outcome | Read


class Unresolved:
    """Sent records in order, the overlay over them and the request ids among them."""

    __slots__ = ("_overlay", "_requests", "_weight", "records")

    def __init__(self) -> None:
        self.records: deque[Sent] = deque()
        self._overlay: dict[bytes, tuple[int, bytes | None]] = {}
        self._requests: set[bytes] = set()
        self._weight = 0

    def __len__(self) -> int:
        """Records, each as heavy as the writes that it stands for."""
        return self._weight

    def add(self, sent: Sent) -> None:
        """What a record of `RowChanges` changes was covered before."""
        self.records.append(sent)
        self._weight += len(sent.told) or 1
        if isinstance(sent.changes, Mutation):
            self.cover(sent.changes.key, sent.sequence, sent.changes.new)
            if sent.changes.request:
                self._requests.add(sent.changes.request)

    def cover(self, key: bytes, sequence: int, row: bytes | None) -> None:
        """The record of this sequence, which may not be sent yet, changes the row of a key to this one."""
        self._overlay[key] = sequence, row

    def newest(self, key: bytes) -> tuple[int, bytes | None] | None:
        """(sequence, row) of the newest un-accepted change of a key, which covers the applied row."""
        return self._overlay.get(key)

    def in_flight(self, request_id: bytes) -> bool:
        return request_id in self._requests

    def resolve(self, value: bytes) -> Sent | None:
        """The oldest record if it is the one that was just accepted; it is no longer unresolved then."""
        if not self.records or self.records[0].value != value:
            return None
        sent = self.records.popleft()
        self._weight -= len(sent.told) or 1
        if isinstance(sent.changes, Mutation):
            self._requests.discard(sent.changes.request)
            self._uncover(sent.changes.key, sent.sequence)
        elif isinstance(sent.changes, RowChanges):
            for row in sent.changes.rows:
                self._uncover(row.key, sent.sequence)
        return sent

    def _uncover(self, key: bytes, sequence: int) -> None:
        covering = self._overlay.get(key)
        if covering is not None and covering[0] == sequence:
            del self._overlay[key]

    def oldest_sent_ms(self) -> float | None:
        return self.records[0].first_sent_ms if self.records else None

    def senders(self) -> Iterator[Sender]:
        return (sender for sent in self.records for sender, _ in sent.told)
