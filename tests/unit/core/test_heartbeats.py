"""What heartbeats name: what is new, and all now and then."""

from __future__ import annotations

from typing import Any

from dynabus.core.heartbeats import NOT_HEARD, WHOLE_EVERY, WHOLE_LEAST_MS, Saying


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


def test_a_pulse_goes_on_while_nothing_is_missed() -> None:
    first = NOT_HEARD.beat(1, 7, True, 10.0)
    assert first.beat(1, 8, False, 20.0) is first
    assert (first.heard_ms, first.number) == (20.0, 8)


def test_a_pulse_ends_with_a_whole_heartbeat_a_missed_one_and_another_run() -> None:
    for following in ((1, 8, True), (1, 9, False), (2, 8, False)):
        first = NOT_HEARD.beat(1, 7, True, 10.0)
        assert first.beat(*following, 20.0) is not first
        assert first.heard_ms == 10.0


def test_what_does_not_begin_with_a_whole_one_confirms_nothing_later() -> None:
    first = NOT_HEARD.beat(1, 7, False, 10.0)
    assert first.beat(1, 8, False, 20.0) is not first
    assert (first.heard_ms, NOT_HEARD.heard_ms) == (10.0, float("-inf"))
