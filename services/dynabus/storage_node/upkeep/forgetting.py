"""Has logs of global tables say what regions tell, and takes away deletions that nothing can be lost without.

Of the partitions that this node leads; the decisions are `core.global_tables.forgetting`'s. Tombstones are taken away
as expired items are (`expiry`): by writes of the leader's own, each with a request id, charged to nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dynabus.core.errors import validation_error
from dynabus.core.global_tables.forgetting import Forgetting, Pace, decode_word, removal
from dynabus.core.global_tables.leading import note_of
from dynabus.core.ids import Incarnation, RequestId, Writer
from dynabus.core.messages import RequestPart
from dynabus.core.replication.effects import Write
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Outcome, Read, Reader
from dynabus.storage_node.expiry.sweeping import NOBODY, UNDER_WAY_MOST, serves
from dynabus.storage_node.replicas.hosted import BROKEN_STORE, Hosted

REMOVALS_MOST = 100
"""Of one partition at a look: as of indexes' tombstones (`clearing`)."""

OWN_PART = 1
"""The last piece of request ids of removals; those of expired items, which this process numbers too, have 0."""


@dataclass(slots=True)
class Forgettings:
    """Of one node. `removed`: tombstones by table id, since the start."""

    me: Writer
    pace: Pace
    rows_per_s: int
    removed: Counter[str] = field(default_factory=Counter)
    _turn: int = 0
    _counter: int = 0

    def of(self, hosted: Hosted) -> Forgetting:
        """What there is of this term; of who leads."""
        leader = hosted.replica.leader
        assert leader is not None
        if hosted.forgetting is None or hosted.forgetting.term != leader.seat.term:
            hosted.forgetting = Forgetting(leader.seat.term)
        return hosted.forgetting

    def hearing(self, hosted: Hosted, part: RequestPart) -> Read:
        """A word of another region. Raises ApiError."""
        try:
            region, word = decode_word(part["detail"])
        except ValueError as error:
            raise validation_error(f"A word of another region that cannot be read: {error}") from error

        def read(_store: Reader) -> Outcome:
            if hosted.replica.leader is not None:
                self.of(hosted).hear(region, word)
            return Outcome()

        return read

    def tell(self, hosted: Hosted, own: str, others: frozenset[str], now_ms: float, wall_ms: int | None) -> bool:
        """Have its log say what regions there are and what they have told, if it is time."""
        leader = hosted.replica.leader
        if leader is None or not serves(hosted):
            return False
        floors = self.of(hosted).note(leader.floors, own, others, self.pace, now_ms, wall_ms)
        if floors is not None:
            leader.append_unasked(note_of(floors), now_ms)
        return floors is not None

    def walk(self, replicas: Iterable[Hosted], looks_ms: float, now_ms: float, wall_ms: int) -> list[Hosted]:
        """Go on with what is led here; returns replicas of which something goes. `looks_ms`: between two looks."""
        led = [each for each in replicas if each.forgetting is not None and serves(each)]
        left = int(self.rows_per_s * looks_ms / 1000)
        # Another one is the first at each look: none waits for ever behind a large one.
        self._turn = (self._turn + 1) % len(led) if led else 0
        touched = []
        for each in (*led[self._turn :], *led[: self._turn]):
            if left > 0:
                looked, goes = self._go_on(each, left, now_ms, wall_ms)
                left -= looked
                if goes:
                    touched.append(each)
        return touched

    def _go_on(self, hosted: Hosted, rows_most: int, now_ms: float, wall_ms: int) -> tuple[int, int]:
        leader, group, forgetting = hosted.replica.leader, hosted.replica.place.group, hosted.forgetting
        assert leader is not None
        assert group is not None
        assert forgetting is not None
        floors = leader.floors
        if floors is None or forgetting.term != leader.seat.term or len(leader.unresolved) > UNDER_WAY_MOST:
            return 0, 0
        try:
            found = forgetting.look(hosted.store, floors, hosted.contents.buried, rows_most, REMOVALS_MOST)
        except BROKEN_STORE as error:
            hosted.quarantine(error, now_ms)
            return 0, 0
        for key in found.over:
            self._counter += 1
            request = encode_request_id(RequestId(Incarnation(self.me.incarnation), self._counter, OWN_PART))
            hosted.write(Write(NOBODY, request, group.generation, key, removal(floors), 0), now_ms, wall_ms)
        self.removed[hosted.partition.log] += len(found.over)
        return found.rows, len(found.over)

    def kept(self, replicas: Iterable[Hosted]) -> Counter[str]:
        """Tombstones that the last walks have left, by table id, of what is led here."""
        found: Counter[str] = Counter()
        for each in replicas:
            if each.forgetting is not None and each.replica.leader is not None:
                found[each.partition.log] += each.forgetting.kept
        return found
