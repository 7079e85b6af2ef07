"""A partition of an index, as its leaders have accepted it: rows, floors, and the walk of whoever leads.

What a leader appends is accepted at once but for floors, which may be under way for a while, and go with its term.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_indexes.floors import floors_in, note_of, removal
from dynabus.core.global_indexes.walk import Walk
from dynabus.core.replication.records import Mutation
from dynabus.core.replication.request_ids import remember

NODES = ["node-1", "node-2", "node-3"]


@dataclass
class Partition:
    """One of the index. It is its leader's store, too."""

    number: int
    generation: int
    lower: bytes
    upper: bytes | None
    rows: dict[bytes, bytes] = field(default_factory=dict)
    children: tuple[int, ...] = ()
    lineage: list[int] = field(default_factory=list)
    refuses: int = 0
    """Requests that it will refuse: its leader is being elected, its bucket is empty."""
    walk: Walk = field(default_factory=lambda: Walk(1))
    removed: int = 0
    noted: list[Mutation] = field(default_factory=list)
    _outcomes: MemoryStore = field(default_factory=MemoryStore)
    _under_way: list[Mutation] = field(default_factory=list)

    def holds(self, key: bytes) -> bool:
        return self.lower <= key and (self.upper is None or key < self.upper)

    def child(self, number: int, lower: bytes, upper: bytes | None) -> Partition:
        """Has what is in the log up to the seal: rows of its range, and all outcomes."""
        child = Partition(number, self.generation + 1, lower, upper, lineage=[*self.lineage, self.number])
        child.rows = {key: row for key, row in self.rows.items() if child.holds(key)}
        child.keep_all(self.noted)
        return child

    def metadata(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "generation": self.generation,
            "lower": self.lower,
            "upper": self.upper,
            "members": NODES,
            "preferred": NODES[0],
            "state": "active",
            "lineage": self.lineage,
            "joining": [],
        }

    # -- as a store -------------------------------------------------------------------------------------------

    def scan(self, lower: bytes, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        keys = [key for key in sorted(self.rows) if lower <= key and (upper is None or key < upper)]
        return iter([(key, self.rows[key]) for key in keys])

    def remembered(self, request_id: bytes) -> bytes | None:
        return self._outcomes.remembered(request_id)

    # -- as a leader ------------------------------------------------------------------------------------------

    def walk_on(self, dice: random.Random) -> None:
        """A slice."""
        if self.children or self.walk.rests:
            return
        found = self.walk.look(self, None, dice.randint(1, 6), dice.randint(1, 3))  # type: ignore[arg-type]
        if found.note is not None:
            self._under_way.append(note_of(found.note))
        for key in found.over:
            if removal(floors_in(self))(self.rows.get(key), 0).write:
                del self.rows[key]
                self.removed += 1

    def read_back(self) -> None:
        """Floors that were appended are accepted."""
        self.keep_all(self._under_way)
        self._under_way.clear()

    def keep_all(self, notes: list[Mutation]) -> None:
        """Applied, by all replicas."""
        for note in notes:
            remember(self._outcomes, note, 1, 0)
        self.noted += notes

    def lead_anew(self, dice: random.Random) -> None:
        """Another leader: what the last one had under way came before its claim, or is void."""
        if dice.random() < 0.5:
            self.read_back()
        self._under_way.clear()
        self.walk = Walk(self.walk.term + 1)
