"""Which writes count: each line of the table, and that neither order nor repetition matters."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.global_indexes.indexes import index, item, the

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.errors import ApiError
from dynabus.core.global_indexes import Arrival, IndexWrite, arrival, arrival_part, writes_of
from dynabus.core.global_indexes.arrivals import NEWS, REPEAT, UNCHANGED
from dynabus.core.ids import LogId
from dynabus.core.rows import CorruptRow, Source, decode_row, encode_row, is_tombstone, source_of

TO = Arrival(LogId("t.i"), 0, 1)
NO_FLOORS = MemoryStore()
NOW_MS = 1_700_000_000_000


def put(offset: int, generation: int = 1, text: str = "x") -> IndexWrite:
    return IndexWrite(b"key", b'{"v":{"S":"%s"}}' % text.encode(), 2, Source(0, generation, offset))


def delete(offset: int, generation: int = 1) -> IndexWrite:
    return IndexWrite(b"key", b"", 0, Source(0, generation, offset))


def arrive(rows: dict[bytes, bytes], write: IndexWrite) -> int:
    """As a leader does it; whether it counted."""
    decision = arrival(arrival_part(TO, write), NO_FLOORS)(rows.get(write.key), NOW_MS)
    assert decision.write == (decision.outcome.count in (NEWS, UNCHANGED))
    if decision.write:
        assert decision.row is not None
        rows[write.key] = decision.row
    return decision.outcome.count


def after(*writes: IndexWrite) -> dict[bytes, bytes]:
    rows: dict[bytes, bytes] = {}
    for write in writes:
        arrive(rows, write)
    return rows


def test_a_put_makes_a_row() -> None:
    rows = after(put(5))
    assert decode_row(rows[b"key"]) == (2, NOW_MS, b'{"v":{"S":"x"}}')
    assert source_of(rows[b"key"]) == Source(0, 1, 5)
    assert not is_tombstone(rows[b"key"])


def test_what_says_what_the_row_said_is_written_and_counted_as_such() -> None:
    rows: dict[bytes, bytes] = {}
    writes = [delete(1), delete(2), put(3), put(4), put(5, text="y"), put(5, text="y"), delete(6), delete(7)]
    counts = [arrive(rows, each) for each in writes]
    assert counts == [UNCHANGED, UNCHANGED, NEWS, UNCHANGED, NEWS, REPEAT, NEWS, UNCHANGED]
    assert source_of(rows[b"key"]) == Source(0, 1, 7), "its place decides what else may come"


def test_a_delete_leaves_a_tombstone_where_nothing_is_too() -> None:
    for rows in (after(delete(5)), after(put(4), delete(5))):
        assert is_tombstone(rows[b"key"])
        assert source_of(rows[b"key"]) == Source(0, 1, 5)


@pytest.mark.parametrize("late", [put(4), put(5), delete(4), delete(5), put(9, generation=0)])
def test_what_is_late_or_repeated_changes_nothing(late: IndexWrite) -> None:
    for first in (put(5, text="first"), delete(5)):
        rows = after(first)
        before = dict(rows)
        assert arrive(rows, late) == REPEAT
        assert rows == before


def test_a_childs_offsets_begin_anew() -> None:
    rows = after(delete(900))
    assert arrive(rows, put(3, generation=2)) == NEWS
    assert not is_tombstone(rows[b"key"])


def test_a_tombstone_may_be_replaced_by_what_is_newer() -> None:
    assert not is_tombstone(after(put(4), delete(5), put(6))[b"key"])


def test_a_row_of_a_table_in_an_index_is_damage() -> None:
    with pytest.raises(CorruptRow):
        arrival(arrival_part(TO, put(5)), NO_FLOORS)(encode_row(b"{}", 0, NOW_MS), NOW_MS)


def test_a_write_without_a_place_is_refused() -> None:
    with pytest.raises(ApiError):
        arrival({**arrival_part(TO, put(5)), "detail": b"short"}, NO_FLOORS)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(values: list[int], dice: random.Random) -> None:
    """An item's whole history, each mutation's writes in any order and any number of times: the rows are those of its
    last image, and all else are tombstones."""
    found = the(index())
    images = [None if value == 0 else item(a={"S": f"v{value}"}) for value in values]
    writes = [
        write
        for offset, (old, new) in enumerate(zip([None, *images[:-1]], images, strict=True))
        for write in writes_of(found, old, new, Source(0, 1, offset))
    ]
    arrived = [*writes, *dice.choices(writes, k=len(writes))] if writes else []
    dice.shuffle(arrived)
    rows = after(*arrived)
    last = images[-1]
    wanted = {found.row_key(last)} if last is not None else set()
    assert live(rows.items()) == wanted
    assert rows == after(*writes)


def live(rows: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    return {key for key, row in rows if not is_tombstone(row)}
