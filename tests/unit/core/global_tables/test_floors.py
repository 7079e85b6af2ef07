"""When a deletion may be forgotten, and what RepOut may say of older changes."""

from __future__ import annotations

from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.promises import Promise, Promises
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp


def test_a_tombstone_goes_when_all_others_and_the_own_clock_are_past_it() -> None:
    floors, tombstone = Floors("eu", frozenset({"us", "za"})), Stamp(50 * TICKS_PER_MS, "us")
    floors.rise("us", 60 * TICKS_PER_MS)
    assert not floors.may_forget(tombstone, 100)
    floors.rise("za", 50 * TICKS_PER_MS)
    assert floors.may_forget(tombstone, 100)
    assert not floors.may_forget(tombstone, 50)


def test_a_floor_never_falls_and_what_lies_below_it_is_a_repeat() -> None:
    floors = Floors("eu", frozenset({"us"}))
    assert not floors.is_repeat(Stamp(5, "us"))
    floors.rise("us", 7)
    floors.rise("us", 6)
    assert floors.is_repeat(Stamp(7, "us"))
    assert not floors.is_repeat(Stamp(8, "us"))
    assert not floors.is_repeat(Stamp(5, "za"))


def test_a_promise_counts_once_all_before_it_is_acknowledged() -> None:
    promises = Promises()
    promises.given(0, Promise(10, 500))
    promises.given(0, Promise(12, 600))
    promises.acknowledged(0, 9)
    assert promises.floor([0], {}) == -1
    promises.acknowledged(0, 10)
    assert promises.floor([0], {}) == 500


def test_a_table_s_floor_is_the_lowest_of_its_shards() -> None:
    promises = Promises()
    for shard, time in ((0, 500), (1, 300)):
        promises.given(shard, Promise(1, time))
        promises.acknowledged(shard, 1)
    assert promises.floor([0, 1], {}) == 300
    assert promises.floor([0, 1, 2], {}) == -1
    promises.forget(1)
    assert promises.floor([0, 1], {}) == -1


def test_a_sealed_shard_stands_for_its_children_until_each_has_a_floor() -> None:
    promises = Promises()
    for shard, time in ((0, 500), (1, 700)):
        promises.given(shard, Promise(1, time))
        promises.acknowledged(shard, 1)
    children = {0: (1, 2)}
    assert promises.floor([0], children) == 500
    promises.given(2, Promise(1, 600))
    promises.acknowledged(2, 1)
    assert promises.floor([0], children) == 600
