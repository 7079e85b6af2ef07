"""What a replica's store promises, run against the real one and the one in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.replication.store import Store


class OpenStore(Store, Protocol):
    """A store with its life cycle."""

    def close(self, place: bytes, totals: bytes = b"") -> None: ...
    def abandon(self) -> None: ...


class Home:
    """Where a store lives while it is closed."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder
        self._memory = MemoryStore()

    def open(self) -> OpenStore:
        return LmdbStore(self._folder / "replica") if self.kind == "lmdb" else self._memory


@contextmanager
def a_home(kind: str) -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(kind, Path(folder))


@pytest.fixture(params=["lmdb", "memory"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return Home(request.param, tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[OpenStore]:
    opened = home.open()
    yield opened
    opened.abandon()


LONG = b"k" * 480
KEYS = [b"a", LONG, LONG + b"\0", LONG + b"\1", LONG * 2, LONG * 6 + b"\xff", LONG * 2 + b"z", b"l"]


def fill(store: OpenStore, keys: list[bytes] = KEYS) -> None:
    for key in keys:
        store.put(key, b"row of " + key)


def keys_of(rows: Iterator[tuple[bytes, bytes]]) -> list[bytes]:
    return [key for key, _ in rows]


def test_a_new_store_is_empty(store: OpenStore) -> None:
    assert store.place() is None
    assert store.get(b"a") is None
    assert list(store.scan(b"", None)) == []
    assert list(store.scan(b"", None, reverse=True)) == []
    assert store.remembered(b"id") is None
    assert store.first_remembered(b"") is None


def test_changes_are_visible_at_once(store: OpenStore) -> None:
    fill(store)
    assert [store.get(key) for key in KEYS] == [b"row of " + key for key in KEYS]
    store.put(LONG * 2, b"")
    store.delete(b"a")
    store.delete(b"never there")
    store.delete(LONG * 9)
    assert store.get(LONG * 2) == b""
    assert store.get(b"a") is None
    assert keys_of(store.scan(b"", None)) == KEYS[1:]


def test_scan_bounds(store: OpenStore) -> None:
    fill(store)
    for lower in [b"", *KEYS, LONG + b"\0\0"]:
        for upper in [None, b"", *KEYS, LONG + b"\0\0"]:
            expected = [key for key in KEYS if lower <= key and (upper is None or key < upper)]
            assert keys_of(store.scan(lower, upper)) == expected
            assert keys_of(store.scan(lower, upper, reverse=True)) == expected[::-1]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_sees_changes_behind_its_position(store: OpenStore, reverse: bool) -> None:
    """The rule: each key once, in order, as it is at that moment; any change may be made meanwhile."""
    fill(store)
    seen = []
    for key, row in store.scan(b"", None, reverse):
        seen.append((key, row))
        if key == LONG * 2:
            store.delete(key)
            store.delete(LONG + b"\1" if reverse else LONG * 2 + b"z")
            store.put(b"a" if reverse else b"l", b"changed")
            store.put(b"b" if reverse else b"k" * 3000, b"new")
            store.commit(b"place")
    found = [key for key, _ in seen]
    assert found == sorted(set(found), reverse=reverse)
    assert (LONG + b"\1" in found, LONG * 2 + b"z" in found) == (not reverse, reverse)
    assert (b"a" if reverse else b"l", b"changed") in seen
    assert (b"b" if reverse else b"k" * 3000, b"new") in seen


def test_an_unfinished_scan_is_no_hindrance(store: OpenStore) -> None:
    fill(store)
    scan = store.scan(b"", None)
    assert next(scan)[0] == KEYS[0]
    store.commit(b"1")
    assert keys_of(scan) == KEYS[1:]


def test_request_ids(store: OpenStore) -> None:
    for request_id in (b"\1b", b"\1a", b"\2"):
        store.remember(request_id, b"outcome " + request_id)
    assert store.remembered(b"\1a") == b"outcome \1a"
    assert store.first_remembered(b"\1") == (b"\1a", b"outcome \1a")
    assert store.first_remembered(b"") == (b"\1a", b"outcome \1a")
    assert store.first_remembered(b"\1c") is None
    assert store.first_remembered(b"\3") is None
    store.forget(b"\1a")
    store.forget(b"\1a")
    assert store.first_remembered(b"\1") == (b"\1b", b"outcome \1b")


def test_data_ids_and_place_are_committed_together(home: Home) -> None:
    store = home.open()
    store.put(b"kept", b"row")
    store.put_entry(b"kept", b"entry")
    store.remember(b"id", b"outcome")
    store.commit(b"place 1", b"totals 1")
    store.put(b"kept", b"changed")
    store.put(LONG * 3, b"lost")
    store.put_entry(LONG * 3, b"lost")
    store.delete_entry(b"kept")
    store.remember(b"other", b"lost")
    store.forget(b"id")
    store.abandon()

    store = home.open()
    assert store.place() == b"place 1"
    assert list(store.scan(b"", None)) == [(b"kept", b"row")]
    assert list(store.scan_entries(b"", None)) == [(b"kept", b"entry")]
    assert store.totals() == b"totals 1"
    assert (store.remembered(b"id"), store.remembered(b"other")) == (b"outcome", None)
    store.put(b"more", b"row")
    store.close(b"place 2")

    store = home.open()
    assert (store.place(), store.totals()) == (b"place 2", b"totals 1")
    assert keys_of(store.scan(b"", None)) == [b"kept", b"more"]
    store.abandon()


@pytest.mark.parametrize("reverse", [False, True])
def test_entries_have_a_key_space_of_their_own(store: OpenStore, reverse: bool) -> None:
    for number, key in enumerate(KEYS):
        store.put(key, b"row %d" % number)
        store.put_entry(key, b"entry %d" % number)
    store.delete_entry(KEYS[0])
    store.delete(KEYS[1])
    assert store.get(KEYS[0]) == b"row 0"
    assert (store.get_entry(KEYS[0]), store.get_entry(KEYS[1])) == (None, b"entry 1")
    seen = []
    for key, entry in store.scan_entries(b"", None, reverse):
        seen.append((key, entry))
        store.commit(b"place")
        store.delete_entry(LONG * 2)
    expected = {key: b"entry %d" % number for number, key in enumerate(KEYS) if number}
    assert seen == sorted(((k, e) for k, e in expected.items() if k != LONG * 2), reverse=reverse)


def test_totals_are_those_of_the_last_commit_that_told_them(store: OpenStore) -> None:
    assert store.totals() is None
    store.commit(b"1", b"a")
    store.commit(b"2")
    assert store.totals() == b"a"


def test_a_large_row(store: OpenStore) -> None:
    """A legal item of 400 KB may be 3.7 MB as JSON."""
    row = b"x" * 3_700_000
    store.put(b"large", row)
    store.commit(b"place")
    assert store.get(b"large") == row


PARTS = [b"\0", b"\1", b"\xff", b"a", b"a" * 479, b"a" * 480, b"\0" * 480, b"\xff" * 480, b"\xff" * 481]
SOME_KEYS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map(b"".join)
BOUNDS = st.one_of(SOME_KEYS, SOME_KEYS.map(lambda key: key[:-1]), SOME_KEYS.map(lambda key: key + b"\0"))
CHANGES = st.lists(st.tuples(st.sampled_from(["put", "put", "delete", "commit"]), SOME_KEYS), max_size=40)


@pytest.mark.parametrize("kind", ["lmdb", "memory"])
@settings(max_examples=60)
@given(changes=CHANGES, lower=BOUNDS, upper=st.one_of(st.none(), BOUNDS))
def test_it_is_an_ordered_map(kind: str, changes: list[Any], lower: bytes, upper: bytes | None) -> None:
    """Byte order of keys of any length, from any bound, both ways, after any history."""
    model: dict[bytes, bytes] = {}
    with a_home(kind) as home:
        store = home.open()
        for number, (change, key) in enumerate(changes):
            if change == "put":
                model[key] = b"%d" % number
                store.put(key, model[key])
            elif change == "delete":
                model.pop(key, None)
                store.delete(key)
            else:
                store.commit(b"%d" % number)
        expected = [(key, model[key]) for key in sorted(model) if lower <= key and (upper is None or key < upper)]
        assert list(store.scan(lower, upper)) == expected
        assert list(store.scan(lower, upper, reverse=True)) == expected[::-1]
        assert all(store.get(key) == row for key, row in model.items())
        assert list(store.scan(b"", None)) == sorted(model.items())
        store.abandon()
