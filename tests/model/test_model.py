"""A short run of the state machine and of walks; `python -m tests.model` is the long one."""

from __future__ import annotations

import pytest

from tests.model.__main__ import history, main
from tests.model.faults import FAULTS
from tests.model.targets import InProcess
from tests.model.walks import run, told, walk_of

HISTORIES = 10
WALKS = 6
"""Each about half a second."""

OPERATIONS_MOST = 60_000
"""A fault that is not found in so many is not found; most take a few hundred."""


def test_dynabus_answers_as_the_model() -> None:
    assert history(1, histories=HISTORIES) > HISTORIES


@pytest.mark.parametrize("seed", range(WALKS))
def test_on_a_walk_too(seed: int) -> None:
    assert run(walk_of(seed), InProcess) > 0


def test_a_seed_is_a_walk() -> None:
    assert list(told(walk_of(7))) == list(told(walk_of(7)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(name: str) -> None:
    assert main(["--fault", name, "--operations", str(OPERATIONS_MOST)]) == 0
