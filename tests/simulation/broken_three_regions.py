"""The product's code for global tables with one rule left out, by name, each of which `three_regions` must catch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dynabus.core.global_tables.beginning import Begin, begin_anew
from dynabus.core.global_tables.committed import Found
from dynabus.core.global_tables.copying import Copy
from dynabus.core.global_tables.pages import page
from dynabus.core.global_tables.rep_in import Acknowledgement, RepIn, Topic
from dynabus.core.global_tables.rep_out import Batch, RepOut, Shard
from dynabus.core.global_tables.versions import Meeting, Stamp, Version, meet
from dynabus.core.operations import import_item
from dynabus.core.streams.consuming import Extent, Mark, Progress, write_metadata
from dynabus.rep_out import shards as shards_module
from dynabus.rep_out.destination import Destination
from dynabus.rep_out.shards import Shards
from dynabus.storage_node import inbox
from tests.simulation import broken_global_tables, broken_members, broken_three_forgetting
from tests.simulation.brains import Brains, Patches

BROKEN = Brains(broken_three_forgetting.BROKEN | broken_members.BROKEN)
active = BROKEN.active

for known in (
    broken_global_tables.meetings_are_forgotten,
    broken_global_tables.losers_are_forgotten,
    broken_global_tables.clocks_stamp,
    broken_global_tables.deletions_leave_nothing,
):
    BROKEN[known.__name__] = (known.__name__.replace("_", " "), known)


# -- offsets and acknowledgements -----------------------------------------------------------------------------


@BROKEN.broken("an offset is committed before what is before it is acknowledged")
def offsets_before_acknowledgements() -> Patches:
    def due(self: RepOut) -> dict[Shard, int]:
        return {shard: offset for shard, offset in self._read.items() if offset > self._committed[shard]}

    return [(RepOut, "due", due)]


@BROKEN.broken("a batch is acknowledged when it is read")
def acknowledged_unread() -> Patches:
    def read(self: RepIn, topic: Topic, offset: int, sender: str, batch: Batch, replica: str = "") -> None:
        real(self, topic, offset, sender, batch, replica)
        self._acknowledgements.append(Acknowledgement(topic, sender, batch.number, offset))

    real = RepIn.read
    return [(RepIn, "read", read)]


@BROKEN.broken("RepIn commits what is not decided")
def committed_undecided() -> Patches:
    def acknowledged(self: RepIn, _told: Iterable[Acknowledgement] = ()) -> None:
        for topic, opened in self._open.items():
            if opened:
                self._done[topic] = opened[-1].offset + 1

    return [(RepIn, "acknowledged", acknowledged)]


@BROKEN.broken("a batch of later counts for those before it")
def later_acknowledgements_will_do() -> Patches:
    def acknowledged(self: RepOut, number: int) -> Batch | None:
        for each in self.window.sent:
            each.is_acknowledged = each.is_acknowledged or each.number < number
        return real(self, number)

    real = RepOut.acknowledged
    return [(RepOut, "acknowledged", acknowledged)]


@BROKEN.broken("who begins to count anew keeps the name under which an earlier one counted")
def senders_keep_their_names() -> Patches:
    def begun(self: Destination, where: Any, offset: int, own_behind: int) -> None:
        real(self, where, offset, own_behind)
        self._senders[where[0]] = f"rep-out/{where[0]}"

    real = Destination._begun
    return [(Destination, "_begun", begun)]


# -- what crosses ---------------------------------------------------------------------------------------------


@BROKEN.broken("what arrived by replication is sent on")
def echoes() -> Patches:
    def sends(self: RepOut, shard: Shard, offset: int, stamp: Stamp) -> bool:
        return True

    return [(RepOut, "sends", sends)]


@BROKEN.broken("what a stream has twice is sent twice")
def repeats_are_sent() -> Patches:
    def export(self: Destination, feed: Any, brain: RepOut, where: Any, entry: Any, headers: Any) -> Any:
        self._last.pop(where, None)
        return real(self, feed, brain, where, entry, headers)

    real = Destination._export
    return [(Destination, "_export", export)]


# -- who wins -------------------------------------------------------------------------------------------------


@BROKEN.broken("of two writes with one time that wins which was here")
def ties_are_broken_at_home() -> Patches:
    def meeting(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        met, version = meet(here, arriving)
        if here is not None and met.is_conflict and here.stamp.time == arriving.stamp.time:
            return Meeting.LOST, Version(here.stamp, version.seen)
        return met, version

    return [(import_item, "meet", meeting)]


@BROKEN.broken("the last to arrive wins")
def the_last_to_arrive_wins() -> Patches:
    def meeting(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
        met, version = meet(here, arriving)
        return (Meeting.WON, Version(arriving.stamp, version.seen)) if met is Meeting.LOST else (met, version)

    return [(import_item, "meet", meeting)]


# -- shards ---------------------------------------------------------------------------------------------------


@BROKEN.broken("a child's shard is read before its parent's is acknowledged")
def children_before_parents() -> Patches:
    def beginning(shard: Any, _shards: Any, progress: Any, extents: dict[int, Extent], *_: Any) -> Progress:
        found: Progress | None = progress.get(shard.number)
        return found or Progress(extents[shard.number].low)

    return [(shards_module, "beginning", beginning)]


@BROKEN.broken("a child's shard begins at what is new")
def children_begin_at_their_end() -> Patches:
    def first(self: Shards, where: Any, created_ms: int, extent: Extent) -> int:
        is_child = self._feeds[where[0]].stream.shards[where[1]].parent is not None
        return extent.end if is_child else real(self, where, created_ms, extent)

    real = Shards._first
    return [(Shards, "_first", first)]


@BROKEN.broken("a shard that is older than its link ends with its last record, which may be a repeat")
def old_shards_end_with_their_last_record() -> Patches:
    def anew(first: int, extent: Extent, known: Found | None, **about: bool) -> Begin | None:
        if about["is_open"] or first < extent.end:
            return begin_anew(first, extent, known, **about)
        return Begin(max(extent.low, extent.end - 1), extent.end)

    return [(shards_module, "begin_anew", anew)]


@BROKEN.broken("a shard that was read to its end counts as acknowledged to its end")
def ends_before_acknowledgements() -> Patches:
    def metadata(self: Shards, where: Any, at: int, told: Any) -> str:
        if where not in self._ends:
            return real(self, where, at, told)
        return f'{{"progress":"{write_metadata(Progress(at, mark=Mark.ENDED))}"}}'

    real = Shards._metadata
    return [(Shards, "_metadata", metadata)]


# -- initial copies -------------------------------------------------------------------------------------------


@BROKEN.broken(
    "a stream is sent from where it ends when RepOut hears of the link, and the copy may have begun before"
)
def copies_leave_a_hole() -> Patches:
    return [(Shards, "_first", lambda _self, _where, _created_ms, extent: extent.end)]


@BROKEN.broken("a copy is done when its last row is sent")
def copies_are_done_when_sent() -> Patches:
    return [(Copy, "is_done", property(lambda self: self.position is None and not self._waiting))]


@BROKEN.broken("rows are given to a copy before the log says that the table is global")
def rows_of_before() -> Patches:
    return [(inbox, "_rows", lambda part, hosted, store: page(part, hosted.replica.place, store))]
