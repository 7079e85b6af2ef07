"""Lineage of shards: which ones are in a copy."""

from __future__ import annotations

from dynabus.core.streams.shards import Shard, are_copied_with


def shard(number: int, parent: int | None) -> Shard:
    return Shard(number, number + 1, parent, True)


LINE = {each.number: each for each in (shard(0, None), shard(1, 0), shard(2, 0), shard(3, 1), shard(4, 1))}


def test_ancestors_are_in_the_copies_of_what_was_split_from_them() -> None:
    copied = {2, 3, 4}
    assert [number for number, each in LINE.items() if are_copied_with(each, LINE, copied)] == [0, 1]


def test_what_was_split_from_a_copy_since_is_not_in_it() -> None:
    copied = {1, 2}
    assert [number for number, each in LINE.items() if are_copied_with(each, LINE, copied)] == [0]


def test_a_parent_that_is_no_shard_any_more_ends_the_line() -> None:
    orphan = shard(7, 6)
    assert are_copied_with(orphan, {7: orphan}, set())
    assert not are_copied_with(orphan, {7: orphan}, {7})
