"""The end of tombstones in the simulation of a replication group: what other regions say, and who forgets by it.

Other regions say (`floors.Word`) no more than is true: all that they wrote up to a time was decided, as its RepIn was
told, and what they write from then on is later. What a client of theirs gave up is owed: another one brings it.
Leaders hear of it now and then, tell their logs, walk, and take tombstones away, as the real ones do.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.forgetting import Forgetting, Pace, removal
from dynabus.core.global_tables.leading import note_of
from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.replication.effects import Write
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.unresolved import Sender
from tests.simulation.region_truth import Truth

PACE = Pace(100.0, 0)
ROWS_MOST, OVER_MOST = 4, 3
NOBODY = Sender("", 0, 0, 0)
OWN_INCARNATION = Incarnation(1 << 40)


class Owed(NamedTuple):
    """A write of another region that nobody has said to be decided."""

    key: bytes
    version: Version
    value: int


@dataclass
class Abroad:
    """Other regions. `open`: their writes that are not decided."""

    random: random.Random
    open: dict[Stamp, None] = field(default_factory=dict)
    owed: list[Owed] = field(default_factory=list)
    done: deque[Owed] = field(default_factory=lambda: deque(maxlen=20))
    """Decided ones, which a RepIn that reads its batch once more brings again."""
    newest: dict[str, int] = field(default_factory=dict)
    _forgettings: WeakKeyDictionary[Replica, Forgetting] = field(default_factory=WeakKeyDictionary)
    _removals: int = 0

    def begin(self, stamp: Stamp) -> None:
        """A region writes."""
        self.open[stamp] = None
        self.newest[stamp.region] = max(stamp.time, self.newest.get(stamp.region, -1))

    def end(self, write: Owed) -> None:
        """It was told that this is decided."""
        self.open.pop(write.version.stamp, None)
        self.done.append(write)

    def step(self, replica: Replica, truth: Truth, now_ms: float, wall_ms: int) -> None:
        """Once the log says that the table is global; of whoever leads."""
        leader, group = replica.leader, replica.place.group
        if (
            leader is None
            or leader.floors is None
            or group is None
            or not leader.serving
            or replica.place.is_restoring
        ):
            return
        forgetting = self._forgettings.get(replica)
        if forgetting is None or forgetting.term != leader.seat.term:
            forgetting = self._forgettings[replica] = Forgetting(leader.seat.term)
        own, others = leader.floors.region, leader.floors.others
        if self.random.random() < 0.5:
            for region in others:
                forgetting.hear(region, self._word(region, own, others, truth))
        floors = forgetting.note(leader.floors, own, others, PACE, now_ms, wall_ms)
        if floors is not None:
            leader.append_unasked(note_of(floors), now_ms)
        found = forgetting.look(replica.store, leader.floors, int(now_ms), ROWS_MOST, OVER_MOST)
        for key in found.over:
            self._removals += 1
            request = encode_request_id(RequestId(OWN_INCARNATION, self._removals, 0))
            write = Write(NOBODY, request, group.generation, key, removal(leader.floors), 0)
            replica.write(write, now_ms, wall_ms)

    def _word(self, region: str, own: str, others: frozenset[str], truth: Truth) -> Word:
        mine = [stamp.time for stamp in self.open if stamp.region == region]
        time = min(mine) - 1 if mine else max(self.newest.get(region, -1), truth.promised)
        truth.words[region] = max(time, truth.words.get(region, -1))
        return Word(truth.words[region], truth.promised, others | {own})
