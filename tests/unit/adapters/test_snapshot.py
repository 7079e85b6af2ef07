"""A snapshot is one commit, whatever happens to the store meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynabus.adapters.lmdb import LmdbStore, SnapshotClosed

LONG = b"k" * 700


@pytest.fixture
def store(tmp_path: Path) -> LmdbStore:
    made = LmdbStore(tmp_path / "replica")
    for key in (b"a", b"b", LONG, b"z"):
        made.put(key, b"row of " + key[:1])
        made.put_entry(b"\x01" + key, b"entry")
    made.remember(b"request-1", b"outcome")
    made.commit(b"place", b"[[4, 40]]")
    return made


def test_it_shows_the_last_commit_and_nothing_after_it(store: LmdbStore) -> None:
    store.put(b"c", b"later")
    snapshot = store.snapshot()
    store.delete(b"a")
    store.remember(b"request-2", b"later")
    store.commit(b"another place")
    assert (snapshot.place, snapshot.totals) == (b"place", b"[[4, 40]]")
    assert [key for key, _ in snapshot.rows(b"", None, 10)] == [b"a", b"b", LONG, b"z"]
    assert snapshot.requests(b"", 10) == [(b"request-1", b"outcome")]
    assert [key for key, _ in store.snapshot().rows(b"", None, 10)] == [b"b", b"c", LONG, b"z"]


def test_ranges_and_chunks(store: LmdbStore) -> None:
    snapshot = store.snapshot()
    assert [key for key, _ in snapshot.rows(b"b", b"z", 10)] == [b"b", LONG]
    assert [key for key, _ in snapshot.rows(b"", None, 2)] == [b"a", b"b"]
    assert [key for key, _ in snapshot.rows(b"b\0", None, 1)] == [LONG]
    assert [key for key, _ in snapshot.rows(LONG + b"\0", None, 5)] == [b"z"]
    assert [key for key, _ in snapshot.entries(b"\x01b", b"\x02", 10)] == [b"\x01b", b"\x01" + LONG, b"\x01z"]
    assert snapshot.requests(b"request-1", 10) == []


@pytest.mark.parametrize("end", ["close", "abandon"])
def test_a_store_that_ends_ends_its_snapshots(store: LmdbStore, end: str) -> None:
    snapshot = store.snapshot()
    if end == "close":
        store.close(b"place")
    else:
        store.abandon()
    with pytest.raises(SnapshotClosed):
        snapshot.rows(b"", None, 1)
    with pytest.raises(SnapshotClosed):
        snapshot.requests(b"", 1)
    snapshot.close()
