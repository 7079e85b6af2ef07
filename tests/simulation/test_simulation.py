"""A few hundred histories are clean, each broken brain is caught, and a seed is a name."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.simulation.broken import BROKEN
from tests.simulation.run import simulate, simulate_broken

CLEAN_SEEDS = 60
LOSSY_SEEDS = 20
REGIONS_SEEDS = 15
MOST_SEEDS = 4000
CAUGHT_AT = {
    "another_winners_records_are_void": 3433,
    "lease_by_wall_clock": 508,
    "lease_from_acceptance": 313,
    "lease_from_last_send": 313,
    "succession_drops_deferral": 188,
    "chain_restarts_at_claims": 175,
}
"""Where hunts begin that would take minutes. A change of the brain moves the numbers: then all seeds are tried."""


def test_histories_are_clean_and_eventful() -> None:
    for seed in range(CLEAN_SEEDS):
        history = simulate(seed)
        assert history.violation is None, f"python -m tests.simulation.run --seed {seed} --trace"
        assert history.events >= 500
        assert history.faults >= 3
        # Where Kafka loses its tail, replicas freeze, and nothing is acknowledged from then on (I9).
        assert history.acknowledged > (0 if history.lossy else 20)


def test_what_was_lost_is_recovered() -> None:
    """Most of these histories lose what somebody had read; the others lose what nobody had."""
    histories = [simulate(seed, lose=True) for seed in range(LOSSY_SEEDS)]
    assert [history.violation for history in histories if history.violation] == []
    assert sum(history.recoveries for history in histories) > LOSSY_SEEDS // 2


def test_leaders_of_a_global_table_keep_versions() -> None:
    histories = [simulate(seed, regions=True) for seed in range(REGIONS_SEEDS)]
    assert [history.violation for history in histories if history.violation] == []
    assert sum(history.imports for history in histories) > 30 * REGIONS_SEEDS
    assert sum(history.conflicts for history in histories) > 5 * REGIONS_SEEDS


def test_a_seed_is_a_name() -> None:
    first, again = simulate(7), simulate(7)
    assert (first.events, first.terms, first.voids) == (again.events, again.terms, again.voids)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the rarest takes 30 s of one core, and minutes on a machine that does other things
@pytest.mark.parametrize("name", BROKEN)
def test_broken_brain_is_caught(name: str) -> None:
    first = CAUGHT_AT.get(name, 0)
    seeds = chain(range(first, MOST_SEEDS), range(first))
    assert any(simulate_broken((name, seed)).violation for seed in seeds), BROKEN[name][0]
