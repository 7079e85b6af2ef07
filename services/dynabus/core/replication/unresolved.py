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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dynabus.core.replication.records import Mutation
from dynabus.core.replication.store import Outcome, Read


class Sender(NamedTuple):
    """Whom an answer goes to: the asker's topic slot, its incarnation, its counter, the index of the part.

    `wants_place`: whether it is to be told up to where the log is in what it is answered.
    """

    asker: str
    incarnation: int
    counter: int
    part: int
    wants_place: bool = False


@dataclass(slots=True)
class Sent:
    """One un-accepted record of the current term."""

    sequence: int
    value: bytes
    first_sent_ms: float
    mutation: Mutation | None
    sender: Sender | None
    outcome: Outcome | None


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

    __slots__ = ("_overlay", "_requests", "records")

    def __init__(self) -> None:
        self.records: deque[Sent] = deque()
        self._overlay: dict[bytes, Sent] = {}
        self._requests: set[bytes] = set()

    def __len__(self) -> int:
        return len(self.records)

    def add(self, sent: Sent) -> None:
        self.records.append(sent)
        if sent.mutation is not None:
            self._overlay[sent.mutation.key] = sent
            if sent.mutation.request:
                self._requests.add(sent.mutation.request)

    def newest(self, key: bytes) -> Sent | None:
        """The newest un-accepted record of a key: its `mutation.new` covers the applied row."""
        return self._overlay.get(key)

    def in_flight(self, request_id: bytes) -> bool:
        return request_id in self._requests

    def resolve(self, value: bytes) -> Sent | None:
        """The oldest record if it is the one that was just accepted; it is no longer unresolved then."""
        if not self.records or self.records[0].value != value:
            return None
        sent = self.records.popleft()
        if sent.mutation is not None:
            self._requests.discard(sent.mutation.request)
            if self._overlay.get(sent.mutation.key) is sent:
                del self._overlay[sent.mutation.key]
        return sent

    def oldest_sent_ms(self) -> float | None:
        return self.records[0].first_sent_ms if self.records else None

    def senders(self) -> Iterator[Sender]:
        return (sent.sender for sent in self.records if sent.sender is not None)
