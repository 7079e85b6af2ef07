"""`dynabus admin recover`: which replica it goes on from, what it says that this costs, and how far it is."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.cli.problem import Problem
from dynabus.cli.recover import choose, describe, progress


def place(term: int, sequence: int, *, in_log: bool, **more: Any) -> dict[str, Any]:
    return {
        "state": "frozen",
        "alarm": "why",
        "saw_loss": not in_log,
        "in_log": in_log,
        "generation": 1,
        "term": term,
        "next_sequence": sequence,
        "next_offset": 10 * term + sequence,
        "items": sequence,
        "checksum": "00",
        **more,
    }


NODES = ["node-1", "node-2", "node-3"]


def test_the_most_advanced_of_those_that_hold_what_is_lost() -> None:
    places = {
        "node-1": place(3, 9, in_log=False),
        "node-2": place(3, 12, in_log=False),
        "node-3": place(4, 2, in_log=True),
    }
    assert choose(places, None) == "node-2"
    lines = describe(places, NODES, "node-2", "t/0")
    assert "t/0 would go on from the replica of node-2, with its 12 items." in lines
    (lost,) = [line for line in lines if line.startswith("LOST")]
    assert "node-3 has beyond it, up to term 4, sequence 1, written after the loss" in lost


def test_without_any_that_is_ahead_of_the_log_the_most_advanced() -> None:
    places = {"node-1": place(3, 9, in_log=True), "node-3": place(4, 2, in_log=True)}
    assert choose(places, None) == "node-3"
    lines = describe(places, NODES, "node-3", "t/0")
    assert "No other replica that answers has anything that it has not." in lines
    assert any(line.startswith("node-2  silent") for line in lines)


def test_the_operator_may_choose_otherwise_and_is_told_what_that_costs() -> None:
    places = {"node-1": place(3, 9, in_log=True), "node-2": place(3, 12, in_log=False)}
    assert choose(places, "node-1") == "node-1"
    assert any("LOST: what node-2 has beyond it" in line for line in describe(places, NODES, "node-1", "t/0"))


def test_what_the_log_has_lost_is_lost_to_whoever_goes_on_from_the_log_though_its_term_is_later() -> None:
    places = {
        "node-1": place(3, 9, in_log=False),
        "node-2": place(3, 12, in_log=False),
        "node-3": place(4, 2, in_log=True),
    }
    lines = describe(places, NODES, "node-3", "t/0")
    assert [line for line in lines if line.startswith("LOST")] == [
        "LOST: what node-1 has beyond it, up to term 3, sequence 8, what its log has lost.",
        "LOST: what node-2 has beyond it, up to term 3, sequence 11, what its log has lost.",
    ]
    assert not any("No other replica" in line for line in lines)


@pytest.mark.parametrize("unusable", [{"state": "failed"}, {"generation": 0}])
def test_what_cannot_be_read_or_holds_nothing_is_not_chosen(unusable: dict[str, Any]) -> None:
    places = {"node-1": place(9, 9, in_log=False, **unusable), "node-2": place(1, 1, in_log=True)}
    assert choose(places, None) == "node-2"
    with pytest.raises(Problem, match="node-1 has no replica of it that could be read"):
        choose(places, "node-1")
    del places["node-2"]
    for none in (places, {}):
        with pytest.raises(Problem, match="no replica of it answers"):
            choose(none, None)


def test_progress() -> None:
    replica = {"node": "node-1", "state": "restoring"}
    waiting = {**replica, "alarm": "waits"}
    table: dict[str, Any] = {"partitions": [{"id": 0, "leader": None}], "restoring": []}
    assert progress(table, 2) == "decided"
    table["restoring"] = [{"id": 2, "replicas": [replica]}]
    assert progress(table, 2) == "restoring"
    table["restoring"] = [{"id": 2, "replicas": [waiting]}]
    assert progress(table, 2) == "restoring: waits"
    table["partitions"] = [{"id": 2, "leader": None, "replicas": [replica]}]
    assert progress(table, 2) == "restored: node-1 claims"
    table["partitions"][0]["leader"] = "node-1"
    assert progress(table, 2) == "done"
