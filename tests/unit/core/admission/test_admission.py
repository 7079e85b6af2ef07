"""A router's admission: what calls pay, what is settled, what is asked for, and the modes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.admission.tables import ARN, get, on_demand, provisioned, put, table

from dynabus.core.admission import Mode
from dynabus.core.admission.admission import ANSWER_MS, REFUSED, UNCHARGED, Admission
from dynabus.core.admission.authority import LEASE_MS, Authority
from dynabus.core.admission.messages import LeaseRequest
from dynabus.core.errors import conditional_check_failed, validation_error
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Outcome


class Desk:
    """One router's admission; requests for leases are kept, and answered when a test says so."""

    def __init__(self, described: dict[str, Any], mode: Mode = Mode.ON) -> None:
        self.asked: list[LeaseRequest] = []
        self.table = table(described)
        self.admission = Admission(mode, "router-1", 7, lambda _, request: self.asked.append(request), lambda: 0)
        self.authority = Authority(described, 0.0, is_first=True, now_ms=0.0)

    def answer(self, now_ms: float) -> None:
        lease = self.authority.answer(self.asked[-1], "n1", now_ms)
        assert lease is not None
        self.admission.answered(lease, now_ms)

    def use_up(self, now_ms: float = 0.0) -> None:
        """Spend all that the table has."""
        for _ in range(100):
            while self.admission.take(put(self.table), now_ms) != REFUSED:
                pass
            now_ms += 200
            asked = len(self.asked)
            self.admission.take(put(self.table), now_ms)
            if len(self.asked) > asked or self.admission.tables["t-id"].asked_ms is not None:
                self.answer(now_ms)

    @property
    def spent(self) -> list[int]:
        return [share.spent for share in self.admission.tables["t-id"].shares]


def test_a_put_pays_its_size_and_a_get_its_kind() -> None:
    desk = Desk(provisioned(50, 50))
    assert desk.admission.take(put(desk.table, 2000), 0.0) == 4
    assert desk.admission.take(get(desk.table), 0.0) == 2
    assert desk.admission.take(get(desk.table, consistent=False), 0.0) == 1
    assert desk.spent == [3, 4]


@pytest.mark.parametrize(
    ("outcome", "cost"),
    [
        (Outcome(size=5000), 10),
        (Outcome(ReplyStatus.ERROR, orjson.dumps(conditional_check_failed().body()), size=1500), 4),
        (Outcome(ReplyStatus.ERROR, orjson.dumps(validation_error("no").body())), 0),
        (Outcome(ReplyStatus.THROTTLED, b"{}"), 0),
    ],
)
def test_what_a_write_cost_is_settled(outcome: Outcome, cost: int) -> None:
    desk = Desk(provisioned(50, 50))
    call = put(desk.table)
    paid = desk.admission.take(call, 0.0)
    desk.admission.settle(call, paid, outcome.part(0))
    assert desk.spent == [0, cost]


def test_a_write_that_nobody_answered_keeps_its_estimate() -> None:
    desk = Desk(provisioned(50, 50))
    call = put(desk.table)
    desk.admission.settle(call, desk.admission.take(call, 0.0), None)
    assert desk.spent == [0, 2]
    desk.admission.give_back(call, desk.admission.take(call, 0.0))
    assert desk.spent == [0, 2], "what was not sent costs nothing"


def test_one_request_for_a_lease_is_under_way_however_much_is_used() -> None:
    desk = Desk(provisioned(50, 50))
    for _ in range(30):
        desk.admission.take(put(desk.table), 1.0)
        desk.admission.take(get(desk.table), 1.0)
    assert len(desk.asked) == 1
    assert desk.asked[0]["shares"][0]["wanted"] == 0, "nothing was read before it was sent"
    desk.admission.take(put(desk.table), 1.0 + ANSWER_MS)
    assert [request["number"] for request in desk.asked] == [1, 2]


def test_an_answer_to_an_older_request_is_of_no_use() -> None:
    desk = Desk(provisioned(50, 50))
    desk.admission.take(put(desk.table), 0.0)
    late = desk.authority.answer(desk.asked[0], "n1", 0.0)
    assert late is not None
    desk.admission.take(put(desk.table), ANSWER_MS)
    desk.admission.answered(late, ANSWER_MS)
    assert desk.admission.tables["t-id"].asked_ms == ANSWER_MS
    assert desk.authority.answer(desk.asked[0], "n1", ANSWER_MS) is None, "a repeated request charges nothing"


def test_a_lease_half_spent_is_asked_for_anew() -> None:
    desk = Desk(provisioned(50, 50))
    desk.admission.take(put(desk.table), 0.0)
    desk.answer(3.0)
    write = desk.admission.tables["t-id"].shares[1]
    while write.left > write.granted // 2:
        assert len(desk.asked) == 1
        desk.admission.take(put(desk.table), 50.0)
    desk.admission.take(put(desk.table), 50.0)
    assert len(desk.asked) == 2
    assert write.left > 0


def test_a_lease_in_use_is_renewed_before_its_end() -> None:
    desk = Desk(provisioned(50, 50))
    desk.admission.take(put(desk.table), 0.0)
    desk.answer(3.0)
    desk.admission.take(put(desk.table), LEASE_MS - 1100.0)
    assert len(desk.asked) == 1
    desk.admission.take(put(desk.table), LEASE_MS - 900.0)
    assert len(desk.asked) == 2


def test_when_all_is_spent_the_error_has_the_tables_reason() -> None:
    desk = Desk(provisioned(5, 1))
    desk.use_up()
    assert desk.admission.take(put(desk.table), 20_001.0) == REFUSED
    refused = desk.admission.refused(put(desk.table), REFUSED)
    assert refused["status"] == ReplyStatus.THROTTLED
    reasons = [{"reason": "TableWriteProvisionedThroughputExceeded", "resource": ARN}]
    assert orjson.loads(refused["body"])["ThrottlingReasons"] == reasons
    assert desk.admission.take(get(desk.table), 20_001.0) == 2, "reads have a bucket of their own"


def test_a_maximum_is_the_reason_where_one_is_set() -> None:
    desk = Desk(on_demand(OnDemandThroughput={"MaxWriteRequestUnits": 1}))
    desk.use_up()
    body = orjson.loads(desk.admission.refused(put(desk.table), REFUSED)["body"])
    assert body["throttlingReasons"][0]["reason"] == "TableWriteMaxOnDemandThroughputExceeded"


def test_a_report_passes_uncharged_and_is_listed() -> None:
    desk = Desk(provisioned(5, 1), Mode.REPORT)
    admission = desk.admission
    while admission.take(put(desk.table), 0.0) != UNCHARGED:
        pass
    before = desk.spent
    assert admission.take(put(desk.table), 0.0) == UNCHARGED
    assert desk.spent == before
    event = admission.throttled.shown()["events"][-1]
    assert (event["table"], event["key"], event["units"]) == ("t", "pk", 1.0)
    assert event["reason"] == "TableWriteProvisionedThroughputExceeded"


def test_off_counts_nothing() -> None:
    desk = Desk(provisioned(1, 1), Mode.OFF)
    assert {desk.admission.take(put(desk.table), 0.0) for _ in range(5000)} == {UNCHARGED}
    assert desk.asked == []
    assert desk.admission.tables == {}


def test_a_deleted_table_is_forgotten() -> None:
    desk = Desk(provisioned())
    desk.admission.take(put(desk.table), 0.0)
    desk.admission.forget("t-id")
    desk.admission.tick(100_000.0)
    assert len(desk.asked) == 1
    desk.admission.settle(put(desk.table), 2, Outcome(size=1).part(0))
