"""Regions, their leaders and shards, and the links between them, as the simulation of global tables has them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar

from dynabus.core.global_tables.floors import Floors, Word, decode_floors
from dynabus.core.global_tables.forgetting import Forgetting, Pace
from dynabus.core.global_tables.rep_in import Acknowledgement, Topic
from dynabus.core.global_tables.rep_out import Batch, Export, Shard
from dynabus.core.global_tables.versions import Meeting, Stamp, Version, meet, written
from tests.simulation.violation import Violation

NAMES = ("eu", "us", "za")
KEYS, SHARDS_MOST = 8, 5
CLOCKS_OFF_MS = 8_000
START_MS = 1_700_000_000_000
STREAM = "music"
Write = tuple[bytes, Stamp]
"""By key: writes of two items may have one stamp."""


@dataclass
class Log:
    """A shard: changes, what its leader says of floors, None for its end. `off_ms`: of the leader's clock."""

    lower: int
    upper: int
    off_ms: int
    floors: Floors
    parent: int | None = None
    records: list[Export | Floors | None] = field(default_factory=list)
    children: tuple[int, ...] = ()
    forgetting: Forgetting = field(default_factory=lambda: Forgetting(1))


@dataclass
class Region:
    """Its leaders, all in one. `items`: value and version, None for a tombstone."""

    name: str
    off_ms: int
    shards: dict[int, Log] = field(default_factory=dict)
    items: dict[int, tuple[str | None, Version]] = field(default_factory=dict)
    conflicts: list[tuple[int, Stamp, Stamp]] = field(default_factory=list)
    """(key, winner, loser)."""
    late: list[Export] = field(default_factory=list)
    """Requests of processes that are gone."""
    decided: set[Write] = field(default_factory=set)
    forgotten: int = 0
    gone: dict[int, int] = field(default_factory=dict)
    """By key, the time of the last deletion that was forgotten."""
    refuses_repeats: ClassVar[bool] = True
    forgets_early: ClassVar[bool] = False

    def shard_of(self, key: int) -> int:
        return next(
            number for number, log in self.shards.items() if log.lower <= key < log.upper and not log.children
        )

    def write(self, key: int, value: str | None, now_ms: int) -> Version | None:
        """A client's; a deletion of what is not there changes nothing."""
        old = self.items.get(key)
        if value is None and (old is None or old[0] is None):
            return None
        log = self.shards[self.shard_of(key)]
        version = written(old and old[1], self.name, now_ms + self.off_ms + log.off_ms, log.floors.promised)
        self._put(key, value, version)
        return version

    def arrive(self, export: Export) -> Meeting:
        """Through the request path, decided by the leader of its item."""
        key = int(export.key)
        floors = self.shards[self.shard_of(key)].floors
        self.decided.add((export.key, export.version.stamp))
        if self.refuses_repeats and floors.is_repeat(export.version.stamp):
            return Meeting.REPEAT
        here = self.items.get(key)
        met, version = meet(here and here[1], export.version)
        if met is Meeting.LOST:
            assert here is not None
            self.items[key] = (here[0], version)
            self.conflicts.append((key, here[1].stamp, export.version.stamp))
        elif met is not Meeting.REPEAT:
            if met is Meeting.WON:
                assert here is not None
                self.conflicts.append((key, export.version.stamp, here[1].stamp))
            self._put(key, None if export.item is None else export.item.decode(), version)
        return met

    def _put(self, key: int, value: str | None, version: Version) -> None:
        self.items[key] = (value, version)
        change = Export(STREAM, str(key).encode(), None if value is None else value.encode(), version)
        self.shards[self.shard_of(key)].records.append(change)

    def forget(self) -> dict[int, Stamp]:
        """Tombstones that nothing can be lost without; returns them."""
        over = {}
        for key, (value, version) in [*self.items.items()]:
            floors = self.shards[self.shard_of(key)].floors
            if value is None and (self.forgets_early or floors.may_forget(version.stamp)):
                del self.items[key]
                over[key], self.gone[key] = version.stamp, version.stamp.time
                self.forgotten += 1
        return over

    def split(self, number: int) -> None:
        log = self.shards[number]
        if log.upper - log.lower < 2 or len(self.shards) >= SHARDS_MOST:
            return
        middle = (log.lower + log.upper) // 2
        first = max(self.shards) + 1
        log.records.append(None)
        log.children = (first, first + 1)
        for child, (lower, upper) in zip(log.children, ((log.lower, middle), (middle, log.upper)), strict=True):
            self.shards[child] = Log(lower, upper, log.off_ms, copy_of(log.floors), number)

    def note(self, number: int, now_ms: int) -> None:
        """The leader's log is told of floors."""
        log = self.shards[number]
        others, wall_ms = frozenset(NAMES) - {self.name}, now_ms + self.off_ms + log.off_ms
        floors = log.forgetting.note(log.floors, self.name, others, Pace(0, 0), now_ms, wall_ms)
        assert floors is not None
        log.floors = floors
        log.records.append(copy_of(floors))

    def fail_over(self, number: int, off_ms: int) -> None:
        """Another leader, with another clock: it knows what the log has."""
        self.shards[number].off_ms = off_ms
        self.shards[number].forgetting = Forgetting(1)

    def open_shards(self) -> list[int]:
        return [number for number, log in self.shards.items() if not log.children]


