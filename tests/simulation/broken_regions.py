"""Global tables with one rule left out. The simulation of regions must catch each one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynabus.core.global_tables import promises, versions
from dynabus.core.global_tables.floors import Floors, Word
from dynabus.core.global_tables.rep_in import RepIn, Topic
from dynabus.core.global_tables.rep_out import Export, RepOut, Shard
from dynabus.core.global_tables.versions import TICKS_PER_MS, Meeting, Stamp, Version
from tests.simulation import region_world, regions
from tests.simulation.brains import Brains, Patches
from tests.simulation.region_world import Region
from tests.simulation.regions import Sender

BROKEN = Brains()
broken, active = BROKEN.broken, BROKEN.active


@broken("an offset is committed before its batch is acknowledged")
def offsets_before_acknowledgements() -> Patches:
    return [
        (RepOut, "due", lambda self: {shard: at for shard, at in self._read.items() if at > self._committed[shard]})
    ]


@broken("an offset is committed once some later batch is acknowledged")
def later_batches_will_do() -> Patches:
    def acknowledged(self: RepOut, number: int) -> None:
        for sent in self.window.sent:
            if sent.number == number:
                self._confirmed.update(sent.batch.behind)
        real(self, number)

    real = RepOut.acknowledged
    return [(RepOut, "acknowledged", acknowledged)]


@broken("a batch is acknowledged when it is read, and not when it is decided")
def acknowledged_unread() -> Patches:
    def read(self: RepIn, topic: Topic, offset: int, sender: str, batch: Any, replica: str = "") -> None:
        real(self, topic, offset, sender, batch, replica)
        for opened in self._open[topic]:
            opened.undecided.clear()
            self._settle(opened)

    real = RepIn.read
    return [(RepIn, "read", read)]


@broken("RepIn commits what is not decided yet")
def committed_undecided() -> Patches:
    def acknowledged(self: RepIn, _told: Any = ()) -> None:
        for topic, opened in self._open.items():
            for each in opened:
                self._done[topic] = each.offset + 1
            opened.clear()

    return [(RepIn, "acknowledged", acknowledged)]


@broken("what arrived by replication is sent on")
def echoes() -> Patches:
    def read(self: RepOut, shard: Shard, offset: int, change: Export | None) -> None:
        if self._read.get(shard) == offset:
            self._read[shard] = offset + 1
            if change is not None:
                self._waiting.append((shard, offset, change))

    return [(RepOut, "read", read)]


@broken("of two writes that did not know of each other each region keeps its own")
def ties_are_broken_at_home() -> Patches:
    def met(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        found, version = real(here, arriving)
        if found is Meeting.WON and here is not None:
            return Meeting.LOST, Version(here.stamp, version.seen)
        return found, version

    real = versions.meet
    return [(region_world, "meet", met)]


@broken("the write that arrives last wins")
def the_last_to_arrive_wins() -> Patches:
    def met(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        found, version = real(here, arriving)
        if found is Meeting.LOST:
            return Meeting.WON, Version(arriving.stamp, version.seen)
        return found, version

    real = versions.meet
    return [(region_world, "meet", met)]


@broken("stamps are what clocks say, whatever was seen")
def clocks_decide() -> Patches:
    def written(before: Version | None, region: str, wall_ms: int, _promised: int) -> Version:
        seen = {} if before is None else before.seen
        return Version(Stamp(wall_ms * TICKS_PER_MS, region), {**seen, region: wall_ms * TICKS_PER_MS})

    return [(region_world, "written", written)]


@broken("an item does not keep which writes it has met and won against")
def meetings_are_not_kept() -> Patches:
    def met(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        found, version = real(here, arriving)
        if found.is_conflict and here is not None:
            return found, here if found is Meeting.LOST else arriving
        return found, version

    real = versions.meet
    return [(region_world, "meet", met)]


@broken("tombstones are forgotten at once")
def tombstones_go_early() -> Patches:
    return [(Region, "forgets_early", True)]


def _forgetting(lowest: Callable[[Floors, int], int]) -> Patches:
    def forget(self: Floors, most: int) -> None:
        self.forgotten = max(self.forgotten, lowest(self, most))

    return [(Floors, "forget", forget)]


def _least(of: Mapping[str, int], floors: Floors) -> int:
    return min(of.get(region, -1) for region in floors.regions)


@broken("tombstones are forgotten by the floor of one other region")
def one_floor_will_do() -> Patches:
    def lowest(self: Floors, most: int) -> int:
        return min(most, self.promised, max(self.raised.values(), default=-1), _least(self.seen, self))

    return _forgetting(lowest)


@broken("tombstones are forgotten before this region's own times are past them")
def own_clocks_are_not_asked() -> Patches:
    return _forgetting(lambda self, _most: min(_least(self.raised, self), _least(self.seen, self)))


@broken("tombstones are forgotten that other regions have not decided yet, who may need them once more")
def what_others_have_seen_is_not_asked() -> Patches:
    return _forgetting(lambda self, most: min(most, self.promised, _least(self.raised, self)))


@broken("what a leader has promised does not bind the next one")
def promises_bind_nobody() -> Patches:
    def written(before: Version | None, region: str, wall_ms: int, _promised: int) -> Version:
        return versions.written(before, region, wall_ms)

    return [(region_world, "written", written)]


@broken("children do not know their parent's floors")
def children_know_no_floors() -> Patches:
    def split(self: Region, number: int) -> None:
        before = set(self.shards)
        real(self, number)
        for child in self.shards.keys() - before:
            self.shards[child].floors = Floors(self.name, self.shards[number].floors.others)

    real = Region.split
    return [(Region, "split", split)]


@broken("a region is told of the time before while it does not have all items")
def copies_are_not_waited_for() -> Patches:
    return [(Sender, "waits_for_copies", False)]


@broken("of what a region itself wrote nothing is a repeat")
def own_items_come_back() -> Patches:
    def is_repeat(self: Floors, stamp: Stamp) -> bool:
        return stamp.time <= min(self.forgotten, self.raised.get(stamp.region, -1))

    return [(Floors, "is_repeat", is_repeat)]


@broken("what was decided long ago is decided anew")
def floors_refuse_nothing() -> Patches:
    return [(Region, "refuses_repeats", False)]


@broken("a promise is a floor before what it stands behind is acknowledged")
def promises_are_floors() -> Patches:
    def promised(self: RepOut, shard: Shard, offset: int, word: Word) -> None:
        real(self, shard, offset, word)
        self.word = word

    real = RepOut.promised
    return [(RepOut, "promised", promised)]


@broken("a shard that says nothing yet is left out of its table's word")
def children_have_no_floor() -> Patches:
    def word_of(parents: Mapping[int, int | None], words: Mapping[int, Word]) -> Word | None:
        sealed = set(parents.values())
        return promises._least(word for shard, word in words.items() if shard not in sealed)

    return [(regions, "word_of", word_of)]


@broken("a child's shard is begun before its parent's was acknowledged")
def children_before_parents() -> Patches:
    return [(Sender, "waits_for_parents", False)]
