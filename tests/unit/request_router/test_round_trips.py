"""How long an answer may take before it is asked for again."""

from __future__ import annotations

from collections import deque

import pytest

from dynabus.request_router.round_trips import BACK_OFF_MOST_MS, USUAL_MOST_MS, RoundTrips

LEAST_MS = 250.0


def test_a_silence_doubles_it_up_to_a_second() -> None:
    trips = RoundTrips(LEAST_MS)
    assert [trips.timeout_ms("node-1", silences) for silences in range(5)] == [250, 500, 1000, 1000, 1000]


def test_fast_answers_leave_the_least() -> None:
    trips = RoundTrips(LEAST_MS)
    for _ in range(100):
        trips.took("node-1", 5.0)
    assert trips.timeout_ms("node-1", 0) == LEAST_MS


def test_a_slow_node_has_its_time_and_others_do_not() -> None:
    trips = RoundTrips(LEAST_MS)
    for _ in range(100):
        trips.took("node-1", 1500.0)
    assert trips.timeout_ms("node-1", 0) == pytest.approx(1500.0, rel=0.01)
    assert trips.timeout_ms("node-1", 3) > BACK_OFF_MOST_MS, "what its answers take, once there were any"
    assert trips.timeout_ms("node-2", 0) == LEAST_MS
    for _ in range(50):
        trips.took("node-1", 5.0)
    assert trips.timeout_ms("node-1", 0) == pytest.approx(LEAST_MS, rel=0.2)


def test_answers_that_waited_for_a_fail_over_do_not_hold_back_the_next_request() -> None:
    trips = RoundTrips(LEAST_MS)
    trips.took("node-1", 5000.0)
    assert trips.timeout_ms("node-1", 0) == trips.timeout_ms("node-1", 3) == USUAL_MOST_MS


def sent_for(requests: int, apart_ms: int, work_ms: int, constant_ms: float | None) -> float:
    """Copies of a request, at a node that works off one in `work_ms`, fed with one in `apart_ms`."""
    trips = RoundTrips(LEAST_MS)
    queue: deque[int] = deque()
    waiting: dict[int, tuple[int, float, int]] = {}
    sent = 0
    for now in range(requests * apart_ms):
        if now % apart_ms == 0:
            waiting[now] = (now, now + (constant_ms or trips.timeout_ms("n", 0)), 0)
            queue.append(now)
            sent += 1
        for request, (begun, due, silences) in waiting.items():
            if due <= now:
                patience = constant_ms or trips.timeout_ms("n", silences + 1)
                waiting[request] = (begun, now + patience, silences + 1)
                queue.append(request)
                sent += 1
        if now % work_ms == 0 and queue and (done := waiting.pop(queue.popleft(), None)) is not None:
            trips.took("n", now - done[0])
    return sent / requests


def test_an_overload_does_not_feed_itself() -> None:
    assert sent_for(400, apart_ms=10, work_ms=12, constant_ms=LEAST_MS) > 2.5, "what a constant timer makes of it"
    assert sent_for(400, apart_ms=10, work_ms=12, constant_ms=None) < 1.5