def copy_of(floors: Floors) -> Floors:
    return decode_floors(floors.encode())


@dataclass
class Link:
    """From one region to another, in the destination's Kafka. `committed`: of the source's group for it, by shard,
    and `words` beside it; `lost`: what retention took away before; `read`: of RepIn's group. `copies`: how often all
    items are to be sent."""

    source: str
    destination: str
    batches: list[tuple[str, Batch]] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    committed: dict[Shard, int] = field(default_factory=dict)
    read: int = 0
    is_cut: bool = False
    decided: set[Write] = field(default_factory=set)
    """All that the destination has decided."""
    crossed: int = 0
    words: dict[int, Word] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    is_whole: bool = False
    copies: int = 0
    copied: int = 0

    @property
    def topic(self) -> Topic:
        return self.source, 0


@dataclass
class World:
    dice: random.Random
    regions: dict[str, Region] = field(default_factory=dict)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    now_ms: int = START_MS
    acknowledged: dict[int, list[tuple[Version, str | None]]] = field(default_factory=dict)
    """What clients were told, by key."""
    before: dict[tuple[int, Stamp], Stamp] = field(default_factory=dict)
    """What a client's write was written over."""
    forgetting: bool = False
    losing: bool = False
    values: int = 0

    def __post_init__(self) -> None:
        for name in NAMES:
            off_ms = self.dice.randint(-CLOCKS_OFF_MS, CLOCKS_OFF_MS)
            floors = Floors(name, frozenset(NAMES) - {name})
            self.regions[name] = Region(name, off_ms, {0: Log(0, KEYS, 0, floors)})
        self.links = {(a, b): Link(a, b, decided=self.regions[b].decided) for a in NAMES for b in NAMES if a != b}

    def client(self) -> None:
        region, key = self.regions[self.dice.choice(NAMES)], self.dice.randrange(KEYS)
        self.values += 1
        value = None if self.dice.random() < 0.4 else f"v{self.values}"
        old = region.items.get(key)
        version = region.write(key, value, self.now_ms)
        if version is not None:
            self._check_new(key, version.stamp)
            self.acknowledged.setdefault(key, []).append((version, value))
            if old is not None:
                self.before[key, version.stamp] = old[1].stamp

    def forget(self, name: str) -> None:
        """A region takes away what it may."""
        for key, deletion in self.regions[name].forget().items():
            self._check_old(name, key, deletion)

    def _check_new(self, key: int, stamp: Stamp) -> None:
        """A client's write is above all deletions of the item that any region has forgotten."""
        for region in self.regions.values():
            if stamp.time <= region.gone.get(key, -1):
                raise Violation(f"{key} is written with {stamp}, and {region.name} has forgotten a later deletion")

    def _check_old(self, name: str, key: int, deletion: Stamp) -> None:
        """All that is older was decided here; nobody needs this region's deletion from here once more."""
        here, name_of = self.regions[name], str(key).encode()
        has_lost = any(link.copies for link in self.links.values())
        for version, _ in self.acknowledged.get(key, []):
            is_here = version.stamp.region == name or (name_of, version.stamp) in here.decided
            if version.stamp < deletion and not (is_here or has_lost):
                raise Violation(f"{name} forgets {deletion} of {key}, and {version.stamp} is to come")
        for other in self.regions.values() if deletion.region == name else ():
            there = other.items.get(key)
            if there and there[1].stamp < deletion and (name_of, deletion) not in other.decided:
                raise Violation(f"{name} forgets {deletion} of {key}, and {other.name} has not decided it")
