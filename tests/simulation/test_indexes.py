"""An index is the projection of its table whatever becomes of propagators, and whoever breaks a rule is caught."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.simulation import broken_clearing, broken_indexes
from tests.simulation.brains import Brains
from tests.simulation.indexes import IndexedRun, simulate
from tests.simulation.propagation import Violation

BROKEN = Brains(broken_indexes.BROKEN | broken_clearing.BROKEN)
CLEAN_SEEDS = 15
MOST_SEEDS = 400
CAUGHT_AT = {
    "read_is_acknowledged": 200,
    "children_are_filled": 276,
    "earlier_writes_are_not_waited_for": 86,
    "replicas_may_be_behind": 64,
    "pages_are_always_news": 86,
    "silence_is_consent": 134,
}
"""Where hunts begin that would take minutes. A change of the brain moves the numbers: then all seeds are tried."""


def test_histories_are_clean_and_eventful() -> None:
    rows = removed = splits = 0
    for seed in range(CLEAN_SEEDS):
        run = IndexedRun(seed)
        try:
            run.live()
        except Violation as violation:
            raise AssertionError(f"python -m tests.simulation.indexes --seed {seed}") from violation
        rows += len(run.world.live_rows())
        removed += sum(each.removed for each in run.world.partitions.values())
        splits += len(run.world.partitions) > 1
    assert rows > 3 * CLEAN_SEEDS
    assert removed > rows
    assert splits


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_broken_brains_are_caught(name: str) -> None:
    first = CAUGHT_AT.get(name, 0)
    with BROKEN.active(name):
        seeds = chain(range(first, MOST_SEEDS), range(first))
        assert any(simulate(seed) is not None for seed in seeds), BROKEN[name][0]
