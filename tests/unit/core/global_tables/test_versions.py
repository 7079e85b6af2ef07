"""Which write of an item wins among regions."""

from __future__ import annotations

from itertools import permutations

import pytest

from dynabus.core.global_tables.versions import (
    TICKS_PER_MS,
    Meeting,
    Stamp,
    Version,
    decode_version,
    is_ahead,
    meet,
    written,
)


def version(time: int, region: str, **seen: int) -> Version:
    return Version(Stamp(time, region), {**seen, region: time})


@pytest.mark.parametrize(
    ("here", "arriving", "found"),
    [
        (None, version(5, "eu"), Meeting.NEWS),
        (version(5, "eu"), version(5, "eu"), Meeting.REPEAT),
        (version(9, "us", eu=5), version(5, "eu"), Meeting.REPEAT),
        (version(9, "us", eu=7), version(5, "eu"), Meeting.REPEAT),
        (version(5, "eu"), version(9, "us", eu=5), Meeting.NEWS),
        (version(5, "eu"), version(9, "us"), Meeting.WON),
        (version(9, "us"), version(5, "eu"), Meeting.LOST),
        (version(5, "us"), version(5, "eu"), Meeting.LOST),
        (version(5, "eu"), version(5, "us"), Meeting.WON),
    ],
)
def test_two_versions_tell_what_becomes_of_a_write(here: Version | None, arriving: Version, found: Meeting) -> None:
    assert meet(here, arriving)[0] is found


def test_in_whatever_order_writes_arrive_the_same_version_stays() -> None:
    writes = [version(5, "eu"), version(9, "us"), version(7, "za", eu=5), version(6, "eu")]
    ends = set()
    for order in permutations([*writes, writes[1]]):
        here: Version | None = None
        for each in order:
            _, here = meet(here, each)
        assert here is not None
        ends.add((here.stamp, tuple(sorted(here.seen.items()))))
    assert ends == {(Stamp(9, "us"), (("eu", 6), ("us", 9), ("za", 7)))}


def test_a_conflict_is_one_once() -> None:
    here, arriving = version(9, "us"), version(5, "eu")
    _, after = meet(here, arriving)
    assert meet(after, arriving) == (Meeting.REPEAT, after)
    assert meet(written(after, "us", 0), arriving)[0] is Meeting.REPEAT


def test_a_write_wins_against_all_that_its_writer_could_have_seen() -> None:
    ahead = version(10**9 * TICKS_PER_MS, "eu")
    later = written(ahead, "us", 1_000)
    assert later.stamp > ahead.stamp
    assert later.seen == {"eu": ahead.stamp.time, "us": later.stamp.time}
    assert written(None, "us", 1_000).stamp == Stamp(1_000 * TICKS_PER_MS, "us")


def test_a_clock_that_is_off_by_more_than_is_allowed() -> None:
    stamp = written(None, "eu", 61_000).stamp
    assert stamp.ms == 61_000
    assert is_ahead(stamp, 0, 60_000)
    assert not is_ahead(stamp, 1_000, 60_000)


@pytest.mark.parametrize("each", [version(5, "eu"), version(9, "ap-southeast-2", eu=5, us=7)])
def test_a_version_comes_back_from_its_bytes(each: Version) -> None:
    assert decode_version(each.encode()) == each


@pytest.mark.parametrize("raw", [b"", version(5, "eu").encode()[:-1], 2 * version(5, "eu").encode(), b"\xff"])
def test_other_bytes_are_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match="version"):
        decode_version(raw)
