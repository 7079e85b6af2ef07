"""The owner of a table's buckets: what it charges, grants, believes and forgets."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.unit.core.admission.tables import on_demand, provisioned

from dynabus.core.admission import authority
from dynabus.core.admission.authority import FORGOTTEN_MS, LEASE_MS, ON_THE_WAY_MS, Authority
from dynabus.core.admission.capacity import GROWTH_MS, WRITE
from dynabus.core.admission.messages import Grant, LeaseRequest, Spending


class Desk:
    """An authority of a table with 50 write units, and routers that count."""

    def __init__(
        self, described: dict[str, Any] | None = None, *, since_ms: float = 0.0, is_first: bool = True
    ) -> None:
        described = described or provisioned(write=50)
        self.authority = Authority(described, since_ms, is_first=is_first, now_ms=since_ms)
        self.numbers: dict[str, int] = {}

    def ask(self, now_ms: float, router: str = "a", age_ms: int = -1, **told: int) -> Grant:
        """The grant of writes."""
        self.numbers[router] = self.numbers.get(router, 0) + 1
        lease = self.authority.answer(request(router, self.numbers[router], age_ms, **told), "n1", now_ms)
        assert lease is not None
        return lease["shares"][WRITE]

    @property
    def level(self) -> int:
        return self.authority.pools[WRITE].bucket.level


def request(router: str, number: int, age_ms: int = -1, **told: int) -> LeaseRequest:
    nothing: Spending = {"spent": 0, "confirmed": 0, "wanted": 0, "level": 0, "capacity": 0}
    writes = cast("Spending", {**nothing, **told})
    return {
        "asker": router,
        "incarnation": 1,
        "number": number,
        "log": "t-id",
        "partition": 0,
        "age_ms": age_ms,
        "shares": [nothing, writes],
    }


def test_what_is_granted_is_not_spent_until_it_is() -> None:
    desk = Desk()
    assert desk.ask(0.0, wanted=1000)["granted"] == 1000
    assert desk.level == 30_000
    assert desk.ask(0.0, spent=400, wanted=1000) == {
        "spent": 400,
        "granted": 1000,
        "rate": 100,
        "level": 29_600,
        "capacity": 100,
    }


def test_others_get_what_nobody_holds_and_no_more_than_their_part() -> None:
    desk = Desk()
    assert desk.ask(0.0, "a", wanted=30_000)["granted"] == 30_000
    assert desk.ask(0.0, "b", wanted=500)["granted"] == 0
    assert desk.ask(10.0, "a", wanted=30_000)["granted"] == 15_000
    assert desk.ask(10.0, "b", wanted=30_000)["granted"] == 7500, "half of what a does not hold"


def test_what_was_held_is_back_when_the_lease_is_over() -> None:
    desk = Desk()
    desk.ask(0.0, "a", wanted=30_000)
    over_ms = LEASE_MS + ON_THE_WAY_MS
    assert desk.ask(over_ms - 1, "b", wanted=400)["granted"] == 0
    assert desk.ask(over_ms, "b", wanted=400)["granted"] == 400


def test_spending_after_the_end_of_a_lease_is_charged() -> None:
    desk = Desk()
    desk.ask(0.0, "a", wanted=30_000)
    desk.ask(20_000.0, "a", spent=31_000)
    assert desk.level == 30_000 - 31_000


def test_a_router_that_was_forgotten_says_itself_what_was_charged() -> None:
    desk = Desk()
    desk.ask(0.0, "a", spent=500, wanted=100)
    desk.ask(FORGOTTEN_MS + 1, "b", wanted=1)
    assert len(desk.authority.pools[WRITE]._lessees) == 1
    desk.ask(FORGOTTEN_MS + 1, "a", spent=600, confirmed=500, wanted=100)
    assert desk.level == 30_000 - 100


def test_estimates_that_were_too_high_are_given_back() -> None:
    desk = Desk()
    desk.ask(0.0, spent=900, wanted=100)
    desk.ask(0.0, spent=700, wanted=100)
    assert desk.level == 30_000 - 700


def test_a_repeated_request_is_not_answered() -> None:
    desk = Desk()
    desk.ask(0.0, spent=900)
    assert desk.authority.answer(request("a", 1, spent=900), "n1", 0.0) is None
    assert desk.level == 30_000 - 900


def test_a_debt_is_repaid_before_anybody_gets_anything() -> None:
    desk = Desk()
    desk.ask(0.0, spent=30_500, wanted=100)
    assert desk.ask(4000.0, spent=30_500, wanted=100)["granted"] == 0
    assert desk.ask(6000.0, spent=30_500, wanted=100)["granted"] == 100


def test_after_a_fail_over_little_is_granted_until_somebody_says_more() -> None:
    desk = Desk(since_ms=50_000.0, is_first=False)
    assert desk.ask(50_500.0, "new", wanted=30_000)["granted"] == 150
    told = {"spent": 90, "confirmed": 40, "level": 2000, "capacity": 100}
    grant = desk.ask(51_000.0, "old", age_ms=3000, wanted=30_000, **told)
    assert grant["level"] == 2000 + 300 - 50, "what it said, refill since, less what was spent since"


@pytest.mark.parametrize(("first", "second"), [((4000, 100), (2000, 70)), ((2000, 70), (4000, 100))])
def test_the_newest_statement_counts(first: tuple[int, int], second: tuple[int, int]) -> None:
    desk = Desk(since_ms=50_000.0, is_first=False)
    for router, (age_ms, level) in (("a", first), ("b", second)):
        desk.ask(50_100.0, router, age_ms=age_ms, level=level, capacity=100)
    assert desk.level == 70 + 200


def test_what_this_authority_itself_said_is_no_news() -> None:
    desk = Desk(since_ms=50_000.0, is_first=False)
    desk.ask(50_100.0, "a", age_ms=4000, level=70, capacity=100)
    desk.ask(60_000.0, "b", age_ms=500, level=29_000, capacity=100)
    assert desk.level < 2000


def test_if_nobody_says_anything_the_table_was_not_in_use() -> None:
    desk = Desk(since_ms=50_000.0, is_first=False)
    desk.ask(50_100.0, wanted=100, spent=30)
    assert desk.ask(53_000.0, wanted=100, spent=30)["level"] == 30_000 - 30


def test_an_on_demand_table_grows_with_its_traffic() -> None:
    desk = Desk(on_demand())
    spent, now_ms = 0, 0.0
    while now_ms <= GROWTH_MS:
        now_ms += 1000.0
        spent += 7000
        desk.ask(now_ms, spent=spent, wanted=8000)
    assert desk.ask(now_ms, spent=spent)["capacity"] == pytest.approx(14_000, rel=0.02)


def test_growth_outlives_an_authority() -> None:
    desk = Desk(on_demand(), since_ms=50_000.0, is_first=False)
    assert desk.ask(50_100.0, age_ms=1000, level=5, capacity=14_000)["capacity"] == 14_000


def test_runs_of_routers_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "ROUTERS_MOST", 50)
    desk = Desk()
    for number in range(55):
        desk.ask(number * 100.0, f"r{number}", wanted=1)
    assert len(desk.authority._numbers) == 50
