"""Where a group begins a shard, and what it commits."""

from __future__ import annotations

from itertools import product

import pytest

from dynabus.core.streams.consuming import Extent, Mark, Progress, beginning, read_metadata, write_metadata
from dynabus.core.streams.sequence import BEFORE_ALL, Sequence
from dynabus.core.streams.shards import Shard

PARENT, CHILD = 0, 2
SHARDS = {
    PARENT: Shard(PARENT, 1, None, is_open=False),
    1: Shard(1, 2, PARENT, is_open=False),
    CHILD: Shard(CHILD, 2, PARENT, is_open=True),
}
EXTENTS = {PARENT: Extent(3, 10), 1: Extent(0, 7), CHILD: Extent(5, 20)}
LAST = Sequence(2, 1_700_000_000_000, 17)


def begin(
    number: int, progress: dict[int, Progress], only_new: bool = False, is_live: bool = True, **extents: Extent
) -> Progress | None:
    seen = {
        **EXTENTS,
        PARENT: extents.get("parent", EXTENTS[PARENT]),
        CHILD: extents.get("child", EXTENTS[CHILD]),
    }
    return beginning(SHARDS[number], SHARDS, progress, seen, only_new, is_live)


@pytest.mark.parametrize(("mark", "last"), list(product(Mark, (BEFORE_ALL, LAST))))
def test_what_is_committed_is_what_is_read_back(mark: Mark, last: Sequence) -> None:
    progress = Progress(7, last, mark)
    assert read_metadata(7, write_metadata(progress)) == progress


@pytest.mark.parametrize("text", [None, "", "reset by hand", "2:ended:-", "1:gone:-", "1"])
def test_an_offset_that_others_have_set_is_read_from_there(text: str | None) -> None:
    assert read_metadata(7, text) == Progress(7, BEFORE_ALL, Mark.READING)


def test_a_damaged_sequence_counts_nothing_as_a_repeat() -> None:
    assert read_metadata(7, "1:reading:12") == Progress(7)


@pytest.mark.parametrize("mark", Mark)
def test_what_the_group_has_committed_goes_first(mark: Mark) -> None:
    known = Progress(9, LAST, mark)
    assert begin(CHILD, {CHILD: known}) == known


@pytest.mark.parametrize("only_new", [False, True])
def test_a_child_is_held_until_its_parent_was_processed_to_its_end(only_new: bool) -> None:
    assert begin(CHILD, {}, only_new) is None
    assert begin(CHILD, {PARENT: Progress(9, LAST)}, only_new) is None
    ended = {PARENT: Progress(10, LAST, Mark.ENDED)}
    assert begin(CHILD, ended, only_new) == Progress(5), "all of it is new to who has read its parent"


def test_a_parent_that_retention_took_is_not_waited_for() -> None:
    assert begin(CHILD, {}, parent=Extent(10, 10)) == Progress(5)
    assert begin(CHILD, {}, parent=Extent(0, 0), child=Extent(0, 0)) is None, "nothing was written yet"


@pytest.mark.parametrize("only_new", [False, True])
def test_a_parent_that_lost_its_end_is_not_waited_for(only_new: bool) -> None:
    """A child has no record before its parent's end was written."""
    processed = {PARENT: Progress(10, LAST)}
    assert begin(CHILD, processed, only_new) == Progress(5)
    assert begin(CHILD, {PARENT: Progress(11, LAST)}, only_new) == Progress(5)
    assert begin(CHILD, processed, only_new, child=Extent(0, 0)) is None, "it may yet be written"


def test_without_a_parent_a_shard_begins_at_its_begin() -> None:
    assert begin(PARENT, {}) == Progress(3)


def test_who_wants_what_is_new_skips_what_has_ended() -> None:
    assert begin(PARENT, {}, only_new=True) == Progress(10, mark=Mark.SKIPPED)
    skipped = {PARENT: Progress(10, mark=Mark.SKIPPED)}
    assert begin(1, skipped, only_new=True) == Progress(7, mark=Mark.SKIPPED)
    assert begin(CHILD, skipped, only_new=True) == Progress(20)
    assert begin(CHILD, skipped, only_new=True, is_live=False) == Progress(20, mark=Mark.SKIPPED)
