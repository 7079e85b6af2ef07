"""The initial copy: all rows once, those of others only if wanted; pages as a leader answers them."""

from __future__ import annotations

import pytest
from tests.unit.core.global_indexes.test_backfill import place
from tests.unit.core.global_tables.test_replication import export

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_tables import copying
from dynabus.core.global_tables.copying import Copy
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.global_tables.pages import BYTES_MOST, ROWS_MOST, page, rows_of, rows_part
from dynabus.core.global_tables.rep_out import BATCH_CHANGES, WAITING_BYTES
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.global_tables.window import BATCHES_MOST, RESEND_MS
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.request_ids import apply_mutation
from dynabus.core.replication.store import no_more
from dynabus.core.rows import CorruptRow, encode_row, version_of


def rows(count: int, first: int = 0) -> list[tuple[bytes, bytes]]:
    return [(f"k{each:05}".encode(), encode_row(b"{}", 2, 1000 + each)) for each in range(first, first + count)]


def test_all_rows_are_sent_once_and_then_it_is_done() -> None:
    copy = Copy("music", "eu", None)
    assert copy.wants == b""
    copy.took(rows(300), b"k00300")
    assert copy.wants == b"k00300"
    copy.took(rows(1, 300), None)
    assert copy.wants is None
    first, second = copy.batches(0)
    assert [len(each.exports) for each in (first, second)] == [BATCH_CHANGES, 101]
    assert [each.key for each in (*first.exports, *second.exports)] == [key for key, _ in rows(301)]
    assert first.exports[0].item == b"{}"
    copy.acknowledged(second.number)
    assert copy.batches(RESEND_MS) == [first]
    copy.acknowledged(first.number)
    copy.acknowledged(first.number)
    assert copy.is_done
    assert copy.sent == 301


def test_a_row_from_before_its_table_was_global_counts_as_written_here() -> None:
    time = 1000 * TICKS_PER_MS
    assert version_of(rows(1)[0][1], "eu") == Version(Stamp(time, "eu"), {"eu": time})


@pytest.mark.parametrize(
    ("whose", "expected"), [(None, [b"a", b"b"]), ({"eu"}, [b"b"]), ({"us"}, [b"a"]), ({"us", "eu"}, [b"a", b"b"])]
)
def test_rows_of_others_are_sent_by_who_began_alone_or_if_these_are_gone(
    whose: set[str] | None, expected: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {b"a": export(1, "us").version, b"b": export(2, "eu").version}
    kept = {encode_row(key, 1, 0): version for key, version in versions.items()}
    monkeypatch.setattr(copying, "version_of", lambda row, _own: kept[row])
    copy = Copy("music", "eu", None if whose is None else frozenset(whose))
    copy.took([(key, encode_row(key, 1, 0)) for key in versions], None)
    [batch] = copy.batches(0)
    assert [each.key for each in batch.exports] == expected
    assert all(each.version == versions[each.key] for each in batch.exports)


def test_a_deletion_is_sent_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "version_of", lambda _row, _own: export(1, "eu").version)
    copy = Copy("music", "eu", None)
    copy.took([(b"a", encode_row(b"", 0, 5))], None)
    assert copy.batches(0)[0].exports[0].item is None


def test_no_page_is_wanted_while_enough_waits_and_no_batch_goes_beyond_what_is_allowed() -> None:
    copy = Copy("music", "eu", None)
    copy.took(rows(BATCH_CHANGES * BATCHES_MOST), b"k9")
    assert copy.wants is None
    assert copy.batches(0, 0.5) == []
    assert [len(each.exports) for each in copy.batches(0, 250)] == [BATCH_CHANGES, 50]
    assert copy.wants == b"k9"
    assert len(copy.batches(1)) == BATCHES_MOST - 2


def test_large_rows_that_wait_are_bounded_by_their_bytes() -> None:
    copy = Copy("music", "eu", None)
    large = b"x" * (WAITING_BYTES // 8)
    copy.took([(b"k%d" % each, encode_row(large, len(large), 0)) for each in range(8)], b"k8")
    assert copy.wants is None
    for batch in copy.batches(0):
        copy.acknowledged(batch.number)
    assert copy.wants == b"k8"


def test_damage_is_told() -> None:
    copy = Copy("music", "eu", None)
    with pytest.raises(CorruptRow):
        copy.took([(b"a", encode_row(b"{}", 2, 0)[:-1] + b"?")], None)


def stored(held: list[tuple[bytes, bytes]]) -> MemoryStore:
    store = MemoryStore()
    apply_mutation(store, note_of(Floors("eu", frozenset({"us"}))), 1, 0, no_more)
    for key, row in held:
        store.put(key, row)
    return store


def test_a_page_is_a_piece_of_a_partition_in_order() -> None:
    store, where = stored(rows(ROWS_MOST + 7)), place(lower=b"k00003", upper=b"k00505")
    first = page(rows_part("log", 0, 1, b"", "us"), where, store)
    found = rows_of(first.part(0))
    assert found.rows == rows(ROWS_MOST, 3)
    assert found.behind == b"k00503"
    rest = rows_of(page(rows_part("log", 0, 1, found.behind, "us"), where, store).part(0))
    assert rest.rows == rows(2, 503)
    assert rest.behind is None
    assert rows_of(page(rows_part("log", 0, 1, b"k9", "us"), where, store).part(0)) == ([], None)


def test_a_page_ends_where_it_is_large_enough() -> None:
    large = [(b"%d" % each, encode_row(b"x" * 200_000, 1, 0)) for each in range(5)]
    found = rows_of(page(rows_part("log", 0, 1, b"", "us"), place(), stored(large)).part(0))
    assert sum(len(row) for _, row in found.rows[:-1]) < BYTES_MOST
    assert (len(found.rows), found.behind) == (3, b"3")


def test_a_log_that_has_not_begun_has_no_page() -> None:
    unbegun = place()._replace(group=None)
    assert page(rows_part("log", 0, 1, b"", "us"), unbegun, stored([])).status == ReplyStatus.BUSY


@pytest.mark.parametrize("held", [MemoryStore(), stored(rows(1))])
def test_a_log_that_does_not_know_the_destination_has_none_either(held: MemoryStore) -> None:
    assert page(rows_part("log", 0, 1, b"", "za"), place(), held).status == ReplyStatus.BUSY
