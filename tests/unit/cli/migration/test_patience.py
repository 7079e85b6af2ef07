"""How long a client goes on asking: by a clock that only its waits move."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from dynabus.cli.migration.client import (
    PATIENCE_S,
    THROTTLED,
    THROTTLED_PATIENCE_S,
    TOO_MANY_AT_ONCE,
    Backoff,
    Client,
    Pulse,
)
from dynabus.cli.migration.endpoint import Refused, Unreachable
from dynabus.cli.migration.tables import wait_until_active
from dynabus.cli.migration.windows import Row
from dynabus.cli.migration.writing import Writer
from dynabus.cli.problem import Problem

THROTTLING = Refused("ProvisionedThroughputExceededException", "slow", 400)
PUT = {"PutRequest": {"Item": {"pk": {"S": "a"}}}}
Answer = Callable[[int, float], Any]


class Clock(Event):
    """Time passes where somebody waits, and nobody is stopped."""

    now_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return False


class Scripted:
    """Answers the number and the time of each request; an exception is raised. A request takes a second."""

    url = "http://127.0.0.1/"

    def __init__(self, clock: Clock, answer: Answer) -> None:
        self.asked = 0
        self._clock = clock
        self._answer = answer

    def call(self, operation: str, body: bytes) -> Any:
        self.asked += 1
        self._clock.now_s += 1.0
        answered = self._answer(self.asked, self._clock.now_s)
        if isinstance(answered, Exception):
            raise answered
        return answered


def asking(answer: Answer) -> tuple[Client, Clock]:
    clock = Clock()
    return Client(Scripted(clock, answer), clock, lambda: clock.now_s), clock


def writer(client: Client) -> Writer:
    return Writer(client, "t", lambda origin, why: None, lambda items: None)


@pytest.fixture(autouse=True)
def _longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.migration.client.random.uniform", lambda least, most: most)


def test_patience_ends_without_progress_only() -> None:
    now = [0.0]
    backoff = Backoff(Event(), Pulse(lambda: now[0]))
    now[0] = PATIENCE_S + 1
    backoff.progressed()
    backoff.wait("why", "where")
    now[0] = 3 * PATIENCE_S
    with pytest.raises(Problem, match="where: no success for 120 s \\(why\\); --resume goes on later"):
        backoff.wait("why", "where")


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_a_page_that_costs_more_than_two_minutes_of_a_tables_units(code: str) -> None:
    client, clock = asking(lambda _, now_s: {} if now_s > 256 else Refused(code, "slow", 400))
    assert client.ask("Scan", {}) == {}
    assert clock.now_s > 256


def test_throttling_without_any_progress_ends_after_an_hour() -> None:
    client, clock = asking(lambda _, now_s: THROTTLING)
    with pytest.raises(Problem) as problem:
        client.ask("Scan", {})
    assert THROTTLED_PATIENCE_S < clock.now_s < THROTTLED_PATIENCE_S + 10
    assert "throttled for 60 minutes without progress (ProvisionedThroughputExceededException: slow)" in str(
        problem.value
    )
    assert "the table's throughput is too low: raise it, then --resume" in str(problem.value)


def test_waits_grow_to_the_longest_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.migration.client.THROTTLED_PATIENCE_S", 20_000.0)
    client, _ = asking(lambda asked, _: {} if asked > 2000 else THROTTLING)
    assert client.ask("Scan", {}) == {}


@pytest.mark.parametrize(
    "failure",
    [Unreachable("gone"), Refused("InternalServerError", "", 500), Refused(TOO_MANY_AT_ONCE, "10 tables", 400)],
    ids=["unreachable", "5xx", "limit"],
)
def test_what_is_no_throttling_ends_after_two_minutes(failure: Exception) -> None:
    client, clock = asking(lambda _, now_s: failure)
    with pytest.raises(Problem, match="no success for 120 s"):
        client.ask("CreateTable", {})
    assert PATIENCE_S < clock.now_s < PATIENCE_S + 10


def test_an_endpoint_that_throttles_is_not_gone() -> None:
    failures = [THROTTLING] * 100 + [Unreachable("gone")] * 10
    client, clock = asking(lambda asked, _: failures[asked - 1] if asked <= len(failures) else {})
    assert client.ask("Scan", {}) == {}
    assert clock.now_s > 4 * PATIENCE_S


def test_one_piece_of_work_is_patient_while_another_gets_on() -> None:
    client, clock = asking(lambda _, now_s: {})
    starved = Backoff(clock, client.pulse)
    for _ in range(5):
        clock.now_s += THROTTLED_PATIENCE_S - 60
        client.ask("Scan", {})
        starved.wait("slow", "where", throttled=True)
        clock.now_s += PATIENCE_S - 20
        client.first("DescribeTable", {})
        starved.wait("gone", "where")
    clock.now_s += THROTTLED_PATIENCE_S + 1
    with pytest.raises(Problem, match="throttled for 60 minutes"):
        starved.wait("slow", "where", throttled=True)


def test_a_batch_of_which_an_item_is_written_every_few_minutes() -> None:
    left = [3]

    def answer(_: int, now_s: float) -> Any:
        left[0] = max(0, 3 - int(now_s // 400))
        return {"UnprocessedItems": {"t": [PUT] * left[0]}}

    client, clock = asking(answer)
    writer(client).write([Row(b"{}", b"{}", "")] * 3)
    assert left == [0]
    assert clock.now_s > 3 * 400


def test_a_batch_of_which_nothing_is_written_ends_after_an_hour() -> None:
    client, clock = asking(lambda _, now_s: {"UnprocessedItems": {"t": [PUT]}})
    with pytest.raises(
        Problem, match=r"throttled for 60 minutes without progress \(1 items of a batch are unprocessed"
    ):
        writer(client).write([Row(b"{}", b"{}", "")])
    assert THROTTLED_PATIENCE_S < clock.now_s < THROTTLED_PATIENCE_S + 10


def test_a_table_that_never_serves_ends_after_two_minutes() -> None:
    client, clock = asking(lambda _, now_s: {"Table": {"TableStatus": "CREATING"}})
    with pytest.raises(Problem, match="no success for 120 s \\(t is CREATING\\)"):
        wait_until_active(client, "t")
    assert clock.now_s < PATIENCE_S + 10
