"""Seeds and middles: what a snapshot of the parent gives its heirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import decode_place, encode_place
from dynabus.core.contents import Contents
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.keys import encode_key, encode_partition_key
from dynabus.core.local_indexes import LocalIndexes, local_indexes, stored_bounds
from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.place import Group, Origin, start_of_log
from dynabus.core.replication.records import Form
from dynabus.core.rows import encode_row
from dynabus.storage_node.splitting.middle import NoMiddle, middle
from dynabus.storage_node.splitting.seeding import CHUNK_ROWS, NothingToCopy, seed

LOG = LogId("a" * 32)
PLACE = start_of_log(Origin("cluster", "topic", PartitionId(LOG, 0)), 7)._replace(
    group=Group(1, b"", None, (NodeName("node-1"),), Form.NEW)
)
KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]
INDEXES = local_indexes(
    {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "at")],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by-at",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    }
)
NONE = LocalIndexes("pk", ())


def item(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, "at": {"S": f"at {sk}"}}


def filled(path: Path, keys: list[tuple[str, str]], indexes: LocalIndexes = NONE, size: int = 10) -> LmdbStore:
    store = LmdbStore(path)
    contents = Contents(store, indexes)
    for pk, sk in keys:
        key, row = encode_key({"S": pk}, {"S": sk}), encode_row(orjson.dumps(item(pk, sk)), size, 1)
        store.put(key, row)
        contents.follow(key, None, row)
    for number in range(3):
        store.remember(b"request-%d" % number, b"outcome")
    place = encode_place(PLACE)
    store.commit(place, contents.encode(place))
    return store


def heir(number: int, lower: bytes, upper: bytes | None) -> Inheritance:
    return Inheritance(PartitionId(LOG, number), lower, upper, (0,))


def pages(store: LmdbStore, indexes: LocalIndexes) -> tuple[Any, ...]:
    entries = [[*store.scan_entries(*stored_bounds(n, b"", None))] for n in range(1 + len(indexes.all))]
    return [*store.scan(b"", None)], entries


@pytest.mark.parametrize("indexes", [NONE, INDEXES], ids=["plain", "indexed"])
def test_two_heirs_share_out_what_their_parent_has(tmp_path: Path, indexes: LocalIndexes) -> None:
    keys = [(f"pk-{number % 50}", f"{number:04d}") for number in range(3 * CHUNK_ROWS)]
    parent = filled(tmp_path / "0", keys, indexes)
    cut = encode_partition_key({"S": "pk-7"})
    for number, bounds in ((1, (b"", cut)), (2, (cut, None))):
        seed(parent.snapshot(), heir(number, *bounds), indexes, tmp_path / str(number), False)
    children = [LmdbStore(tmp_path / "1"), LmdbStore(tmp_path / "2")]
    rows, entries = pages(parent, indexes)
    found = [pages(child, indexes) for child in children]
    assert found[0][0] + found[1][0] == rows
    assert all(key < cut for key, _ in found[0][0])
    assert all(key >= cut for key, _ in found[1][0])
    for number, of_index in enumerate(entries):
        assert found[0][1][number] + found[1][1][number] == of_index
    for child in children:
        assert [child.remembered(b"request-%d" % number) for number in range(3)] == [b"outcome"] * 3
        assert decode_place(child.place() or b"") == PLACE
        told = Contents(child, indexes)
        child.commit(child.place() or b"", b"[]")
        counted = Contents(child, indexes)
        assert (told.totals, told.checksum) == (counted.totals, counted.checksum)
    assert not (tmp_path / "1.seed").exists()


def test_a_copy_that_is_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    parent = filled(tmp_path / "0", [("a", "1"), ("b", "2")])
    snapshot = parent.snapshot()
    parent.abandon()
    with pytest.raises(NothingToCopy):
        seed(snapshot, heir(1, b"", None), NONE, tmp_path / "1", False)
    assert not (tmp_path / "1").exists()


def test_what_an_interrupted_copy_left_is_not_gone_on_from(tmp_path: Path) -> None:
    parent = filled(tmp_path / "0", [("a", "1")])
    left = LmdbStore(tmp_path / "1.seed")
    left.put(b"old", b"row")
    left.commit(b"place")
    left.abandon()
    seed(parent.snapshot(), heir(1, b"", None), NONE, tmp_path / "1", False)
    assert [key for key, _ in LmdbStore(tmp_path / "1").scan(b"", None)] == [encode_key({"S": "a"}, {"S": "1"})]


def test_a_parent_that_has_not_begun_gives_nothing(tmp_path: Path) -> None:
    parent = LmdbStore(tmp_path / "0")
    with pytest.raises(NothingToCopy):
        seed(parent.snapshot(), heir(1, b"", None), NONE, tmp_path / "1", False)


# -- middles ------------------------------------------------------------------------------------------------------

ALL = (b"", None)


def test_the_middle_is_that_of_the_bytes(tmp_path: Path) -> None:
    store = filled(tmp_path / "0", [("pk", f"{number:03d}") for number in range(100)])
    assert middle(store.snapshot(), ALL, NONE) == encode_key({"S": "pk"}, {"S": "050"})[:-1]
    big = encode_row(orjson.dumps(item("pk", "000")), 5000, 1)
    store.put(encode_key({"S": "pk"}, {"S": "000"}), big)
    store.commit(encode_place(PLACE))
    assert middle(store.snapshot(), ALL, NONE) == encode_key({"S": "pk"}, {"S": "001"})


def test_with_an_index_the_cut_lies_between_collections(tmp_path: Path) -> None:
    names = sorted("abcdefgh", key=lambda name: encode_partition_key({"S": name}))
    store = filled(tmp_path / "0", [(pk, f"{number:03d}") for pk in names for number in range(10)], INDEXES)
    cut = middle(store.snapshot(), ALL, INDEXES)
    assert [pk for pk in names if encode_key({"S": pk}, {"S": "x"}) < cut] == names[:4]
    lower = encode_key({"S": names[3]}, {"S": "\U0010ffff"})
    assert lower < cut <= encode_partition_key({"S": names[4]})


def test_one_collection_with_an_index_has_no_middle(tmp_path: Path) -> None:
    store = filled(tmp_path / "0", [("pk", f"{number:03d}") for number in range(10)], INDEXES)
    with pytest.raises(NoMiddle, match="one item collection"):
        middle(store.snapshot(), ALL, INDEXES)


def test_one_row_has_no_middle_and_none_has_that_of_its_range(tmp_path: Path) -> None:
    with pytest.raises(NoMiddle, match="fewer than two items"):
        middle(filled(tmp_path / "0", [("pk", "1")]).snapshot(), ALL, NONE)
    assert middle(filled(tmp_path / "1", []).snapshot(), ALL, NONE) == b"\x80" + bytes(7)
