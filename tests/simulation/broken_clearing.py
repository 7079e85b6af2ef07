"""The end of an index's tombstones with one rule left out. The simulation of indexes must catch each one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_indexes import arrivals, floors, walk
from dynabus.core.global_indexes.floors import Floors
from dynabus.core.propagation import clearing
from dynabus.core.propagation.owned_log import Log
from dynabus.core.rows import Source, is_tombstone
from tests.simulation.brains import Brains, Patches
from tests.simulation.index_partitions import Partition

BROKEN = Brains()
broken = BROKEN.broken


@broken("what comes from below the floors counts where there is no row")
def below_floors_counts() -> Patches:
    return [(arrivals, "is_refused", lambda _source, _store: False)]


@broken("a new leader does not know under which floors earlier ones took tombstones away")
def floors_go_with_their_leader() -> Patches:
    def lead_anew(self: Partition, dice: random.Random) -> None:
        real(self, dice)
        self._outcomes = MemoryStore()
        self.noted.clear()

    real = Partition.lead_anew
    return [(Partition, "lead_anew", lead_anew)]


@broken("children of the index's partitions do not have their parent's floors")
def floors_are_not_inherited() -> Patches:
    def child(self: Partition, number: int, lower: bytes, upper: bytes | None) -> Partition:
        made = real(self, number, lower, upper)
        made._outcomes = MemoryStore()
        made.noted.clear()
        return made

    real = Partition.child
    return [(Partition, "child", child)]


@broken("all tombstones go, whatever floors are told")
def all_tombstones_go() -> Patches:
    def is_over(row: bytes, _floors: Floors) -> bool:
        return is_tombstone(row)

    return [(walk, "is_over", is_over), (floors, "is_over", is_over)]


@broken("the floor of any log counts for all")
def floors_are_of_the_table() -> Patches:
    def is_below(source: Source, told: Floors) -> bool:
        return source.offset < max(told.values(), default=0)

    def is_refused(source: Source, store: Any) -> bool:
        return is_below(source, floors.floors_in(store))

    return [(floors, "is_below", is_below), (arrivals, "is_refused", is_refused)]


@broken("a log's floor is where it is read, whatever of that is acknowledged")
def read_is_acknowledged() -> Patches:
    def floor_of(log: Log, label: str) -> int | None:
        floor, place = real(log, label), log.follower.place
        return floor if floor is None or place is None else max(floor, place.next_offset)

    real = clearing.floor_of
    return [(clearing, "floor_of", floor_of)]


@broken("a floor comes without those of the partition's ancestors")
def ancestors_are_not_closed() -> Patches:
    def ancestors_of(*_arguments: Any) -> Iterator[int]:
        return iter(())

    return [(clearing, "ancestors_of", ancestors_of)]
