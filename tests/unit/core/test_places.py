"""What a client has seen of partitions, as it travels in a header."""

from __future__ import annotations

import pytest

from dynabus.core.places import PARTITIONS_MOST, Places, Seen


def test_the_newest_place_of_each_partition_is_kept() -> None:
    places = Places("t1/0.1.20, t1/1.2.7,t2/0.1.5")
    places.add("t1/0.1.19,t2/0.1.6")
    assert places.least("t1", 0, 1) == 20
    assert places.least("t2", 0, 1) == 6
    assert Places(str(places)).least("t1", 1, 2) == 7


def test_nothing_is_asked_of_what_was_not_seen_or_of_another_log() -> None:
    places = Places("t1/0.2.20")
    assert places.least("t1", 1, 2) == places.least("t2", 0, 2) == places.least("t1", 0, 3) == 0
    places.saw("t1", 0, Seen(1, 99))
    assert places.least("t1", 0, 2) == 20, "an older log's place is older, whatever its offset"


def test_nothing_seen_is_an_empty_header() -> None:
    assert str(Places("")) == str(Places(" , ")) == ""


@pytest.mark.parametrize(
    "text", ["x", "t/1", "t/1.2", "t/1.2.x", "t/1.2.3.4", "/1.2.3", "t/-1.2.3", "t/1.2.٣", "a b/1.2.3"]
)
def test_what_is_no_place_is_refused_and_nothing_is_added(text: str) -> None:
    places = Places("t1/0.1.20")
    with pytest.raises(ValueError, match="is not <table id>/<partition>"):
        places.add(f"t1/0.1.30,{text}")
    assert places.least("t1", 0, 1) == 20


def test_what_was_seen_longest_ago_is_forgotten() -> None:
    places = Places()
    for number in range(PARTITIONS_MOST):
        places.saw("t", number, Seen(1, 5))
    places.saw("t", 0, Seen(1, 1))
    places.saw("t", PARTITIONS_MOST, Seen(1, 5))
    assert places.least("t", 0, 1) == 5
    assert places.least("t", 1, 1) == 0
    assert places.least("t", PARTITIONS_MOST, 1) == 5
