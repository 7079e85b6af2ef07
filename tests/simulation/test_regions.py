"""Regions agree whatever becomes of what lies between them, and whoever breaks a rule is caught."""

from __future__ import annotations

import pytest

from tests.simulation.broken_regions import BROKEN, active
from tests.simulation.regions import figures, simulate

CLEAN_SEEDS, MOST_SEEDS = 20, 700

CAUGHT_AT = {"own_clocks_are_not_asked": 340, "floors_refuse_nothing": 610}
"""Rare: the hunt begins where they were caught last."""


def test_histories_are_clean_and_eventful() -> None:
    found = figures(range(CLEAN_SEEDS))
    assert found["conflicts"] > 20 * CLEAN_SEEDS
    assert found["crossed"] > 80 * CLEAN_SEEDS
    assert found["forgotten"] > CLEAN_SEEDS


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_broken_rules_are_caught(name: str) -> None:
    first = CAUGHT_AT.get(name, 0)
    with active(name):
        seeds = (*range(first, MOST_SEEDS), *range(first))
        assert any(simulate(seed) is not None for seed in seeds), BROKEN[name][0]
