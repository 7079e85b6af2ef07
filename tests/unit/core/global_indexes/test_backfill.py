"""Pages of rows for an index that is added: within the partition, of a replica that is far enough, to the end."""

from __future__ import annotations

import orjson
import pytest
from tests.unit.core.global_indexes.indexes import item

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_indexes.backfill import ROWS_MOST, page, page_of, page_part
from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.place import Group, Origin, Place, start_of_log
from dynabus.core.replication.records import Form
from dynabus.core.rows import CorruptRow, encode_global_row, encode_row

MEMBERS = (NodeName("node-1"),)


def place(next_offset: int = 10, lower: bytes = b"", upper: bytes | None = None) -> Place:
    group = Group(2, lower, upper, MEMBERS, Form.CHILD)
    return start_of_log(Origin("cluster", "topic", PartitionId(LogId("t"), 0)), next_offset)._replace(group=group)


def filled(count: int) -> MemoryStore:
    store = MemoryStore()
    for number in range(count):
        row = encode_row(orjson.dumps(item(f"{number:04}")), 10, 5)
        store.put(b"%04d" % number, row)
    return store


def test_pages_follow_each_other_to_the_end() -> None:
    store, seen, position = filled(2 * ROWS_MOST + 3), list[str](), b""
    while True:
        outcome = page(page_part("t", 0, 2, position, 10), place(), store)
        found = page_of(outcome.part(0))
        assert found.next_offset == 10
        seen += [each["pk"]["S"] for each in found.items]
        if found.behind is None:
            break
        position = found.behind
    assert seen == [f"{number:04}" for number in range(2 * ROWS_MOST + 3)]


def test_a_partition_answers_for_its_own_range() -> None:
    store = filled(30)
    found = page_of(page(page_part("t", 0, 2, b"0005", 0), place(lower=b"0010", upper=b"0020"), store).part(0))
    assert [each["pk"]["S"] for each in found.items] == [f"{number:04}" for number in range(10, 20)]
    behind = page_of(page(page_part("t", 0, 2, b"0025", 0), place(upper=b"0020"), store).part(0))
    assert (behind.items, behind.behind) == ([], None)


def test_tombstones_of_a_global_table_are_in_no_page() -> None:
    store, version = filled(3), Version(Stamp(9, "us"), {"us": 9})
    store.put(b"0001", encode_global_row(b"", 0, 5, version))
    store.put(b"0002", encode_global_row(orjson.dumps(item("0002")), 10, 5, version))
    found = page_of(page(page_part("t", 0, 2, b"", 10), place(), store).part(0))
    assert [each["pk"]["S"] for each in found.items] == ["0000", "0002"]


def test_a_replica_that_is_behind_does_not_answer() -> None:
    assert page(page_part("t", 0, 2, b"", 11), place(10), filled(1)).status == ReplyStatus.BUSY
    begun = start_of_log(place().origin)
    assert page(page_part("t", 0, 2, b"", 0), begun, filled(1)).status == ReplyStatus.BUSY


def test_damage_is_not_passed_on() -> None:
    store = filled(1)
    store.put(b"0000", b"\1damaged")
    with pytest.raises(CorruptRow):
        page(page_part("t", 0, 2, b"", 0), place(), store)
