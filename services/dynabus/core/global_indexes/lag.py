"""How far an index is behind one log of its table, at each replica of that log. Pure; times are of a monotonic clock.

Lag is the age of the oldest accepted record that touches the index and is not known to be in it. Both halves come
from who knows them:

* which records touch it: the record itself says what it cost the index (`charges`), so each replica that applies it
  knows, and a new leader knows what the last one knew;
* how far the index is: log propagators tell (`core.propagation.telling`), as the offset before which all that the
  log says of this index is acknowledged. What was acknowledged once stays so: the highest offset counts.

Silence acknowledges nothing, so lag grows while propagators are dead. An idle log, or one whose records do not touch
the index, has none.

| what this replica has not seen itself | counts as                                                         |
|---------------------------------------|-------------------------------------------------------------------|
| what its log had before it was opened | a record of the time when the index was first looked at           |
| of a split: what the parent had       | the same: a child is told of only when its parent is acknowledged |
| of a new partition: nothing           | nothing                                                           |

So after a restart lag begins anew, and never stays at nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from dynabus.core.global_indexes.charges import MARK, charges_of
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Form, Mutation

WIDTH_MS = 50.0
"""Records of so long are one mark: lag is told so exactly. Doubled where marks become too many."""

MARKS_MOST = 256


class Backlog:
    """Records that are not known to be in one index, the oldest first: (time of a mark's first, offset of its
    last)."""

    __slots__ = ("_marks", "_next_offset", "_width_ms")

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self._width_ms = WIDTH_MS
        self._next_offset = 0

    def touched(self, offset: int, now_ms: float) -> None:
        """A record of the log that means something for the index, in order of the log."""
        marks = self._marks
        if offset < self._next_offset:
            return  # it was told of before this replica had read it
        if marks and now_ms - marks[-1][0] < self._width_ms:
            marks[-1] = (marks[-1][0], offset)
            return
        marks.append((now_ms, offset))
        if len(marks) > MARKS_MOST:
            self._width_ms *= 2
            firsts, lasts = [*marks][::2], [*[*marks][1::2], marks[-1]]
            self._marks = deque((first[0], last[1]) for first, last in zip(firsts, lasts, strict=True))

    def acknowledged(self, next_offset: int) -> None:
        """All before this offset is in the index."""
        marks = self._marks
        self._next_offset = max(self._next_offset, next_offset)
        while marks and marks[0][1] < self._next_offset:
            marks.popleft()
        if not marks:
            self._width_ms = WIDTH_MS

    def lag_ms(self, now_ms: float) -> float:
        """0: nothing is missing."""
        return now_ms - self._marks[0][0] if self._marks else 0.0


class Watch:
    """What a replica applies of its table's log, from `opened_at` on; of its backlogs, which begin with the log.

    A part of its own: a replica that referred to its host would be a cycle, and so its store be closed at any time.
    """

    __slots__ = ("_backlogs", "opened_at", "read_ms")

    def __init__(self, opened_at: int, now_ms: float) -> None:
        self.opened_at, self.read_ms = opened_at, now_ms
        self._backlogs: Backlogs | None = None

    def backlogs(self, place: Place) -> Backlogs:
        """Asked for once the log has begun."""
        if self._backlogs is None:
            group = place.group
            saw_all = self.opened_at == 0 and group is not None and group.form is Form.NEW
            self._backlogs = Backlogs(None if saw_all else max(0, self.opened_at - 1))
        return self._backlogs

    def applied(self, mutation: Mutation, offset: int, place: Place, leads: bool) -> None:
        """`core.replication.request_ids.Applied`."""
        self.backlogs(place).applied(mutation, offset, self.read_ms, leads=leads)


class Backlogs:
    """Of one replica, by index. `before`: the last offset that it did not see; None: it saw all."""

    __slots__ = ("_before", "_by_index", "_charged")

    def __init__(self, before: int | None) -> None:
        self._before = before
        self._by_index: dict[str, Backlog] = {}
        self._charged: Counter[str] = Counter()

    def of(self, index: str, now_ms: float) -> Backlog:
        """Begins with what it did not see."""
        known = self._by_index.get(index)
        if known is None:
            known = self._by_index[index] = Backlog()
            if self._before is not None:
                known.touched(self._before, now_ms)
        return known

    def applied(self, mutation: Mutation, offset: int, now_ms: float, *, leads: bool) -> None:
        """A record of the log. An item that expired may have been in any index: nobody counted what that cost.

        `leads`: what it cost is counted here, and on no other replica.
        """
        if mutation.status == ReplyStatus.EXPIRED:
            for backlog in self._by_index.values():
                backlog.touched(offset, now_ms)
        elif mutation.answer.startswith(MARK):
            for index, halves in charges_of(mutation.answer)[0].items():
                self.of(index, now_ms).touched(offset, now_ms)
                if leads:
                    self._charged[index] += halves

    def take_charged(self) -> Counter[str]:
        """Half units by index since the last call."""
        taken, self._charged = self._charged, Counter()
        return taken

    def keep_only(self, indexes: Iterable[str]) -> None:
        """Others are gone."""
        kept = set(indexes)
        for index in [each for each in self._by_index if each not in kept]:
            del self._by_index[index]
