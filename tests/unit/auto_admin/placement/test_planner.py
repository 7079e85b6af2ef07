"""Placement: over zones, balanced, and the same for the same inventory."""

from __future__ import annotations

from collections import Counter

import pytest

from dynabus.auto_admin.placement.planner import Candidate, Load, plan

ZONES = "abc"


def nodes(count: int) -> list[Candidate]:
    return [Candidate(f"node-{number}", ZONES[number % 3]) for number in range(count)]


@pytest.mark.parametrize(("count", "replicas", "expected"), [(3, 3, 3), (6, 3, 3), (2, 3, 2), (1, 3, 1), (9, 5, 5)])
def test_a_group_has_as_many_members_as_there_can_be(count: int, replicas: int, expected: int) -> None:
    for placement in plan(4, nodes(count), Load(), replicas):
        assert len(set(placement.members)) == expected
        assert placement.preferred in placement.members


@pytest.mark.parametrize("count", [3, 4, 7, 9])
def test_a_group_lies_in_three_zones(count: int) -> None:
    zones = dict(nodes(count))
    for placement in plan(12, nodes(count), Load(), 3):
        assert {zones[member] for member in placement.members} == set(ZONES)


def test_replicas_and_preferred_leaders_are_balanced() -> None:
    load = Load()
    plan(30, nodes(6), load, 3)
    assert set(load.replicas.values()) == {15}
    assert set(load.preferred.values()) == {5}


def test_existing_load_is_counted() -> None:
    load = Load(Counter({"node-0": 10, "node-1": 10, "node-2": 10}))
    (placement,) = plan(1, nodes(6), load, 3)
    assert set(placement.members) == {"node-3", "node-4", "node-5"}


def test_the_plan_does_not_depend_on_the_order_of_the_inventory() -> None:
    assert plan(5, nodes(6), Load(), 3) == plan(5, reversed(nodes(6)), Load(), 3)


def test_nothing_can_be_placed_on_nothing() -> None:
    with pytest.raises(ValueError, match="no storage node"):
        plan(1, [], Load(), 3)
