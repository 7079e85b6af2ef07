"""What the past may take of a leader."""

from __future__ import annotations

import pytest

from dynabus.core.global_tables.ledbat import LEAST, MOST, Delays, Ledbat

TARGET_MS, EACH_MS, BASE_MS = 10.0, 0.1, 5.0


def answered(window: Ledbat, others_ms: float, times: int = 200) -> None:
    """By a leader that works off what is under way, each change in `EACH_MS`, and others' requests before it."""
    for _ in range(times):
        window.answered(int(window.size), BASE_MS + others_ms + EACH_MS * window.size, BASE_MS)


def test_it_takes_what_the_target_allows_of_an_idle_leader() -> None:
    window = Ledbat(TARGET_MS)
    answered(window, others_ms=0.0)
    assert window.size * EACH_MS == pytest.approx(TARGET_MS, rel=0.1)


def test_it_yields_to_others_and_comes_back() -> None:
    window = Ledbat(TARGET_MS)
    answered(window, others_ms=5.0)
    assert window.size * EACH_MS == pytest.approx(5.0, rel=0.1)
    answered(window, others_ms=50.0)
    assert window.size == LEAST
    answered(window, others_ms=0.0)
    assert window.size * EACH_MS == pytest.approx(TARGET_MS, rel=0.1)


def test_one_slow_answer_is_not_a_queue() -> None:
    window = Ledbat(TARGET_MS)
    answered(window, others_ms=0.0)
    before = window.size
    window.answered(int(before), 500.0, BASE_MS)
    assert window.size == pytest.approx(before, rel=0.1)


def test_it_has_bounds() -> None:
    window = Ledbat(TARGET_MS)
    for _ in range(50):
        window.answered(int(window.size), BASE_MS, BASE_MS)
    assert window.size == MOST
    for _ in range(20):
        window.refused()
    assert window.size == LEAST


def test_the_base_is_the_least_of_the_last_minutes() -> None:
    delays = Delays()
    delays.note(5.0, 0.0)
    for minute in range(1, 10):
        delays.note(20.0 + minute, 60_000.0 * minute)
    assert delays.base_ms == 5.0
    delays.note(30.0, 60_000.0 * 10)
    assert delays.base_ms == 21.0
