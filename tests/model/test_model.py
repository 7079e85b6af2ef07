"""A short run of the state machine; `python -m tests.model` is the long one."""

from __future__ import annotations

import pytest

from tests.model.__main__ import history
from tests.model.faults import FAULTS, planted

HISTORIES = 12
"""About a second."""

SEEDS_MOST = 20
"""A fault that is not found in so many is not found."""


@pytest.mark.parametrize("seed", [1, 2])
def test_dynabus_answers_as_the_model(seed: int) -> None:
    assert history(seed, histories=HISTORIES) > HISTORIES


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(name: str) -> None:
    with planted(name), pytest.raises(AssertionError):
        _histories(SEEDS_MOST)


def _histories(seeds: int) -> None:
    for seed in range(seeds):
        history(seed, shrink=False)
