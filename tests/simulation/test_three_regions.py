"""Three regions with the product's code come to the same items, and whoever leaves out one of its rules is caught."""

from __future__ import annotations

import pytest

from tests.simulation.broken_three_regions import BROKEN
from tests.simulation.three_regions import simulate, simulate_broken

CLEAN_SEEDS, SLOW_SEEDS = 2, 40
MOST_SEEDS = 300

CAUGHT_AT: dict[str, int] = {}
"""Rare: the hunt begins where they were caught last."""


def test_histories_are_clean_and_eventful() -> None:
    for seed in range(CLEAN_SEEDS):
        history = simulate(seed)
        assert history.violation is None, f"python -m tests.simulation.three_regions --seed {seed}"
        assert history.figures["conflicts"] > 20
        assert history.figures["crossed"] > 80


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_more_histories_are_clean() -> None:
    histories = [simulate(seed) for seed in range(CLEAN_SEEDS, CLEAN_SEEDS + SLOW_SEEDS)]
    assert [(each.seed, each.violation) for each in histories if each.violation] == []
    assert sum(each.figures["splits"] for each in histories) > SLOW_SEEDS / 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_caught(name: str) -> None:
    first = CAUGHT_AT.get(name, 0)
    seeds = (*range(first, MOST_SEEDS), *range(first))
    assert any(simulate_broken((name, seed)).violation for seed in seeds), BROKEN[name][0]
