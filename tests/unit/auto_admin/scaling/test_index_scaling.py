"""Auto scaling of a global secondary index in the whole auto-admin: by the code of tables', with its own settings."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.scaling.test_consumption import told
from tests.unit.auto_admin.scaling.test_decisions import TURN_MS, settings
from tests.unit.auto_admin.splitting.test_growth import units
from tests.unit.auto_admin.splitting.test_index_growth import PROVISIONED
from tests.unit.auto_admin.test_index_modes import OWN
from tests.unit.auto_admin.test_indexing import INDEX, NAME, states
from tests.unit.auto_admin.test_service import Life

from dynabus.core.global_indexes import index_log

READS, WRITES = "ProvisionedReadCapacityAutoScalingUpdate", "ProvisionedWriteCapacityAutoScalingUpdate"
REGION = "us-east-1"


class Scaled(Life):
    """A table whose writes cost its index so many units a second; a turn takes a second."""

    def __init__(self) -> None:
        super().__init__("admin-1")
        self.consumed, self._told_ms = 0.0, 0.0
        index = {**INDEX, "ProvisionedThroughput": units(5, 100)}
        self.ask("CreateTable", **{**PROVISIONED, "GlobalSecondaryIndexes": [index]})
        self.until("made", self.is_settled)

    def is_settled(self) -> bool:
        return {state.status for state in states(self).values()} == {"ACTIVE"} and len(states(self)) == 2

    def turn(self) -> None:
        self.kafka.now_ms += TURN_MS - 50
        if self.kafka.now_ms - self._told_ms >= 5000 and self.active() and len(states(self)) == 2:
            period_s, self._told_ms = (self.kafka.now_ms - self._told_ms) / 1000, self.kafka.now_ms
            message = told(states(self)[NAME].id, 0, 0)
            charge = {"index": states(self)[OWN].id, "units": int(2 * self.consumed * min(period_s, 6))}
            message["partitions"][0]["charges"] = [charge]  # type: ignore[list-item]
            self.kafka.messages.append(("heat", message))
        super().turn()

    def minutes(self, count: int) -> None:
        for _ in range(60 * count):
            self.turn()

    def scale(self, **update: Any) -> Any:
        return self.ask("UpdateTableReplicaAutoScaling", TableName=NAME, **update)

    def scale_writes(self, asked: dict[str, Any], index: str = "by-year") -> Any:
        return self.scale(GlobalSecondaryIndexUpdates=[{"IndexName": index, WRITES: asked}])

    @property
    def writes(self) -> int:
        return int(states(self)[OWN].description["ProvisionedThroughput"]["WriteCapacityUnits"])

    @property
    def of_table(self) -> int:
        return int(states(self)[NAME].description["ProvisionedThroughput"]["WriteCapacityUnits"])

    def shown(self) -> Any:
        """Of the index."""
        told = self.ask("DescribeTableReplicaAutoScaling", TableName=NAME)["TableAutoScalingDescription"]
        return told["Replicas"][0]["GlobalSecondaryIndexes"][0]


def test_load_is_followed_up_and_down_and_the_table_stays_as_it_is() -> None:
    life = Scaled()
    life.scale_writes(settings())
    life.consumed = 90.0
    life.minutes(5)
    assert 128 <= life.writes <= 130
    life.consumed = 10.0
    life.minutes(19)
    assert 14 <= life.writes <= 30
    assert life.of_table == 1
    events = str(life.ask("ListEvents", Count=50))
    assert "table music: 5 to 1000 write units of index by-year, target 70 %" in events
    assert "write units of index by-year: " in events
    (target,) = life.ask("DescribePlan")["Scaling"]
    assert (target["table"], target["kind"], target["percent"]) == (OWN, "write", 70.0)
    assert target["consumed"] == pytest.approx(10.0, abs=2)


def test_table_and_index_change_together_within_their_limits() -> None:
    life = Scaled()
    region = {"RegionName": REGION, "ReplicaProvisionedReadCapacityAutoScalingUpdate": settings(least=20)}
    index = {"IndexName": "by-year", READS: settings(least=30)}
    answer = life.scale(
        ReplicaUpdates=[{**region, "ReplicaGlobalSecondaryIndexUpdates": [index]}],
        GlobalSecondaryIndexUpdates=[{"IndexName": "by-year", WRITES: settings(most=50)}],
        ProvisionedWriteCapacityAutoScalingUpdate=settings(least=40),
    )
    assert answer["TableAutoScalingDescription"]["TableStatus"] == "UPDATING"
    life.until("changed", lambda: life.is_settled() and life.writes == 50)
    described = states(life)[NAME].description
    (shown,) = described["GlobalSecondaryIndexes"]
    for throughput, expected in ((described, units(20, 40)), (shown, units(30, 50))):
        assert {name: throughput["ProvisionedThroughput"][name] for name in expected} == expected


def test_more_throughput_of_an_index_gets_its_partitions_first() -> None:
    life = Scaled()
    life.scale_writes(settings(least=3500, most=5000))
    life.until("scaled", lambda: life.is_settled() and life.writes == 3500)
    assert (len(states(life)[OWN].partitions), len(states(life)[NAME].partitions)) == (4, 2)


def test_settings_are_described_and_switched_off_for_each() -> None:
    life = Scaled()
    off = {"AutoScalingDisabled": True, "ScalingPolicies": []}
    assert life.shown() == {
        "IndexName": "by-year",
        "IndexStatus": "ACTIVE",
        "ProvisionedReadCapacityAutoScalingSettings": off,
        "ProvisionedWriteCapacityAutoScalingSettings": off,
    }
    life.scale_writes(settings())
    shown = life.shown()["ProvisionedWriteCapacityAutoScalingSettings"]
    (policy,) = shown["ScalingPolicies"]
    assert policy["PolicyName"] == f"DynamoDBWriteCapacityUtilization:table/{NAME}/index/by-year"
    assert life.shown()["ProvisionedReadCapacityAutoScalingSettings"] == off
    life.scale_writes({"AutoScalingDisabled": True})
    assert life.shown()["ProvisionedWriteCapacityAutoScalingSettings"] == off
    assert "auto scaling of writes of index by-year is off" in str(life.ask("ListEvents", Count=9))


def test_an_index_that_is_not_there() -> None:
    life = Scaled()
    answer = life.scale_writes(settings(), index="none")
    assert answer["message"] == f"Requested resource not found: Index: none of table: {NAME} not found"
    assert not states(life)[NAME].scaling


@pytest.mark.parametrize("updates", [[{WRITES: settings()}], [{"IndexName": "by-year", WRITES: settings()}] * 2])
def test_each_update_names_another_index(updates: list[Any]) -> None:
    life = Scaled()
    answer = life.scale(GlobalSecondaryIndexUpdates=updates)
    assert answer["message"] == "Each update of a global secondary index must name another one."
    assert not states(life)[NAME].scaling


def test_settings_go_with_their_index() -> None:
    life = Scaled()
    life.scale_writes(settings())
    log = states(life)[OWN].id
    assert log == index_log(states(life)[NAME].id, states(life)[NAME].indexes[0]["id"])
    life.ask("UpdateTable", TableName=NAME, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-year"}}])
    life.until("gone", lambda: [*states(life)] == [NAME] and states(life)[NAME].status == "ACTIVE")
    assert not states(life)[NAME].scaling


def test_settings_of_an_index_that_no_router_sends_stop_nobody() -> None:
    life = Scaled()
    wrong = {**settings(), "MinimumUnits": "5"}
    for updates in ([{"IndexName": "by-year", WRITES: wrong}], [7], {"IndexName": "by-year"}):
        message = {"asker": "router-1", "incarnation": 9, "counter": 1, "budget_ms": 1000, "repeat": False}
        body = {"TableName": NAME, "GlobalSecondaryIndexUpdates": updates}
        operation = {"operation": "UpdateTableReplicaAutoScaling", "body": orjson.dumps(body)}
        life.kafka.messages.append(("control_request", {**message, **operation}))
        life.turn()
    assert life.runs == 1
    assert not states(life)[NAME].scaling
