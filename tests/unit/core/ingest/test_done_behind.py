"""Offsets of what is done behind one that waits, as text that Kafka keeps beside an offset."""

from __future__ import annotations

import random

import pytest

from dynabus.core.ingest.done_behind import LENGTH_MOST, decode_done, encode_done


def test_runs_of_offsets() -> None:
    assert encode_done([]) == ""
    assert encode_done([7, 8, 9, 12, 20, 21]) == "7:0.3,2.1,7.2"
    assert decode_done("7:0.3,2.1,7.2") == {7, 8, 9, 12, 20, 21}


@pytest.mark.parametrize("seed", range(20))
def test_what_fits_comes_back(seed: int) -> None:
    dice = random.Random(seed)
    offsets = sorted(dice.sample(range(10**9, 10**9 + 5000), dice.choice([1, 10, 100, 2500])))
    text = encode_done(offsets)
    assert len(text) <= LENGTH_MOST
    found = sorted(decode_done(text))
    assert found == offsets[: len(found)]
    assert len(found) == len(offsets) or len(text) > LENGTH_MOST - 20


@pytest.mark.parametrize("text", ["", "x", "5", "5:", "5:1", "5:a.b", "member-1"])
def test_what_somebody_else_has_written_says_nothing(text: str) -> None:
    assert decode_done(text) == frozenset()
