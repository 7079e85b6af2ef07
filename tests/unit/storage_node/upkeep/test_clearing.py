"""A node's walks: through the ordinary path, floors first, no faster than allowed, and only while it leads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.storage_node.stand_ins import BODIES, leading

from dynabus.adapters.lmdb import LmdbStore
from dynabus.core.errors import ApiError
from dynabus.core.global_indexes.floors import FLOORS_ID, Floors, floors_in
from dynabus.core.global_indexes.walk import CLEAN, LEFT, clearing_part
from dynabus.core.ids import LogId
from dynabus.core.replication.effects import Append, Write
from dynabus.core.replication.records import Mutation, RowChange, RowChanges, decode_record
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.rows import Source, encode_index_row
from dynabus.storage_node.expiry.sweeping import NOBODY
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.upkeep.clearing import LOOK_MS, REMOVALS_MOST, Clearing

WALL_MS = 1_800_000_000_000
TABLE = "a" * 32
KEY = (TABLE, 0)


class Node:
    """One replica that leads, and the node's walks; time goes on by looks."""

    def __init__(self, replica: Hosted, rows_per_s: int = 10_000) -> None:
        self.replica, self.clearing, self.now_ms = replica, Clearing(rows_per_s), 10_000.0

    def put(self, key: bytes, offset: int, item: bytes = b"") -> None:
        row = encode_index_row(item, len(item), 0, Source(0, 1, offset))
        write = Write(NOBODY, b"", 1, key, lambda _old, _wall: Decision(True, row, Outcome()), 0)
        self.replica.write(write, self.now_ms, WALL_MS)

    def tell(self, floors: Floors) -> int:
        """As a strong read is answered."""
        part = clearing_part(LogId(TABLE), 0, 1, floors)
        return self.clearing.answer(self.replica, part)(self.replica.store).count

    def look(self, replicas: dict[tuple[str, int], Hosted] | None = None) -> list[Hosted]:
        self.now_ms += LOOK_MS
        return self.clearing.step({KEY: self.replica} if replicas is None else replicas, self.now_ms, WALL_MS)

    def appended(self) -> list[Mutation | RowChange]:
        """What it appended since, row by row; it is read back now."""
        values = [each.value for each in self.replica.replica.take_effects() if isinstance(each, Append)]
        offset = self.replica.replica.place.next_offset
        records = [decode_record(offset + index, 0, value) for index, value in enumerate(values)]
        self.replica.read_log(records, self.now_ms)
        found = [BODIES.decode(each.schema_number, each.body) for each in records]
        return [
            change
            for each in found
            if isinstance(each, Mutation | RowChanges)
            for change in (each.rows if isinstance(each, RowChanges) else [each])
        ]

    def keys(self) -> list[bytes]:
        return [key for key, _ in self.replica.store.scan(b"", None)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    store = LmdbStore(tmp_path / "0")
    yield Node(leading(store, ("node-1",), real_rows=True))
    store.abandon()


def test_floors_go_into_the_log_first_and_tombstones_below_them_then(node: Node) -> None:
    for key, offset, item in ((b"gone", 3, b""), (b"here", 3, b"{}"), (b"late", 7, b"")):
        node.put(key, offset, item)
    node.appended()
    assert node.tell({0: 5}) == LEFT
    assert node.look() == [node.replica]
    (note,) = node.appended()
    assert isinstance(note, Mutation)
    assert (note.request, note.new) == (FLOORS_ID, None)
    assert floors_in(node.replica.store) == {0: 5}
    assert node.look() == [node.replica]
    (removal,) = node.appended()
    assert (removal.key, removal.new) == (b"gone", None)
    assert node.keys() == [b"here", b"late"]
    assert node.tell({0: 5}) == CLEAN
    assert node.look() == []
    assert (node.clearing.removed, node.replica.contents.totals) == (1, [[1, 2]])


def test_nothing_goes_while_floors_are_not_read_back(node: Node) -> None:
    node.put(b"gone", 3)
    node.appended()
    node.tell({0: 5})
    for _ in range(3):
        node.look()
    (note,) = node.appended()
    assert isinstance(note, Mutation)
    assert note.request == FLOORS_ID, "once, and no removal"


def test_a_row_that_came_since_stays(node: Node) -> None:
    node.put(b"gone", 3)
    node.appended()
    node.tell({0: 5})
    node.look()
    node.appended()
    node.put(b"gone", 9, b"{}")
    node.look()
    assert [each.new is None for each in node.appended()] == [False]
    assert node.keys() == [b"gone"]


def test_it_looks_at_so_many_rows_in_a_second_and_removes_so_many(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "0")
    node = Node(leading(store, ("node-1",), real_rows=True), rows_per_s=2000)
    for number in range(300):
        node.put(b"%04d" % number, 3)
    node.appended()
    node.tell({0: 5})
    node.look()
    node.appended()
    gone = []
    while node.keys():
        node.look()
        gone.append(len(node.appended()))
    assert max(gone) == REMOVALS_MOST
    assert all(each <= 200 for each in gone)
    store.abandon()


def test_a_replica_that_leads_no_more_or_is_gone_is_left_alone(node: Node) -> None:
    node.put(b"gone", 3)
    node.appended()
    node.tell({0: 5})
    assert node.look({}) == []
    node.tell({0: 5})
    node.replica.replica.stop(node.now_ms)
    node.appended()
    assert node.look() == []
    assert node.keys() == [b"gone"]


def test_a_new_term_walks_anew(node: Node) -> None:
    node.tell({0: 5})
    node.look()
    assert node.tell({0: 5}) == CLEAN
    assert node.replica.walk is not None
    node.replica.walk.term -= 1
    assert node.tell({0: 5}) == LEFT


def test_without_a_pace_tombstones_stay(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "0")
    node = Node(leading(store, ("node-1",), real_rows=True), rows_per_s=0)
    node.put(b"gone", 3)
    node.appended()
    assert node.tell({0: 5}) == LEFT
    assert node.look() == []
    store.abandon()


def test_floors_that_cannot_be_read_are_refused(node: Node) -> None:
    part = {**clearing_part(LogId(TABLE), 0, 1, {0: 5}), "detail": b"short"}
    with pytest.raises(ApiError):
        node.clearing.answer(node.replica, cast("Any", part))
