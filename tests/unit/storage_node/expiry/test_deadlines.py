"""The list of deadlines is always what a scan of the rows says, whatever is applied, lost and begun again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabus.adapters.lmdb import LmdbStore
from dynabus.core.contents import Contents
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.rows import CorruptRow, encode_row
from dynabus.core.time_to_live import OLDEST_S, due_between, expiry_s
from dynabus.storage_node.expiry.deadlines import Deadlines

NONE = LocalIndexes("pk", ())
NOW_S = 10 * OLDEST_S
ALL = 1 << 20


def row(expiry: int | None, attribute: str = "ttl") -> bytes:
    item = {"pk": {"S": "a"}} | ({} if expiry is None else {attribute: {"N": str(expiry)}})
    return encode_row(orjson.dumps(item), 10, 1)


class Replica:
    """A store with what follows its rows, as a replica has them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open()

    def open(self) -> None:
        self.store = LmdbStore(self.path)
        self.contents = Contents(self.store, NONE)
        self.deadlines = Deadlines(self.store, self.contents)

    def put(self, key: bytes, new: bytes | None) -> None:
        old = self.store.get(key)
        self.store.delete(key) if new is None else self.store.put(key, new)
        self.contents.follow(key, old, new)

    def commit(self) -> None:
        self.store.commit(b"place", self.contents.encode(b"place"))

    def crash(self) -> None:
        """What was not committed is gone."""
        self.store.abandon()
        self.open()

    def read_all(self) -> None:
        while not self.deadlines.is_whole:
            self.deadlines.read_on(2, ALL)

    def entries(self) -> list[bytes]:
        return self.store.deadlines(b"", b"\xff" * 9, ALL)

    def scanned(self) -> list[bytes]:
        """What the list must be."""
        found = ((expiry_s(each, self.deadlines.attribute), key) for key, each in self.store.scan(b"", None))
        return sorted(expiry.to_bytes(8, "big") + key for expiry, key in found if expiry is not None)


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    made = Replica(tmp_path / "0")
    yield made
    made.store.abandon()


KEYS = st.one_of(
    st.binary(min_size=1, max_size=2), st.binary(min_size=600, max_size=602).map(lambda key: key[-2:] * 300)
)
EXPIRIES = st.one_of(st.none(), st.integers(1, 5), st.integers(NOW_S - 3, NOW_S + 3))
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, EXPIRIES),
    st.tuples(st.just("other"), KEYS, EXPIRIES),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.just("use"), st.sampled_from([b"", b"ttl", b"other"]), st.none()),
    st.tuples(st.just("read on"), st.just(b""), st.integers(1, 3)),
    st.tuples(st.just("commit"), st.just(b""), st.none()),
    st.tuples(st.just("crash"), st.just(b""), st.none()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=40))
def test_the_list_is_what_a_scan_says(steps: list[tuple[str, bytes, int | None]]) -> None:
    """Once it is whole; and before that it has nothing that a scan does not have, but for what changes took back."""
    with tempfile.TemporaryDirectory() as folder:
        replica = Replica(Path(folder) / "0")
        for what, key, number in steps:
            if what == "put":
                replica.put(key, row(number))
            elif what == "other":
                replica.put(key, row(number, "other"))
            elif what == "delete":
                replica.put(key, None)
            elif what == "use":
                replica.deadlines.use(key.decode())
            elif what == "read on":
                replica.deadlines.read_on(number or 1, ALL)
            elif what == "commit":
                replica.commit()
            else:
                replica.crash()
            assert set(replica.entries()) <= set(replica.scanned() if replica.deadlines.attribute else [])
        replica.read_all()
        assert replica.entries() == (replica.scanned() if replica.deadlines.attribute else [])
        first, behind = due_between(NOW_S)
        wanted = [key for key in replica.entries() if first <= int.from_bytes(key[:8], "big") < behind]
        assert replica.deadlines.due(NOW_S, ALL) == [key[8:] for key in wanted]
        assert replica.deadlines.due(NOW_S, 1) == [key[8:] for key in wanted[:1]]
        assert replica.deadlines.oldest(NOW_S) == (int.from_bytes(wanted[0][:8], "big") if wanted else None)
        replica.store.abandon()


def test_a_table_with_rows_is_read_in_the_background(replica: Replica) -> None:
    for number in range(10):
        replica.put(b"%d" % number, row(NOW_S - number - 1))
    replica.commit()
    replica.deadlines.use("ttl")
    assert not replica.deadlines.is_whole
    replica.deadlines.read_on(4, ALL)
    assert replica.deadlines.due(NOW_S, ALL) == [b"3", b"2", b"1", b"0"]
    replica.put(b"9", row(NOW_S + 1))
    replica.put(b"0", None)
    replica.commit()
    replica.crash()
    assert not replica.deadlines.is_whole
    replica.deadlines.read_on(6, ALL)
    replica.deadlines.read_on(6, ALL)
    assert replica.deadlines.is_whole
    assert replica.deadlines.due(NOW_S, ALL) == [b"8", b"7", b"6", b"5", b"4", b"3", b"2", b"1"]


def test_a_process_that_dies_before_the_commit_reads_those_rows_again(replica: Replica) -> None:
    for number in range(4):
        replica.put(b"%d" % number, row(NOW_S - 1))
    replica.deadlines.use("ttl")
    replica.commit()
    replica.deadlines.read_on(2, ALL)
    replica.crash()
    assert replica.entries() == []
    replica.read_all()
    assert len(replica.deadlines.due(NOW_S, ALL)) == 4


def test_large_rows_are_few_at_a_time(replica: Replica) -> None:
    for number in range(5):
        replica.put(b"%d" % number, row(NOW_S - 1))
    replica.deadlines.use("ttl")
    replica.deadlines.read_on(100, 1)
    assert len(replica.deadlines.due(NOW_S, ALL)) == 1
    replica.deadlines.read_on(100, len(row(NOW_S)) + 1)
    assert len(replica.deadlines.due(NOW_S, ALL)) == 3


def test_entries_without_a_row_behind_them_are_taken_away(replica: Replica) -> None:
    """As after the rows were changed by who does not know of the list."""
    replica.deadlines.use("ttl")
    replica.read_all()
    replica.put(b"a", row(NOW_S - 1))
    replica.put(b"b", row(NOW_S - 2))
    replica.store.put(b"a", row(NOW_S + 9))
    replica.store.delete(b"b")
    assert replica.deadlines.due(NOW_S, ALL) == []
    assert replica.entries() == []


def test_damage_is_found_and_not_entered(replica: Replica) -> None:
    broken = bytearray(row(NOW_S - 1))
    broken[-4] ^= 1
    replica.store.put(b"a", bytes(broken))
    replica.deadlines.use("ttl")
    with pytest.raises(CorruptRow):
        replica.deadlines.read_on(1, ALL)


def test_it_is_in_no_snapshot_and_changes_no_checksum(replica: Replica) -> None:
    replica.put(b"a", row(NOW_S - 1))
    before = replica.contents.checksum, replica.contents.totals
    replica.deadlines.use("ttl")
    replica.read_all()
    replica.commit()
    assert (replica.contents.checksum, replica.contents.totals) == before
    snapshot = replica.store.snapshot()
    for space in ("rows", "entries", "requests"):
        pairs, _ = snapshot.bounded(space, b"", ALL, ALL)
        assert [key for key, _ in pairs] == ([b"a"] if space == "rows" else [])
    snapshot.close()
