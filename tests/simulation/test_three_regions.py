"""Three regions with the product's code come to the same items, and whoever leaves out one of its rules is caught."""

from __future__ import annotations

import pytest

from tests.simulation.broken_three_regions import BROKEN
from tests.simulation.three_regions import simulate, simulate_broken

CLEAN_SEEDS, SLOW_SEEDS = 2, 40
MOST_SEEDS = 300

CAUGHT_AT = {"nothing_is_copied_again": 13, "nothing_is_sent_on": 19}
"""Rare: the hunt begins where they were caught last."""

NOT_CAUGHT = {
    "children_know_no_floors",
    "children_say_nothing",
    "copies_are_not_waited_for",
    "copies_to_strangers",
    "floors_go_with_their_leader",
    "gaps_are_not_asked",
    "one_floor_will_do",
    "own_items_come_back",
    "own_promises_are_not_asked",
    "promises_are_floors",
    "promises_end_with_their_leader",
    "removals_do_not_look",
    "rows_of_before",
    "what_was_passed_by_is_not_read_again",
    "who_comes_is_decided_at_once",
    "who_comes_is_refused",
    "words_of_strangers_count",
    "writes_that_change_nothing_are_not_told",
}
"""Rules of the end of tombstones, and of members that go, that the first histories do not catch; more than a few were
not tried. What else stands for them is said in ARCHITECTURE.md. `rows_of_before` was caught before leaders waited for
their log to name the region of a write; since then 70 histories do not."""


def test_histories_are_clean_and_eventful() -> None:
    forgotten = 0
    for seed in range(CLEAN_SEEDS):
        history = simulate(seed)
        assert history.violation is None, f"python -m tests.simulation.three_regions --seed {seed}"
        assert history.figures["conflicts"] > 20
        assert history.figures["crossed"] > 80
        assert history.figures["forgotten in the end"] > 0
        forgotten += history.figures["forgotten"]
    assert forgotten > 0, "while they live"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_more_histories_are_clean() -> None:
    histories = [simulate(seed) for seed in range(CLEAN_SEEDS, CLEAN_SEEDS + SLOW_SEEDS)]
    assert [(each.seed, each.violation) for each in histories if each.violation] == []
    assert sum(each.figures["splits"] for each in histories) > SLOW_SEEDS / 2
    assert sum(each.figures["forgotten"] for each in histories) > 4 * SLOW_SEEDS


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", sorted(BROKEN.keys() - NOT_CAUGHT))
def test_what_is_broken_is_caught(name: str) -> None:
    first = CAUGHT_AT.get(name, 0)
    seeds = (*range(first, MOST_SEEDS), *range(first))
    assert any(simulate_broken((name, seed)).violation for seed in seeds), BROKEN[name][0]
