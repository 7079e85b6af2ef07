"""A leader's walk for tombstones: slice by slice, floors first, each row once."""

from __future__ import annotations

from tests.unit.core.global_indexes.test_floors import tombstone, with_floors

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_indexes.floors import decode_floors, floors_in, note_of, removal
from dynabus.core.global_indexes.walk import CLEAN, LEFT, Slice, Walk, clearing_part, told_floors
from dynabus.core.ids import LogId
from dynabus.core.replication.request_ids import apply_mutation
from dynabus.core.replication.store import no_more
from dynabus.core.rows import Source, encode_index_row


def index(*offsets: int) -> MemoryStore:
    """Tombstones of these places, with a row between any two."""
    store = MemoryStore()
    for number, offset in enumerate(offsets):
        store.put(b"%03d" % (2 * number), tombstone(offset))
        store.put(b"%03d" % (2 * number + 1), encode_index_row(b"{}", 2, 0, Source(0, 1, 0)))
    return store


def perform(store: MemoryStore, found: Slice) -> None:
    if found.note is not None:
        apply_mutation(store, note_of(found.note), 1, 0, no_more)
    for key in found.over:
        assert removal(floors_in(store))(store.get(key), 0).write
        store.delete(key)


def walk_out(walk: Walk, store: MemoryStore, rows_most: int = 3, over_most: int = 2) -> int:
    """Until it rests; how many slices that were."""
    for slices in range(100):
        if walk.rests:
            return slices
        perform(store, walk.look(store, None, rows_most, over_most))
    raise AssertionError("it never rests")


def test_it_rests_until_it_is_told_something() -> None:
    walk = Walk(1)
    assert walk.rests
    assert walk.tell({0: 5}).count == LEFT
    assert not walk.rests


def test_what_is_below_goes_and_nothing_else() -> None:
    store, walk = index(1, 9, 2, 5, 3, 4), Walk(1)
    walk.tell({0: 5})
    assert walk_out(walk, store) > 4
    left = [key for key, _ in store.scan(b"", None)]
    assert left == [b"001", b"002", b"003", b"005", b"006", b"007", b"009", b"011"]
    assert walk.tell({0: 5}).count == CLEAN
    assert walk.tell({0: 4}).count == CLEAN
    assert walk.tell({0: 6}).count == LEFT
    assert walk.tell({1: 1}).count == LEFT


def test_floors_are_in_the_log_before_anything_goes() -> None:
    store, walk = index(1), Walk(1)
    walk.tell({0: 5})
    first = walk.look(store, None, 10, 10)
    assert (first.note, first.over) == ({0: 5}, ())
    again = walk.look(store, None, 10, 10)
    assert (again.note, again.over) == (None, ()), "it waits until they are read back, and says them once"
    assert not walk.rests
    perform(store, first)
    assert walk.look(store, None, 10, 10).over == (b"000",)
    assert walk.rests


def test_floors_that_are_there_already_are_kept_and_not_written_again() -> None:
    store, walk = with_floors({0: 5, 7: 3}, index(1)), Walk(2)
    walk.tell({0: 4})
    assert walk.look(store, None, 10, 10) == Slice(None, (b"000",), 2)
    walk.tell({0: 6})
    store.put(b"000", tombstone(5))
    assert walk.look(store, None, 10, 10).note == {0: 6, 7: 3}


def test_nothing_is_written_where_no_tombstone_is_below() -> None:
    store, walk = index(9, 8), Walk(1)
    walk.tell({0: 5})
    assert walk.look(store, None, 10, 10) == Slice(None, (), 4)
    assert walk.tell({0: 5}).count == CLEAN


def test_what_is_told_on_the_way_is_for_the_next_walk() -> None:
    store, walk = with_floors({0: 9}, index(1, 2, 6)), Walk(1)
    walk.tell({0: 5})
    perform(store, walk.look(store, None, 2, 2))
    assert walk.tell({0: 9}).count == LEFT
    perform(store, walk.look(store, None, 10, 10))
    assert walk.tell({0: 5}).count == CLEAN
    assert walk.tell({0: 9}).count == LEFT
    assert store.get(b"004") is not None
    walk_out(walk, store)
    assert store.get(b"004") is None


def test_an_empty_index_is_clean_after_one_look() -> None:
    walk = Walk(1)
    walk.tell({0: 5})
    assert walk_out(walk, MemoryStore()) == 1


def test_floors_travel() -> None:
    part = clearing_part(LogId("t.i"), 3, 2, {4: 7, 1: 2})
    assert told_floors(part) == {4: 7, 1: 2} == decode_floors(part["detail"])
    assert (part["log"], part["partition"], part["generation"], part["consistent"]) == ("t.i", 3, 2, True)
