"""How far logs may be pruned."""

from __future__ import annotations

import pytest

from dynabus.core.pruning import Hold, is_inherited, lineage_of, lowest, needed


def test_whoever_needs_most_holds() -> None:
    holds = needed(["node-1", "node-2", "node-3"], {"node-1": 70, "node-2": 50, "node-3": 60})
    assert lowest([*holds, Hold("the retention", 55)]) == Hold("node-2", 50)
    assert lowest([*holds, Hold("archive", 12)]) == Hold("archive", 12)


def test_who_has_said_nothing_needs_all() -> None:
    assert lowest(needed(["node-1", "node-2"], {"node-1": 70})) == Hold("node-2", 0)


LINE = lineage_of([{"number": 0, "children": [1, 2]}, {"number": 1, "children": [3, 4]}])


@pytest.mark.parametrize(
    ("taken", "inherited"),
    [
        ({2: True, 3: True, 4: True}, {0: True, 1: True}),
        ({2: False, 3: True, 4: True}, {0: False, 1: True}),
        ({2: True, 3: True, 4: False}, {0: False, 1: False}),
        ({2: True, 3: True}, {0: False, 1: False}),
        ({}, {0: False, 1: False}),
    ],
)
def test_an_ancestors_log_waits_for_all_that_came_of_it(taken: dict[int, bool], inherited: dict[int, bool]) -> None:
    assert {number: is_inherited(number, LINE, taken) for number in LINE} == inherited
