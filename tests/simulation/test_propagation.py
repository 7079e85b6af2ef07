"""Streams are the accepted history whatever becomes of propagators, and whoever breaks a rule is caught."""

from __future__ import annotations

import pytest

from tests.simulation.broken_propagation import BROKEN, active
from tests.simulation.propagation import Run, simulate

CLEAN_SEEDS = 40
MOST_SEEDS = 400
"""The rarest was caught by its 45th seed."""


def test_histories_are_clean_and_eventful() -> None:
    records = 0
    for seed in range(CLEAN_SEEDS):
        assert simulate(seed) is None, f"python -m tests.simulation.propagation --seed {seed}"
        run = Run(seed)
        run.live()
        records += sum(map(len, run.world.topics.values()))
    assert records > 20 * CLEAN_SEEDS


def test_a_seed_is_a_name() -> None:
    def shape(seed: int) -> list[tuple[object, int]]:
        run = Run(seed)
        run.live()
        return [(where, len(topic)) for where, topic in run.world.topics.items()]

    assert shape(11) == shape(11)


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_broken_propagators_are_caught(name: str) -> None:
    with active(name):
        assert any(simulate(seed) is not None for seed in range(MOST_SEEDS)), BROKEN[name][0]
