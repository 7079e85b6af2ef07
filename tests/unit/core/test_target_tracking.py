"""Target tracking, minute by minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dynabus.core.target_tracking import Target, track

MINUTE_S = 60


def target(**changes: Any) -> Target:
    settings = {
        "MinimumUnits": 5,
        "MaximumUnits": 1000,
        "Target": {"TargetValue": 70.0, **changes.pop("policy", {})},
    }
    return Target.of({**settings, **changes})


@pytest.mark.parametrize(
    ("minutes", "units"),
    [
        ([3.6], None),
        ([3.6, 3.4], None),
        ([3.4, 3.6], None),
        ([3.5, 3.5], None),
        ([3.6, 3.6], 6),
        ([0, 0, 5, 7], 10),
        ([7, 5], 10),
        ([2000, 2000], 1000),
    ],
)
def test_two_minutes_above_the_target_raise(minutes: list[float], units: int | None) -> None:
    wanted = track(target(), 5, minutes, 0.0)
    assert (wanted.units if wanted else None) == units


@pytest.mark.parametrize(
    ("minutes", "units"),
    [
        ([0.0] * 14, None),
        ([0.0] * 15, 5),
        ([49.9] * 15, 72),
        ([50.0] + [0.0] * 14, None),
        ([50.0] + [0.0] * 15, 5),
        ([20.0] + [0.0] * 14, 29),
    ],
)
def test_fifteen_minutes_below_it_lower(minutes: list[float], units: int | None) -> None:
    """100 units, a target of 70 %: below 50."""
    wanted = track(target(), 100, minutes, 0.0)
    assert (wanted.units if wanted else None) == units


def test_low_targets_have_a_band_too() -> None:
    low = target(policy={"TargetValue": 20.0})
    assert track(low, 100, [9.9] * 15, 0.0) is not None
    assert track(low, 100, [10.1] * 15, 0.0) is None


def test_nothing_is_lowered_that_may_not_be() -> None:
    assert track(target(policy={"DisableScaleIn": True}), 100, [0.0] * 15, 0.0) is None
    assert track(target(MinimumUnits=100), 100, [0.0] * 15, 0.0) is None
    assert track(target(MaximumUnits=100), 100, [100.0] * 2, 0.0) is None


def test_cooldowns_count_from_the_last_change_in_their_direction() -> None:
    slow = target(policy={"ScaleOutCooldown": 300, "ScaleInCooldown": 600}, out_s=1000.0, in_s=1000.0)
    assert track(slow, 5, [9.0] * 2, 1299.0) is None
    assert track(slow, 5, [9.0] * 2, 1300.0) is not None
    assert track(slow, 100, [1.0] * 15, 1599.0) is None
    assert track(slow, 100, [1.0] * 15, 1600.0) is not None


def test_what_it_says_is_why() -> None:
    wanted = track(target(), 5, [4.0, 4.5], 0.0)
    assert wanted is not None
    assert wanted.why == "4.5 of 5 were consumed, above 70 % for 2 minutes"


class Simulation:
    """A table whose clients ask for `demand` units a second; what it does not have is throttled, bursts aside."""

    def __init__(self, units: int, demand: Callable[[int], float]) -> None:
        self.units, self.demand = units, demand
        self.minutes: list[float] = []
        self.changes: list[tuple[int, int]] = []
        """(minute, units)."""

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            self.minutes.append(min(self.demand(len(self.minutes)), self.units))
            wanted = track(target(), self.units, self.minutes[-15:], len(self.minutes) * MINUTE_S)
            if wanted is not None:
                self.units = wanted.units
                self.changes.append((len(self.minutes), wanted.units))


def test_load_that_doubles_is_followed_within_the_documented_minutes() -> None:
    table = Simulation(100, lambda minute: 60.0 if minute < 30 else 120.0)
    table.run(60)
    assert table.changes[0][0] == 32, "two minutes after it doubled"
    assert [units for _, units in table.changes] == [143, 172]
    assert 120 / table.units <= 0.7
    assert table.changes[-1][0] <= 34


def test_load_that_halves_is_followed_after_a_quarter_of_an_hour() -> None:
    table = Simulation(100, lambda minute: 60.0 if minute < 30 else 30.0)
    table.run(90)
    assert table.changes == [(45, 43)]


def test_spikes_of_a_minute_change_nothing() -> None:
    table = Simulation(100, lambda minute: 100.0 if minute % 5 == 0 else 55.0)
    table.run(200)
    assert table.changes == []


def test_no_load_ends_at_the_minimum_and_stays() -> None:
    table = Simulation(100, lambda _: 0.0)
    table.run(200)
    assert table.changes == [(15, 5)]
