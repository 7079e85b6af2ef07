"""Writes of a table pay its indexes, and an index that has nothing left holds them back."""

from __future__ import annotations

from typing import Any

import orjson
from tests.unit.core.admission.tables import ARN, on_demand, provisioned, put

from dynabus.core.admission import Mode
from dynabus.core.admission.admission import REFUSED, UNCHARGED, Admission
from dynabus.core.admission.authority import Authority
from dynabus.core.admission.messages import LeaseRequest
from dynabus.core.capacity import write_halves
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.charges import MARK
from dynabus.core.messages import ReplyPart
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Outcome
from dynabus.core.tables.indexes import own_description

NAMES = ("by-a", "by-b")


def _index(name: str, write: int) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": name[-1], "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 5 if write else 0, "WriteCapacityUnits": write},
        "IndexArn": f"{ARN}/index/{name}",
    }


class Desk:
    """A router's admission of a table with two indexes, each with an authority of its own."""

    def __init__(self, described: dict[str, Any], units: tuple[int, int], mode: Mode = Mode.ON) -> None:
        self.view = ClusterView()
        described["AttributeDefinitions"] += [{"AttributeName": name, "AttributeType": "S"} for name in "ab"]
        described["CreationDateTime"] = 0.0
        indexes = [_index(name, each) for name, each in zip(NAMES, units, strict=True)]
        self.table = self._take("t-id", "t", {**described, "GlobalSecondaryIndexes": indexes})
        self.authorities = {"t-id": Authority(described, 0.0, is_first=True, now_ms=0.0)}
        for name in NAMES:
            own = own_description({**described, "GlobalSecondaryIndexes": indexes}, "t-id", name)
            self._take(f"t-id.{name}", f"t/index/{name}", own)
            self.authorities[f"t-id.{name}"] = Authority(own, 0.0, is_first=True, now_ms=0.0)
        self.asked: list[LeaseRequest] = []
        self.admission = Admission(
            mode, "router-1", 7, lambda _, request: self.asked.append(request), lambda: 0, self.view.index
        )

    def _take(self, log: str, name: str, described: dict[str, Any]) -> Table:
        partition = {"number": 0, "generation": 1, "lower": b"", "upper": None, "members": ["n1"]}
        message = {
            "id": log,
            "name": name,
            "version": 1,
            "status": "ACTIVE",
            "description": orjson.dumps(described),
            "partitions": [{**partition, "preferred": "n1", "state": "active", "lineage": [], "joining": []}],
        }
        self.view.take("table_metadata", message, 0.0)
        found = self.view.table(log)
        assert found is not None
        return found

    def silence(self, name: str) -> None:
        """Nobody leads this index any more."""
        del self.authorities[f"t-id.{name}"]

    def write(self, now_ms: float, charges: dict[str, int]) -> int:
        """A put that costs the indexes so much; what `take` said."""
        call = put(self.table)
        paid = self.admission.take(call, now_ms)
        for request in self.asked:
            authority = self.authorities.get(request["log"])
            lease = authority.answer(request, "n1", now_ms) if authority is not None else None
            if lease is not None:
                self.admission.answered(lease, now_ms)
        self.asked.clear()
        if paid > REFUSED and paid != UNCHARGED:
            body = MARK + orjson.dumps(charges) + b"\n" if charges else b""
            self.admission.settle(call, paid, Outcome(size=100, body=body).part(0))
        return paid

    def spent(self, log: str) -> int:
        return self.admission.tables[log].shares[1].spent


def error_of(part: ReplyPart) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(part["body"])
    return found


def test_each_index_pays_what_the_leader_counted() -> None:
    desk = Desk(provisioned(50, 50), (50, 50))
    for number in range(10):
        assert desk.write(number * 100.0, {"by-a": 8}) == 2
    assert desk.spent("t-id") == 20
    assert desk.spent("t-id.by-a") == 80
    assert desk.spent("t-id.by-b") == 0, "what was estimated was given back"


def test_an_index_that_has_nothing_left_holds_back_the_tables_writes() -> None:
    desk = Desk(provisioned(1000, 1000), (1000, 1))
    paid = [desk.write(number * 10.0, {"by-a": 2, "by-b": 4}) for number in range(2000)]
    first = paid.index(REFUSED - 2)
    # Five minutes of one unit a second were there, and at the most what one may spend before the first lease came.
    assert 150 <= first <= 420
    assert set(paid[:first]) == {2}
    assert desk.spent("t-id") == 2 * sum(each == 2 for each in paid), "the table got back what it had paid"
    assert desk.spent("t-id.by-a") == desk.spent("t-id"), "and the other index"
    error = error_of(desk.admission.refused(put(desk.table), REFUSED - 2))
    assert error["__type"].endswith("#ProvisionedThroughputExceededException")
    assert error["message"].startswith(
        "The level of configured provisioned throughput for one or more global secondary"
    )
    reason = {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{ARN}/index/by-b"}
    assert error["ThrottlingReasons"] == [reason]
    assert sum(desk.admission.throttled.counts.values()) == sum(each < 0 for each in paid)


def test_an_index_refills_at_its_own_rate() -> None:
    desk = Desk(provisioned(1000, 1000), (1000, 5))
    now_ms = 0.0
    while desk.write(now_ms, {"by-b": write_halves(10_000)}) != REFUSED - 2:
        now_ms += 10.0
    writes = sum(desk.write(now_ms + wait * 100.0, {"by-b": 20}) == 2 for wait in range(600))
    assert 20 <= writes <= 45, "a minute of 5 units, 10 a write"


def test_a_report_passes_and_is_listed_and_counts() -> None:
    desk = Desk(provisioned(1000, 1000), (1000, 1), Mode.REPORT)
    paid = [desk.write(number * 10.0, {"by-b": 4}) for number in range(1000)]
    assert set(paid) == {2}
    assert desk.spent("t-id.by-b") == 4000
    assert desk.admission.throttled.shown()["events"][-1]["reason"] == "IndexWriteProvisionedThroughputExceeded"


def test_an_index_that_nobody_leads_holds_nothing_back() -> None:
    desk = Desk(provisioned(1000, 1000), (1000, 1))
    desk.silence("by-b")
    paid = [desk.write(number * 50.0, {"by-b": 4}) for number in range(2000)]
    assert set(paid[20:]) == {2}, "for longer than a router goes on alone"
    assert desk.spent("t-id.by-b") == 4 * sum(each == 2 for each in paid), "which its next leader is told"


def test_on_demand_indexes_have_what_on_demand_tables_have() -> None:
    desk = Desk(on_demand(), (0, 0))
    assert {desk.write(number * 10.0, {"by-a": 4}) for number in range(500)} == {2}


def test_an_index_without_partitions_yet_pays_nothing() -> None:
    desk = Desk(provisioned(50, 50), (1, 1))
    none = Admission(Mode.ON, "router-1", 7, lambda _, __: None, lambda: 0)
    assert none.take(put(desk.table), 0.0) == 2
    assert [*none.tables] == ["t-id"]


def test_what_was_not_sent_costs_no_index_anything() -> None:
    desk = Desk(provisioned(50, 50), (50, 50))
    call = put(desk.table)
    desk.admission.give_back(call, desk.admission.take(call, 0.0))
    assert [desk.spent(log) for log in desk.authorities] == [0, 0, 0]
