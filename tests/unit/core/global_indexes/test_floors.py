"""Floors: which writes are repeats, which tombstones may go, and how they are kept in an index's log."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.global_indexes.test_arrivals import TO, delete, put

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_indexes import IndexWrite, arrival, arrival_part
from dynabus.core.global_indexes.arrivals import NEWS, REPEAT, UNCHANGED
from dynabus.core.global_indexes.floors import (
    CLOSED,
    FLOORS_ID,
    Floors,
    covers,
    decode_floors,
    encode_floors,
    floors_in,
    is_below,
    is_over,
    is_refused,
    merged,
    note_of,
    removal,
)
from dynabus.core.replication.request_ids import apply_mutation, carried_over, is_outcome
from dynabus.core.replication.store import no_more
from dynabus.core.rows import CorruptRow, Source, encode_index_row, encode_row

some_floors = st.dictionaries(st.integers(0, 50), st.integers(0, CLOSED), max_size=8)
DAY_MS = 86_400_000


def with_floors(floors: Floors, store: MemoryStore | None = None) -> MemoryStore:
    store = store or MemoryStore()
    apply_mutation(store, note_of(floors), 1, 0, no_more)
    return store


def count(write: IndexWrite, store: MemoryStore, row: bytes | None = None) -> int:
    return arrival(arrival_part(TO, write), store)(row, 0).outcome.count


def test_without_a_row_what_is_below_is_a_repeat_and_what_is_not_counts() -> None:
    store = with_floors({0: 5})
    assert [count(put(offset), store) for offset in (4, 5, 6)] == [REPEAT, NEWS, NEWS]
    assert [count(delete(offset), store) for offset in (4, 5)] == [REPEAT, UNCHANGED]
    decision = arrival(arrival_part(TO, put(4)), store)(None, 0)
    assert not decision.write


def test_floors_of_other_partitions_say_nothing() -> None:
    assert count(put(4), with_floors({1: 100, 2: 100})) == NEWS


def test_a_row_tells_more_than_floors() -> None:
    store, row = with_floors({0: 5}), encode_index_row(b"{}", 2, 0, Source(0, 1, 2))
    assert count(put(1), store, row) == REPEAT
    assert count(put(3), store, row) == NEWS, "as it would count without floors"


def test_a_closed_log_has_repeats_only() -> None:
    assert count(put(CLOSED - 1), with_floors({0: CLOSED})) == REPEAT


@given(some_floors, some_floors)
def test_merged_floors_cover_both_and_are_no_higher(one: Floors, other: Floors) -> None:
    both = merged(one, other)
    assert covers(both, one)
    assert covers(both, other)
    assert all(offset in (one.get(number), other.get(number)) for number, offset in both.items())


@given(some_floors, st.integers(0, 51), st.integers(0, CLOSED))
def test_what_a_store_refuses_is_what_lies_below(floors: Floors, number: int, offset: int) -> None:
    store, source = with_floors(floors), Source(number, 1, offset)
    assert is_refused(source, store) == is_below(source, floors)
    assert decode_floors(encode_floors(floors)) == floors == floors_in(store)


def test_the_newest_note_is_all_that_counts() -> None:
    store = with_floors({0: 5})
    assert floors_in(with_floors({0: 7, 1: 2}, store)) == {0: 7, 1: 2}
    assert floors_in(MemoryStore()) == {}


def test_notes_never_expire_and_recoveries_carry_them_over() -> None:
    store = with_floors({0: 5})
    for sequence in range(64, 640, 64):
        apply_mutation(store, note_of({0: 6}), sequence, 10_000 * DAY_MS, no_more)
    value = store.remembered(FLOORS_ID)
    assert value is not None
    assert is_outcome(FLOORS_ID, value), "scrub knows it"
    successor = MemoryStore()
    apply_mutation(successor, carried_over(FLOORS_ID, value), 1, 0, no_more)
    assert floors_in(successor) == {0: 6}


def tombstone(offset: int) -> bytes:
    return encode_index_row(b"", 0, 0, Source(0, 1, offset))


@pytest.mark.parametrize(
    ("row", "goes"),
    [
        (None, False),
        (tombstone(4), True),
        (tombstone(5), False),
        (encode_index_row(b"{}", 2, 0, Source(0, 1, 4)), False),
        (encode_index_row(b"", 0, 0, Source(1, 1, 4)), False),
    ],
)
def test_a_removal_looks_at_the_row_as_it_is_then(row: bytes | None, goes: bool) -> None:
    decision = removal({0: 5})(row, 0)
    assert (decision.write, decision.row) == (goes, None)


def test_damage_is_told() -> None:
    damaged = bytearray(tombstone(4))
    damaged[-1] ^= 1
    with pytest.raises(CorruptRow):
        is_over(bytes(damaged), {0: 5})
    assert not is_over(encode_row(b"{}", 2, 0), {0: 5}), "a table's row is no tombstone"


def test_an_index_is_the_same_with_and_without_its_tombstones() -> None:
    """Whatever is taken away below floors: all that comes then changes the same rows as if it were there."""
    for seed in range(300):
        dice = random.Random(seed)
        writes = [dice.choice([put, delete])(offset) for offset in range(10)]
        # Below the floor all have arrived; behind it some have, in any order.
        floor = dice.randrange(11)
        early = writes[:floor] + dice.sample(writes[floor:], dice.randint(0, 10 - floor))
        dice.shuffle(early)
        late = [each for each in writes if each not in early] + dice.choices(writes, k=8)
        dice.shuffle(late)
        kept = _after(early, None, MemoryStore())
        store = with_floors({0: floor})
        cleared = None if removal({0: floor})(kept, 0).write else kept
        with_it, without_it = _after(late, kept, MemoryStore()), _after(late, cleared, store)
        assert _shown(with_it) == _shown(without_it), seed


def _after(writes: list[IndexWrite], row: bytes | None, store: MemoryStore) -> bytes | None:
    for each in writes:
        decision = arrival(arrival_part(TO, each), store)(row, 0)
        row = decision.row if decision.write else row
    return row


def _shown(row: bytes | None) -> bytes | None:
    """What a reader sees."""
    return None if row is None or is_over(row, {0: CLOSED}) else row
