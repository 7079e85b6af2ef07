"""What an index is: its key's attributes, its encoded keys, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.global_indexes.indexes import described, index, item, the

from dynabus.core.errors import ApiError
from dynabus.core.global_indexes import global_indexes
from dynabus.core.keys import encode_partition_keys, prefix_successor

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "index_rows.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["keys"])
def test_keys_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    found = the(index(vector["hashes"], vector["ranges"]), sort="sk" in vector["item"])
    assert found.row_key(vector["item"]).hex() == vector["key"]


def test_a_last_evaluated_key_has_each_attribute_once() -> None:
    found = global_indexes(described(index("a", "b"), {**index("a"), "IndexName": "x"})).all
    assert found[0].names == ["a", "b", "pk", "sk"]
    turned = {
        **index(),
        "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
    }
    assert the(turned).names == ["sk", "pk"]


def test_an_index_that_is_being_deleted_is_none() -> None:
    found = global_indexes(described({**index(), "IndexStatus": "DELETING"}, index(name="stays")))
    assert [each.name for each in found.all] == ["stays"]
    assert found.named("by-a") is None
    assert found.named("stays") is not None


@pytest.mark.parametrize(
    ("more", "held"),
    [
        ({}, False),
        ({"a": {"S": "x"}}, False),
        ({"a": {"S": "x"}, "b": {"N": "1"}}, True),
        ({"a": {"N": "1"}, "b": {"N": "1"}}, False),
        ({"a": {"S": ""}, "b": {"N": "1"}}, False),
        ({"a": {"S": "x" * 2048}, "b": {"N": "1"}}, True),
        ({"a": {"S": "x" * 2049}, "b": {"N": "1"}}, False),
    ],
)
def test_what_an_index_holds(more: dict[str, Any], held: bool) -> None:
    assert the(index("a", "b")).holds(item(**more)) is held


def test_sort_keys_are_shorter() -> None:
    found = the(index("a", "d"))
    assert found.holds(item(a={"S": "x"}, d={"S": "y" * 1024}))
    assert not found.holds(item(a={"S": "x"}, d={"S": "y" * 1025}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"a": {"N": "1"}}, "Type mismatch for Index Key a Expected: S Actual: N IndexName: by-a"),
        ({"a": {"S": ""}}, "cannot contain an empty string value. IndexName: by-a, IndexKey: a"),
        ({"a": {"S": "x" * 2049}}, "Size limit exceeded for Index Key a Actual Size: 2049 bytes Max Size: 2048"),
        ({"d": {"S": "x" * 1025}}, "Size limit exceeded for Index Key d Actual Size: 1025 bytes Max Size: 1024"),
    ],
)
def test_what_is_refused(more: dict[str, Any], words: str) -> None:
    indexes = global_indexes(described(index("a", "d")))
    with pytest.raises(ApiError) as caught:
        indexes.check(item(**more))
    assert words in caught.value.message
    with pytest.raises(ApiError):
        indexes.check_update(item(**more))


def test_items_without_key_attributes_are_fine() -> None:
    indexes = global_indexes(described(index("a", "d")))
    indexes.check(item())
    indexes.check_update(item(d={"S": "y"}))


def test_types_that_an_update_writes() -> None:
    indexes = global_indexes(described(index("a", "d")))
    indexes.check_types({"a": "S", "other": "L"})
    with pytest.raises(ApiError, match="Type mismatch for Index Key d Expected: S Actual: L"):
        indexes.check_types({"d": "L"})


values = st.fixed_dictionaries({"S": st.text(min_size=1, max_size=3)})
numbers = st.fixed_dictionaries({"N": st.integers(-20, 20).map(str)})


@given(st.lists(st.tuples(values, numbers, values, numbers), min_size=2, max_size=12))
def test_rows_are_in_the_order_of_the_sort_key_then_of_the_tables_key(drawn: list[tuple[Any, ...]]) -> None:
    """Within one partition key; and those of one partition key are one range of keys."""
    found = the(index("d", "b"))
    items = [item(pk["S"], sk["N"], d={"S": "same"}, b=b, a=a) for a, b, pk, sk in drawn]
    keys = sorted({found.row_key(each): each for each in items})
    by_key = {found.row_key(each): each for each in items}
    order = [
        (int(by_key[key]["b"]["N"]), by_key[key]["pk"]["S"].encode(), int(by_key[key]["sk"]["N"])) for key in keys
    ]
    assert order == sorted(order)
    prefix = encode_partition_keys([{"S": "same"}])
    behind = prefix_successor(prefix)
    assert behind is not None
    assert all(prefix <= key < behind for key in keys)


@given(st.lists(st.tuples(values, values), min_size=2, max_size=2, unique_by=str))
def test_several_partition_key_attributes_do_not_run_into_each_other(pairs: list[tuple[Any, Any]]) -> None:
    keys = {encode_partition_keys(pair) for pair in pairs}
    assert len(keys) == 2
