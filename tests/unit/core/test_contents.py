"""What a replica counts: the incremental checksum is the recomputed one, whatever was applied, cut and restarted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import encode_place
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.checksum import MASK, change, signed
from dynabus.core.contents import Contents
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.place import Group, Origin, start_of_log
from dynabus.core.replication.records import Form
from dynabus.core.replication.store import Store
from dynabus.core.rows import CorruptRow, Source, encode_index_row, encode_row
from dynabus.storage_node.splitting.seeding import seed

NONE = LocalIndexes("pk", ())
LOG = LogId("a" * 32)
PLACE = start_of_log(Origin("cluster", "topic", PartitionId(LOG, 0)), 7)._replace(
    group=Group(1, b"", None, (NodeName("node-1"),), Form.NEW)
)
STORED = encode_place(PLACE)


def row(number: int) -> bytes:
    return encode_row(b'{"v":"%d"}' % number, 10 + number % 90, number)


def any_row(number: int) -> bytes:
    """Of a table, of an index (each third), or a tombstone of one (each sixth), which is no item."""
    if number % 6 == 0:
        return encode_index_row(b"", 0, number, Source(0, 1, number))
    if number % 3 == 0:
        return encode_index_row(b'{"v":"%d"}' % number, 10 + number % 90, number, Source(0, 1, number))
    return row(number)


def apply(contents: Contents, store: Store, key: bytes, new: bytes | None) -> None:
    """A mutation, as a replica applies it."""
    old = store.get(key)
    if new is None:
        store.delete(key)
    else:
        store.put(key, new)
    contents.follow(key, old, new)


def counted(store: Store) -> tuple[list[int], int]:
    """From the rows alone."""
    rows = list(store.scan(b"", None))
    sizes = [int.from_bytes(value[5:9], "big") for _, value in rows]
    items = sum(not (value[0] == 2 and len(value) == 33) for _, value in rows)
    return [items, sum(sizes)], sum(change(key, None, value) for key, value in rows) & MASK


def told(contents: Contents) -> tuple[list[int], int]:
    return contents.totals[0], contents.checksum


KEYS = st.binary(min_size=1, max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.integers(0, 1 << 40)),
    st.tuples(st.just("delete"), KEYS, st.just(0)),
    st.tuples(st.just("restart"), st.just(b""), st.integers(0, 1)),
    st.tuples(st.just("split"), KEYS, st.integers(0, 1)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=40))
def test_the_incremental_checksum_is_the_recomputed_one(steps: list[tuple[str, bytes, int]]) -> None:
    """Through mutations, restarts (planned, or losing what was not committed) and splits; one child goes on."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0"
        store = LmdbStore(path)
        contents, lineage = Contents(store, NONE), 0
        for what, key, number in steps:
            if what == "put":
                apply(contents, store, key, any_row(number))
            elif what == "delete":
                apply(contents, store, key, None)
            elif what == "restart":
                if number:
                    store.close(STORED, contents.encode(STORED))
                else:
                    store.abandon()
                store = LmdbStore(path)
                contents = Contents(store, NONE)
            else:
                store.commit(STORED, contents.encode(STORED))
                lineage += 1
                lower, upper = (key, None) if number else (b"", key)
                child = Path(folder) / str(lineage)
                to = Inheritance(PartitionId(LOG, lineage), lower, upper, (0,))
                seed(store.snapshot(), to, NONE, child, False)
                store.abandon()
                store, path = LmdbStore(child), child
                contents = Contents(store, NONE)
            assert told(contents) == counted(store)
        store.abandon()


def test_two_children_sum_up_to_their_parent() -> None:
    store = MemoryStore()
    contents = Contents(store, NONE)
    for number in range(50):
        apply(contents, store, b"%02d" % number, row(number))
    halves = [MemoryStore(), MemoryStore()]
    for key, value in store.scan(b"", None):
        halves[key >= b"20"].put(key, value)
    assert sum(Contents(half, NONE).checksum for half in halves) & MASK == contents.checksum


@pytest.mark.parametrize(
    "rows",
    [
        {b"a": row(1)},
        {b"a": row(1), b"b": row(2), b"c": row(3)},
        {b"a": row(2), b"b": row(1)},
        {b"a": row(1), b"c": row(2)},
        {b"a": row(1), b"b": row(3)},
        {},
    ],
    ids=["missing", "too much", "swapped", "under another key", "another image", "nothing"],
)
def test_other_rows_have_another_checksum(rows: dict[bytes, bytes]) -> None:
    right, other = MemoryStore(), MemoryStore()
    for key, value in {b"a": row(1), b"b": row(2)}.items():
        right.put(key, value)
    for key, value in rows.items():
        other.put(key, value)
    assert Contents(other, NONE).checksum != Contents(right, NONE).checksum


def test_the_order_of_changes_does_not_matter() -> None:
    checksums = set()
    for order in (1, -1):
        store = MemoryStore()
        contents = Contents(store, NONE)
        for number in range(20)[::order]:
            apply(contents, store, b"%02d" % number, row(number))
        checksums.add(contents.checksum)
    assert len(checksums) == 1


def test_a_store_of_an_older_version_is_counted_once() -> None:
    store = MemoryStore()
    store.put(b"a", row(1))
    store.commit(STORED, orjson.dumps([[1, 11]]))
    assert told(Contents(store, NONE)) == counted(store)


@pytest.mark.parametrize("damaged", ["place", "totals", "json"])
def test_damaged_totals_and_places_are_noticed(damaged: str) -> None:
    store = MemoryStore()
    contents = Contents(store, NONE)
    apply(contents, store, b"a", row(1))
    totals, place = contents.encode(STORED), STORED
    if damaged == "place":
        place = place[:-1] + bytes([place[-1] ^ 1])
    else:
        totals = totals.replace(b"[1,", b"[2,") if damaged == "totals" else totals[1:]
    store.commit(place, totals)
    with pytest.raises(CorruptRow):
        Contents(store, NONE)


def test_checksums_travel_as_signed_numbers() -> None:
    assert [signed(each) for each in (0, 1, (1 << 63) - 1, 1 << 63, MASK)] == [0, 1, (1 << 63) - 1, -(1 << 63), -1]
