"""When a deletion may be forgotten, and what RepOut may say of older changes."""

from __future__ import annotations

import pytest

from dynabus.core.global_tables.floors import Floors, Word, decode_floors
from dynabus.core.global_tables.promises import Promise, Promises, word_of
from dynabus.core.global_tables.versions import Stamp

ALL = frozenset({"eu", "us", "za"})


def eu(raised: dict[str, int], seen: dict[str, int], promised: int = 100) -> Floors:
    return Floors("eu", ALL - {"eu"}, raised, seen, promised)


def word(time: int, seen: int = 0, regions: frozenset[str] = ALL) -> Word:
    return Word(time, seen, regions)


# -- what may be forgotten ----------------------------------------------------------------------------------------


def test_a_tombstone_goes_when_all_regions_are_past_it() -> None:
    floors = eu({"us": 60, "za": 50}, {"us": 70, "za": 80})
    assert not floors.may_forget(Stamp(1, "us"))
    floors.forget(1_000)
    assert floors.may_forget(Stamp(50, "us"))
    assert not floors.may_forget(Stamp(51, "us"))


@pytest.mark.parametrize(
    ("floors", "most"),
    [
        (eu({"us": 60, "za": 9}, {"us": 60, "za": 60}), 60),
        (eu({"us": 60}, {"us": 60, "za": 60}), 60),
        (eu({"us": 60, "za": 60}, {"us": 9, "za": 60}), 60),
        (eu({"us": 60, "za": 60}, {"us": 60}), 60),
        (eu({"us": 60, "za": 60, "left": 9}, {"us": 60, "za": 60, "left": 60}), 60),
        (eu({"us": 60, "za": 60}, {"us": 60, "za": 60}, promised=9), 60),
        (eu({"us": 60, "za": 60}, {"us": 60, "za": 60}), 9),
        (Floors("eu", frozenset(), promised=60), 60),
    ],
)
def test_it_stays_while_one_of_them_is_not(floors: Floors, most: int) -> None:
    floors.forget(most)
    assert not floors.may_forget(Stamp(10, "us"))


def test_nothing_falls() -> None:
    floors = eu({"us": 60, "za": 60}, {"us": 60, "za": 60})
    floors.forget(60)
    floors.rise("us", 7)
    floors.hear("za", word(8, 9))
    floors.promise(10)
    floors.forget(11)
    assert (floors.raised, floors.seen) == ({"us": 60, "za": 60}, {"us": 60, "za": 60})
    assert (floors.promised, floors.forgotten) == (100, 60)


def test_a_region_that_comes_or_went_holds_back_what_is_not_forgotten_yet() -> None:
    floors = eu({"us": 60, "za": 60}, {"us": 60, "za": 60})
    floors.forget(50)
    for others in ({"us"}, {"us", "za", "ap"}):
        changed = floors.with_regions("eu", frozenset(others))
        changed.rise("us", 90)
        changed.seen["us"] = 90
        changed.forget(90)
        assert changed.forgotten == (60 if "ap" not in others else 50)
    gone = Floors("eu", frozenset({"us", "za"}), {"us": 60}, {"us": 60}, 100).with_regions("eu", frozenset({"us"}))
    gone.forget(60)
    assert gone.forgotten == -1, "of one that went before it said anything all may come"


def test_floors_come_back() -> None:
    floors = eu({"us": 60}, {"za": 7}, promised=9)
    floors.forgotten = 3
    assert decode_floors(floors.encode()) == floors


# -- what is heard ------------------------------------------------------------------------------------------------


def test_what_another_region_says_is_heard() -> None:
    floors = eu({}, {})
    floors.hear("us", word(7, 5))
    assert (floors.raised, floors.seen) == ({"us": 7}, {"us": 5})


def test_who_knows_more_regions_may_have_given_them_what_is_deleted_here() -> None:
    floors = eu({}, {})
    floors.hear("us", word(7, 5, ALL | {"ap"}))
    assert (floors.raised, floors.seen) == ({}, {}), "nor is what they wrote decided here"


def test_who_is_no_region_says_nothing() -> None:
    floors = eu({}, {})
    floors.hear("ap", word(7, 5))
    floors.hear("eu", word(7, 5))
    assert (floors.raised, floors.seen) == ({}, {})


# -- what is a repeat ---------------------------------------------------------------------------------------------


def test_what_was_decided_is_a_repeat_where_its_deletion_may_be_forgotten() -> None:
    floors = eu({"us": 60, "za": 60}, {"us": 60, "za": 60})
    assert not floors.is_repeat(Stamp(7, "us")), "its row says more"
    floors.forget(50)
    assert floors.is_repeat(Stamp(50, "us"))
    assert not floors.is_repeat(Stamp(51, "us"))
    come = floors.with_regions("eu", ALL - {"eu"} | {"ap"})
    come.rise("ap", 7)
    assert come.is_repeat(Stamp(7, "ap"))
    assert not come.is_repeat(Stamp(8, "ap")), "it has not said that it sent this"


def test_so_is_what_others_bring_of_a_region_that_went_or_of_this_one() -> None:
    floors = eu({"us": 60, "za": 60, "left": 60}, {"us": 60, "za": 60, "left": 60})
    assert not floors.is_repeat(Stamp(1, "eu")), "a table that was made anew gets its items back"
    floors.forget(50)
    for region in ("eu", "left"):
        assert floors.is_repeat(Stamp(50, region))
        assert not floors.is_repeat(Stamp(51, region))
    assert not floors.is_repeat(Stamp(1, "ap")), "of a region that has come, and of which this log has not heard"
    come = floors.with_regions("eu", ALL - {"eu"} | {"ap"})
    assert not come.is_repeat(Stamp(1, "ap")), "its clock may be behind"


# -- what may be said ---------------------------------------------------------------------------------------------


def test_a_promise_counts_once_all_before_it_is_acknowledged() -> None:
    promises = Promises()
    promises.given(0, Promise(10, word(500)))
    promises.given(0, Promise(12, word(600)))
    assert promises.acknowledged(0, 9) is None
    assert promises.acknowledged(0, 10) == word(500)
    assert promises.acknowledged(0, 12) is None
    promises.given(0, Promise(14, word(700)))
    promises.forget(0)
    assert promises.acknowledged(0, 99) is None


def test_a_table_says_the_least_of_what_its_shards_say() -> None:
    parents = {0: None, 1: None}
    words = {0: word(500, 8, frozenset({"eu", "us"})), 1: word(300, 9, frozenset({"eu", "za"}))}
    assert word_of(parents, words) == word(300, 8)
    assert word_of({**parents, 2: None}, words) is None
    assert word_of({}, words) is None


def test_a_sealed_shard_stands_for_its_children_until_each_says_something() -> None:
    parents = {0: None, 1: 0, 2: 0, 3: 2, 4: 2}
    words = {0: word(500), 1: word(700)}
    assert word_of(parents, words) == word(500)
    words[2] = word(600)
    assert word_of(parents, words) == word(600)
    words |= {3: word(650), 4: word(800)}
    assert word_of(parents, words) == word(650)
    assert word_of({1: 0, 2: 0}, words) == word(600), "what is gone of the lineage was read to its end"
