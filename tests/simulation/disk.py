"""A replica's modelled disk: changes since the last commit are lost in a crash, a host crash may lose commits too."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.place import Place
from dynabus.core.replication.request_ids import NO_KEY
from dynabus.core.rows import is_tombstone
from tests.simulation.partitions import GLOBAL_KEYS, ROWS

Commit = tuple[dict[bytes, bytes], dict[bytes, bytes], int, Place]
History = list[tuple[bytes, int, bytes | None]]
"""Applied mutations: key, operation, new row."""

WITHOUT_IDS = frozenset({*ROWS, *GLOBAL_KEYS})
_KEPT_COMMITS = 4
ANSWER_AT = 21
"""Of a remembered outcome: behind expiry, status, size and digest."""

_NO_ENTRIES = "what is derived from rows is a pure function of them: simulated rows have nothing to derive"


class Disk:
    """`core.replication.store.Store` in memory. `digest` is an order-free checksum of the rows."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.requests: dict[bytes, bytes] = {}
        self._ids: list[bytes] = []
        self.digest = 0
        self.buried = 0
        """Rows that became tombstones, as `core.contents` counts them."""
        self.history: History = []
        self._changed: tuple[bytes, bytes | None] | None = None
        self._lengths: dict[tuple[bytes, int], int] = {}
        self.commits: list[Commit] = []
        self.checkpoint: Commit | None = None
        """A synced copy of some commit, which no crash takes away."""
        self._checkpoint_history: History = []

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def scan(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted(k for k in self.rows if k >= lower and (upper is None or k < upper))
        return iter([(k, self.rows[k]) for k in (reversed(keys) if reverse else keys)])

    def put(self, key: bytes, row: bytes) -> None:
        self._drop(key)
        self.rows[key] = row
        self.buried += key in GLOBAL_KEYS and is_tombstone(row)
        self.digest ^= hash((key, row))
        self._changed = key, row
        self._note(key, row)

    def delete(self, key: bytes) -> None:
        self._drop(key)
        self._note(key, None)

    def _note(self, key: bytes, row: bytes | None) -> None:
        """Of a key whose writes need no request id; a recovery puts it again."""
        if key in WITHOUT_IDS:
            change = key, int.from_bytes(row or b"", "big") if key in ROWS else 0, row
            if change != next((each for each in reversed(self.history) if each[0] == key), None):
                self.history.append(change)

    def _drop(self, key: bytes) -> None:
        old = self.rows.pop(key, None)
        if old is not None:
            self.digest ^= hash((key, old))
        self._changed = key, None

    @property
    def checksum(self) -> bytes:
        """The digest as bytes."""
        return (self.digest & (1 << 64) - 1).to_bytes(8, "big")

    def get_entry(self, key: bytes) -> bytes | None:
        raise NotImplementedError(_NO_ENTRIES)

    def scan_entries(self, lower: bytes, upper: bytes | None, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        raise NotImplementedError(_NO_ENTRIES)

    def put_entry(self, key: bytes, row: bytes) -> None:
        raise NotImplementedError(_NO_ENTRIES)

    def delete_entry(self, key: bytes) -> None:
        raise NotImplementedError(_NO_ENTRIES)

    def totals(self) -> bytes | None:
        raise NotImplementedError(_NO_ENTRIES)

    def remember(self, request_id: bytes, value: bytes) -> None:
        if self._changed is not None and self._changed[0] not in (NO_KEY, *WITHOUT_IDS):
            # The outcome of a write says which operation it was.
            key, row = self._changed
            self.history.append((key, int.from_bytes(value[ANSWER_AT:][:8], "big"), row))
        self._changed = None
        if request_id not in self.requests:
            insort(self._ids, request_id)
        self.requests[request_id] = value

    def forget(self, request_id: bytes) -> None:
        if self.requests.pop(request_id, None) is not None:
            del self._ids[bisect_left(self._ids, request_id)]

    def remembered(self, request_id: bytes) -> bytes | None:
        return self.requests.get(request_id)

    def first_remembered(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        at = bisect_left(self._ids, prefix)
        if at == len(self._ids) or not self._ids[at].startswith(prefix):
            return None
        return self._ids[at], self.requests[self._ids[at]]

    def commit(self, place: bytes, totals: bytes = b"") -> None:
        raise NotImplementedError("the simulator commits whole places: `commit_place`")

    def place(self) -> bytes | None:
        raise NotImplementedError("the simulator restores whole places: `crash`")

    def commit_place(self, place: Place) -> None:
        """Data and place together (I6)."""
        self.commits.append((dict(self.rows), dict(self.requests), self.digest, place))
        del self.commits[:-_KEPT_COMMITS]
        self._lengths[place.chain, place.next_offset] = len(self.history)

    @property
    def committed_history(self) -> History:
        """What the last commit has applied."""
        place = self.commits[-1][3]
        return self.history[: self._lengths[place.chain, place.next_offset]]

    def keep(self) -> None:
        """The last commit is the checkpoint now, unless that has more: a clone that is behind it was installed."""
        if self.checkpoint is not None and _is_older(self.commits[-1][3], self.checkpoint[3]):
            return
        self.checkpoint, self._checkpoint_history = self.commits[-1], self.committed_history

    def replaced(self, history: History) -> Disk:
        """An empty one beside the same checkpoint; `history`: what will have been applied where it begins."""
        disk = Disk()
        disk.checkpoint, disk._checkpoint_history = self.checkpoint, self._checkpoint_history
        disk.history = [*history]
        return disk

    def inherit(self, parent: Disk, to: Inheritance) -> None:
        """What an heir gets of its parent's last commit: its rows, all request ids, and the place."""
        rows, requests, _, place = parent.commits[-1]
        for key, row in rows.items():
            if to.holds(key):
                self.put(key, row)
        for request, outcome in requests.items():
            self.remember(request, outcome)
        self.commit_place(place)

    def restore(self, low: int) -> bool:
        """Go on from the checkpoint, if a log that begins at this offset leads on from it."""
        if self.checkpoint is None or self.checkpoint[3].next_offset < low:
            return False
        return self.crash(0) is not None

    def crash(self, back: int) -> Place | None:
        """Fall back to the commit `back` before the newest; None where nothing is left."""
        del self.commits[len(self.commits) - back :]
        kept = self.checkpoint
        if kept is not None and (not self.commits or _is_older(self.commits[-1][3], kept[3])):
            self.commits, self.history, place = [kept], [*self._checkpoint_history], kept[3]
            self._lengths[place.chain, place.next_offset] = len(self.history)
        if not self.commits:
            self.__init__()  # type: ignore[misc]  # an empty disk
            return None
        rows, requests, self.digest, place = self.commits[-1]
        del self.history[self._lengths[place.chain, place.next_offset] :]
        self.rows, self.requests = dict(rows), dict(requests)
        self._ids = sorted(requests)
        return place


def _is_older(one: Place, other: Place) -> bool:
    """Children have higher numbers than their parents: an heir's place in an ancestor's log is older than its own."""
    return (one.origin.partition.number, one.next_offset) < (other.origin.partition.number, other.next_offset)
