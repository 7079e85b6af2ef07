"""What heartbeats name: what is new, and all now and then."""

from __future__ import annotations

from typing import Any

from dynabus.core.heartbeats import WHOLE_EVERY, WHOLE_LEAST_MS, Saying


def state(partition: int, **members: Any) -> Any:
    return {"log": "log", "partition": partition, "next_offset": 7, "checked": [], **members}


def named(saying: Saying, *states: Any, now_ms: float = 0.0) -> tuple[bool, list[int]]:
    said = saying.say(states, now_ms)
    return said.whole, [each["partition"] for each in said.replicas]


def test_the_first_names_all_and_the_next_what_is_new() -> None:
    saying = Saying()
    assert named(saying, state(0), state(1)) == (True, [0, 1])
    assert named(saying, state(0), state(1)) == (False, [])
    assert named(saying, state(0), state(1, next_offset=8)) == (False, [1])
    assert named(saying, state(0), state(1, next_offset=8), state(2)) == (False, [2])


def test_they_are_numbered() -> None:
    saying = Saying()
    assert [saying.say([], 0.0).number for _ in range(3)] == [0, 1, 2]


def test_one_that_is_gone_makes_it_name_the_others() -> None:
    saying = Saying()
    named(saying, state(0), state(1))
    assert named(saying, state(0)) == (True, [0])


def test_a_statement_is_new_and_its_end_is_not() -> None:
    saying = Saying()
    named(saying, state(0))
    assert named(saying, state(0, checked=[7, 1])) == (False, [0])
    assert named(saying, state(0)) == (False, [])
    assert named(saying, state(0, checked=[7, 1])) == (False, [0])
    assert named(saying, state(0, next_offset=9)) == (False, [0])


def test_all_is_named_again_now_and_then() -> None:
    saying = Saying()
    wholes = [named(saying, state(0))[0] for _ in range(2 * WHOLE_EVERY + 1)]
    assert [number for number, whole in enumerate(wholes) if whole] == [0, WHOLE_EVERY, 2 * WHOLE_EVERY]


def test_who_asks_is_answered_with_all_but_not_all_the_time() -> None:
    saying = Saying()
    named(saying, state(0))
    saying.ask()
    assert not saying.due(WHOLE_LEAST_MS - 1)
    assert named(saying, state(0), now_ms=WHOLE_LEAST_MS - 1) == (False, [])
    assert saying.due(WHOLE_LEAST_MS)
    assert named(saying, state(0), now_ms=WHOLE_LEAST_MS) == (True, [0])
    assert not saying.due(2 * WHOLE_LEAST_MS)
