"""Where a hot partition is cut: in the middle of its load, and not where that would not help."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from dynabus.core.admission.heat import SAMPLES_LEAST, SAMPLES_MOST, SPAN_S, Cut, Range, Sample, cut
from dynabus.core.keys import encode_key, encode_partition_key

ALL = Range(b"", None, whole=False, number=False)
RATE = 2000
"""Half units a second: 1,000 write units."""


def item(number: int) -> bytes:
    return encode_partition_key({"S": f"item-{number}"})


def sorted_item(collection: str, number: int) -> bytes:
    return encode_key({"S": collection}, {"S": f"{number:08d}"})


def sampled(keys: Sequence[bytes], units: int = 2) -> list[bytes]:
    sample = Sample(RATE)
    for key in keys:
        sample.note(key, units)
    return list(sample.keys)


def requests(seed: int, draw: Sequence[bytes], weights: Sequence[float] | None = None) -> list[bytes]:
    """As many single writes as the cap lets pass while the sample fills."""
    return random.Random(seed).choices(draw, weights, k=RATE * SPAN_S // 2)


def below(found: Cut, keys: Sequence[bytes]) -> float:
    assert found.at is not None, found.why
    return sum(key < found.at for key in keys) / len(keys)


@pytest.mark.parametrize("seed", range(5))
def test_spread_load_is_halved(seed: int) -> None:
    keys = requests(seed, [item(number) for number in range(5000)])
    assert 0.35 < below(cut(sampled(keys), ALL), keys) < 0.65


@pytest.mark.parametrize("seed", range(5))
def test_load_is_halved_and_not_the_keys(seed: int) -> None:
    """Nine tenths of the requests go to the lowest tenth of the keys."""
    space = sorted(item(number) for number in range(1000))
    keys = requests(seed, space, [81 if place < 100 else 1 for place in range(1000)])
    found = cut(sampled(keys), ALL)
    assert 0.35 < below(found, keys) < 0.65
    assert below(found, space) < 0.15


def test_clients_that_take_turns_are_not_in_step_with_the_sample() -> None:
    for clients in (2, 3, 64, 469, 470):
        turns = [item(number % clients) for number in range(RATE * SPAN_S // 2)]
        assert 0.3 < below(cut(sampled(turns), ALL), turns) < 0.7, clients


def test_one_item_is_not_cut() -> None:
    found = cut(sampled([item(1)] * 60_000), ALL)
    assert found == Cut(None, "100 % of the load lies on one item")
    nearly = requests(3, [item(number) for number in range(100)], [2000] + [1] * 99)
    found = cut(sampled(nearly), ALL)
    assert found.at is None
    assert "lies on one item" in found.why


def test_an_item_with_half_of_the_load_is_parted_from_others() -> None:
    space = sorted(item(number) for number in range(100))
    hot = space[50]
    keys = requests(4, space, [99 if key == hot else 1 for key in space])
    assert 0.1 < below(cut(sampled(keys), ALL), keys) < 0.9


@pytest.mark.parametrize("step", [1, -1])
def test_keys_that_only_increase_or_decrease_are_not_cut(step: int) -> None:
    keys = [sorted_item("log", 500_000 + step * number) for number in range(RATE * SPAN_S // 2)]
    found = cut(sampled(keys), ALL)
    assert found.at is None
    assert "moves on" in found.why


def test_many_collections_that_each_grow_are_cut() -> None:
    keys = [sorted_item(f"device-{number % 50}", number) for number in range(RATE * SPAN_S // 2)]
    assert 0.3 < below(cut(sampled(keys), ALL), keys) < 0.7


def test_a_collection_is_cut_inside_unless_the_table_has_an_index() -> None:
    keys = requests(5, [sorted_item("one", number) for number in range(1000)])
    assert 0.35 < below(cut(sampled(keys), ALL), keys) < 0.65
    found = cut(sampled(keys), ALL._replace(whole=True))
    assert found.at is None
    assert "one item collection" in found.why


@pytest.mark.parametrize("number", [False, True])
def test_with_an_index_the_cut_lies_between_collections(number: bool) -> None:
    names = [{"N": str(each - 3)} if number else {"S": f"c\0-{each}"} for each in range(7)]
    keys = requests(6, [encode_key(name, {"N": str(each)}) for name in names for each in range(100)])
    found = cut(sampled(keys), Range(b"", None, whole=True, number=number))
    assert 0.25 < below(found, keys) < 0.75
    assert found.at is not None
    for name in names:
        prefix = encode_partition_key(name)
        assert len({key < found.at for key in keys if key.startswith(prefix)}) == 1


def test_a_bound_lies_within_the_range_and_is_short() -> None:
    long = [encode_key({"S": "a" * 600}, {"S": f"{each}"}) for each in range(100)]
    assert "parts the load" in cut(sampled(requests(7, long)), ALL).why
    keys = requests(8, [item(number) for number in range(1000)])
    upper = item(3)
    found = cut([key for key in sampled(keys) if key < upper], ALL._replace(upper=upper))
    assert found.at is None or found.at < upper


def test_little_is_known_of_few_requests() -> None:
    assert cut([item(number) for number in range(SAMPLES_LEAST - 1)], ALL) == Cut(None, "")
    assert len(sampled([item(1)], units=10**9)) == SAMPLES_MOST, "bounded, however much a request costs"


def test_costly_requests_count_for_more() -> None:
    low, high = sorted((item(1), item(2)))
    sample = Sample(RATE)
    for _ in range(10_000):
        sample.note(low, 2)
        sample.note(high, 18)
    share = sum(key == high for key in sample.keys) / len(sample.keys)
    assert 0.8 < share < 0.97
