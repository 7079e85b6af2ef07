"""What replicas say of their checksums, and what whoever hears them makes of it."""

from __future__ import annotations

from typing import Any

from dynabus.core.agreement import AGAIN, EVERY, KEPT, Agreement, Statements


def state(checked: list[int], next_offset: int = 10**9, generation: int = 1) -> Any:
    return {"log": "a", "partition": 0, "generation": generation, "next_offset": next_offset, "checked": checked}


def test_a_busy_replica_says_the_last_multiple_once() -> None:
    statements = Statements()
    assert statements.say(100, 1) == []
    statements.passed(EVERY, 7)
    assert statements.say(EVERY + 5, 8) == [EVERY, 7]
    assert statements.say(EVERY + 6, 9) == []


def test_a_resting_replica_says_its_place_and_repeats_it_seldom() -> None:
    statements = Statements()
    assert statements.say(100, 1 << 63) == []
    assert statements.say(100, 1 << 63) == [100, -(1 << 63)]
    said = [statements.say(100, 1 << 63) for _ in range(AGAIN)]
    assert said == [[]] * (AGAIN - 1) + [[100, -(1 << 63)]]


def heard(*said: tuple[str, list[int]]) -> Agreement:
    agreement = Agreement()
    for node, checked in said:
        agreement.heard(node, state(checked))
    return agreement


def test_equal_sums_and_sums_at_other_places_are_no_difference() -> None:
    assert not list(heard(("node-1", [8, 1]), ("node-2", [8, 1]), ("node-3", [9, 2])).differences())


def test_a_difference_names_partition_offset_and_nodes() -> None:
    (found,) = heard(("node-3", [8, 2]), ("node-1", [8, 1]), ("node-2", [8, 1])).differences()
    assert (found.log, found.partition, found.generation, found.offset) == ("a", 0, 1, 8)
    assert str(found) == "replicas differ at offset 8: node-1, node-2 against node-3"


def test_replicas_that_agree_later_do_not_differ_any_more() -> None:
    agreement = heard(("node-1", [8, 1]), ("node-2", [8, 2]), ("node-1", [9, 3]), ("node-2", [9, 3]))
    assert not list(agreement.differences())


def test_a_replica_that_stays_behind_with_another_sum_is_not_forgotten() -> None:
    agreement = heard(("node-1", [8, 1]), ("node-2", [8, 1]), ("node-3", [8, 2]), ("node-1", [9, 3]))
    agreement.heard("node-2", state([9, 3]))
    (found,) = agreement.differences()
    assert found.offset == 8


def test_a_replica_that_begins_anew_takes_back_what_it_said() -> None:
    agreement = heard(("node-1", [8, 1]), ("node-2", [8, 2]))
    agreement.heard("node-2", state([], next_offset=3))
    assert not list(agreement.differences())
    agreement.heard("node-2", state([8, 1]))
    assert not list(agreement.differences())


def test_generations_are_not_compared_with_each_other() -> None:
    agreement = heard(("node-1", [8, 1]))
    agreement.heard("node-2", state([8, 2], generation=2))
    assert not list(agreement.differences())


def test_what_is_kept_is_bounded_and_goes_with_the_table() -> None:
    agreement = Agreement()
    for offset in range(3 * KEPT):
        agreement.heard("node-1", state([offset, offset]))
    agreement.heard("node-2", state([3 * KEPT - KEPT - 1, 99]))
    assert not list(agreement.differences())
    agreement.heard("node-2", state([3 * KEPT - 1, 99]))
    assert len(list(agreement.differences())) == 1
    agreement.forget("a")
    assert not list(agreement.differences())
