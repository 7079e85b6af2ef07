"""The product's code for the end of tombstones with one rule left out, each of which `three_regions` must catch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.global_tables import committed, leading, pages, promises
from dynabus.core.global_tables.committed import Told
from dynabus.core.global_tables.floors import NEVER, Floors, Word
from dynabus.core.global_tables.forgetting import Forgetting
from dynabus.core.global_tables.promises import Promises
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.operations import import_item
from dynabus.core.replication import heir as heir_module
from dynabus.core.replication import leader as leader_module
from dynabus.core.replication import request_ids
from dynabus.core.replication.records import Mutation
from dynabus.core.replication.store import Decision, Outcome
from dynabus.rep_out import destination as destination_module
from dynabus.rep_out import shards as shards_module
from dynabus.rep_out.feeds import has_all
from dynabus.rep_out.shards import Shards
from dynabus.storage_node import inbox
from dynabus.storage_node.upkeep import forgetting
from tests.simulation.brains import Brains, Patches
from tests.simulation.disk import Disk

BROKEN = Brains()

# -- what may be forgotten --------------------------------------------------------------------------------------


def _forgotten_by(*asked: str) -> Patches:
    """`forgotten` rises to the least of these alone."""

    def forget(self: Floors, most: int) -> None:
        counted = {
            "raised": [self.raised.get(region, NEVER) for region in self.regions],
            "seen": [self.seen.get(region, NEVER) for region in self.regions],
            "promised": [self.promised],
            "one": [max(self.raised.values(), default=NEVER)],
        }
        least = min(min(counted[each], default=NEVER) for each in asked)
        self.forgotten = max(self.forgotten, min(most, least))

    return [(Floors, "forget", forget)]


@BROKEN.broken("tombstones are forgotten by the floor of one other region")
def one_floor_will_do() -> Patches:
    return _forgotten_by("one", "seen", "promised")


@BROKEN.broken("tombstones are forgotten before this region's own times are past them")
def own_promises_are_not_asked() -> Patches:
    return _forgotten_by("raised", "seen")


@BROKEN.broken("tombstones are forgotten that other regions have not decided, who may need them once more")
def what_others_have_seen_is_not_asked() -> Patches:
    return _forgotten_by("raised", "promised")


@BROKEN.broken("tombstones go whose own time is not past")
def stamps_are_not_compared() -> Patches:
    def look(self: Forgetting, *args: Any) -> Any:
        self._with = 1 << 63
        return real(self, *args)

    real = Forgetting.look
    return [(Floors, "may_forget", lambda self, _stamp: self.forgotten > 0), (Forgetting, "look", look)]


@BROKEN.broken("a removal does not look at the row again")
def removals_do_not_look() -> Patches:
    def removal(_floors: Floors) -> Any:
        return lambda _old, _wall_ms: Decision(True, None, Outcome())

    return [(forgetting, "removal", removal)]


# -- what is decided --------------------------------------------------------------------------------------------


@BROKEN.broken("what is below floors is decided anew")
def floors_refuse_nothing() -> Patches:
    return [(Floors, "is_repeat", lambda _self, _stamp: False)]


@BROKEN.broken("of what this region itself wrote nothing is a repeat")
def own_items_come_back() -> Patches:
    def is_repeat(self: Floors, stamp: Stamp) -> bool:
        return stamp.time <= min(self.forgotten, self.raised.get(stamp.region, NEVER))

    return [(Floors, "is_repeat", is_repeat)]


@BROKEN.broken("of a region that the log does not name all is a repeat that is as old as what was forgotten")
def who_comes_is_refused() -> Patches:
    def is_repeat(self: Floors, stamp: Stamp) -> bool:
        unknown = NEVER if stamp.region in self.others else self.forgotten
        return stamp.time <= min(self.forgotten, self.raised.get(stamp.region, unknown))

    return [(Floors, "is_repeat", is_repeat), *words_of_strangers_count()]


@BROKEN.broken("writes of a region are decided before the log names it")
def who_comes_is_decided_at_once() -> Patches:
    def node(part: Any, here: import_item.Here) -> Any:
        return real(part, here._replace(regions=frozenset()))

    real = import_item.node
    return [(import_item, "node", node)]


# -- words ------------------------------------------------------------------------------------------------------


@BROKEN.broken("a word counts whatever regions it names")
def words_of_strangers_count() -> Patches:
    return [(Floors, "knows", lambda _self, _region: True), *who_comes_is_decided_at_once()]


@BROKEN.broken("a promise counts before what stands before it is acknowledged")
def promises_are_floors() -> Patches:
    def acknowledged(self: Promises, shard: int, _offset: int) -> Word | None:
        return self._waiting.pop(shard).word if shard in self._waiting else None

    return [(Promises, "acknowledged", acknowledged)]


@BROKEN.broken("a region is told of the time before while it does not have all items")
def copies_are_not_waited_for() -> Patches:
    return [(module, "has_all", lambda _feed: True) for module in (shards_module, destination_module)]


@BROKEN.broken("a word is of shards that have lost changes, too")
def gaps_are_not_asked() -> Patches:
    def write(progress: Any, told: Told, since: int, _gap: int | None, own: Any, word: Word | None) -> str:
        return real(progress, told, since, None, own, word)

    real = committed.write
    return [(committed, "write", write)]


@BROKEN.broken("a shard that says nothing yet is left out of its table's word")
def children_say_nothing() -> Patches:
    def word_of(parents: Mapping[int, int | None], words: Mapping[int, Word]) -> Word | None:
        sealed = set(parents.values())
        return promises._least(word for shard, word in words.items() if shard not in sealed)

    return [(shards_module, "word_of", word_of)]


@BROKEN.broken("a table's word is that of the shards of one RepOut")
def others_shards_are_not_asked() -> Patches:
    def words(self: Shards) -> dict[str, Word]:
        found = {}
        for topic, feed in self._feeds.items():
            known = [word for where, word in self._words.items() if where[0] == topic]
            least = promises._least(known) if has_all(feed) else None
            if least is not None:
                found[topic] = least._replace(replica=feed.link.replica)
        return found

    return [(Shards, "words", words)]


# -- logs -------------------------------------------------------------------------------------------------------


def _without(floors: Floors) -> Floors:
    return Floors(floors.region, floors.others)


@BROKEN.broken("a new leader does not go by the floors of its log")
def floors_go_with_their_leader() -> Patches:
    def floors_in(store: Any) -> Floors | None:
        floors = real(store)
        return None if floors is None else _without(floors)

    real = leading.floors_in
    return [(leader_module, "floors_in", floors_in)]


@BROKEN.broken("a new leader does not go by what its log has promised")
def promises_end_with_their_leader() -> Patches:
    def floors_in(store: Any) -> Floors | None:
        floors = real(store)
        if floors is not None:
            floors.promised = NEVER
        return floors

    real = leading.floors_in
    return [(leader_module, "floors_in", floors_in)]


@BROKEN.broken("children do not know their parent's floors")
def children_know_no_floors() -> Patches:
    def remember(store: Any, mutation: Mutation, sequence: int, log_time_ms: int) -> None:
        if mutation.request == leading.REGIONS_ID:
            mutation = leading.note_of(_without(leading.floors_of(mutation)))
        real(store, mutation, sequence, log_time_ms)

    def inherit(self: Disk, parent: Disk, to: Any) -> None:
        real_inherit(self, parent, to)
        floors = leading.floors_in(self)
        if floors is not None:
            request_ids.remember(self, leading.note_of(_without(floors)), 0, 0)

    real, real_inherit = request_ids.remember, Disk.inherit
    return [(heir_module, "remember", remember), (Disk, "inherit", inherit)]


@BROKEN.broken("rows are copied to a region before the log names it")
def copies_to_strangers() -> Patches:
    def page(part: Any, place: Any, store: Any) -> Outcome:
        floors = leading.floors_in(store)
        known = next(iter(floors.others), "") if floors is not None else ""
        part["detail"] = known.encode()
        return pages.page(part, place, store)

    return [(inbox, "_rows", lambda part, hosted, _store: page(part, hosted.replica.place, hosted.store))]
