"""What the paired benchmark computes from its samples."""

from __future__ import annotations

import pytest
from bench.paired import Sample, by_kind, line


def test_processes_of_one_kind_are_counted_together() -> None:
    costs = {("node-1", "python"): 2.0, ("node-2", "librdkafka"): 3.0, ("request-router-1", "python"): 4.0}
    assert by_kind(costs) == {"node": 5.0, "request-router": 4.0}


def test_the_ratio_is_the_median_of_the_pairs_and_not_of_all() -> None:
    """Where the machine is half as fast for a while, both of a pair are."""
    this, other = (100.0, 200.0, 105.0), (100.0, 100.0, 100.0)
    pairs = [(Sample(a, 0, {"node": a}), Sample(b, 1, {"node": b})) for a, b in zip(this, other, strict=True)]
    assert line("put", pairs) == "| put | 105 | 100 | 1.050 | 1.00 to 2.00 | node 105 / 100 | 3 |"


def test_kinds_that_take_no_part_are_left_out() -> None:
    pair = (Sample(1.0, 0, {"node": 300.0, "auto-admin": 0.2}), Sample(1.0, 0, {"node": 310.0}))
    assert "| node 300 / 310 |" in line("get", [pair])


@pytest.mark.parametrize("kinds", [{}, {"node": 0.5}])
def test_a_version_without_a_process_costs_nothing_there(kinds: dict[str, float]) -> None:
    pair = (Sample(1.0, 0, {"node": 300.0}), Sample(1.0, 0, kinds))
    assert f"node 300 / {kinds.get('node', 0.0):.0f}" in line("get", [pair])
