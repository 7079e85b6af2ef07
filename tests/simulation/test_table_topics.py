"""A table topic is the table whatever becomes of propagators, and whoever breaks a rule is caught."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.simulation.broken_table_topics import BROKEN, active
from tests.simulation.propagation import Violation
from tests.simulation.table_topics import TopicRun, simulate

CLEAN_SEEDS = 15
MOST_SEEDS = 400
CAUGHT_AT = {"seals_of_places_are_forgotten": 81, "lost_answers_are_repeated": 200}
"""Where hunts begin that would take minutes. A change of the model moves the numbers: then all seeds are tried."""


def test_histories_are_clean_and_eventful() -> None:
    committed = aborted = tombstones = fenced = 0
    for seed in range(CLEAN_SEEDS):
        run = TopicRun(seed)
        try:
            run.live()
        except Violation as violation:
            raise AssertionError(f"python -m tests.simulation.table_topics --seed {seed}") from violation
        landed = [each for records in run.world.landed.values() for each in records]
        committed += sum(each.is_committed is True for each in landed)
        aborted += sum(each.is_committed is False for each in landed)
        tombstones += sum(each.item is None for each in landed if each.is_committed)
        fenced += sum(run.world.epochs.values())
    assert committed > 12 * CLEAN_SEEDS
    assert aborted > CLEAN_SEEDS
    assert tombstones > 2 * CLEAN_SEEDS
    assert fenced > 3 * CLEAN_SEEDS


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_broken_brains_are_caught(name: str) -> None:
    first = CAUGHT_AT.get(name, 0)
    with active(name):
        seeds = chain(range(first, MOST_SEEDS), range(first))
        assert any(simulate(seed) is not None for seed in seeds), BROKEN[name][0]
