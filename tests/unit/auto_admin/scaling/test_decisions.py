"""Auto scaling in the whole auto-admin: minutes of load, decisions, partitions, limits, events."""

from __future__ import annotations

from typing import Any

import orjson
from tests.unit.auto_admin.scaling.test_consumption import told
from tests.unit.auto_admin.splitting.test_growth import PROVISIONED, units
from tests.unit.auto_admin.splitting.test_splits import partitions
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.metrics import AdminMetrics
from dynabus.auto_admin.tables.decisions import TableState

NAME = REQUEST["TableName"]
TURN_MS = 1000.0


def settings(least: int = 5, most: int = 1000, percent: float = 70, **policy: Any) -> dict[str, Any]:
    return {
        "MinimumUnits": least,
        "MaximumUnits": most,
        "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": percent, **policy}},
    }


class Scaled(Life):
    """A provisioned table that consumes so many write units a second; a turn takes a second."""

    def __init__(self, *names: str, write: int = 100) -> None:
        super().__init__(*names)
        self.consumed, self._told_ms = 0.0, 0.0
        self.ask("CreateTable", **{**PROVISIONED, "ProvisionedThroughput": units(5, write)})
        self.until("active", lambda: self.status() == "ACTIVE" and self.rows() == ["ACTIVE"])

    def turn(self) -> None:
        self.kafka.now_ms += TURN_MS - 50
        if self.kafka.now_ms - self._told_ms >= 5000 and self.active():
            period_s, self._told_ms = (self.kafka.now_ms - self._told_ms) / 1000, self.kafka.now_ms
            for state in self.active()[0].tables.all().values():
                if self.consumed:
                    half_units = int(2 * self.consumed * min(period_s, 6))
                    self.kafka.messages.append(("heat", told(state.id, 0, half_units)))
        super().turn()

    def scale(self, **update: Any) -> Any:
        return self.ask("UpdateTableReplicaAutoScaling", TableName=NAME, **update)

    def minutes(self, count: int) -> None:
        for _ in range(60 * count):
            self.turn()

    @property
    def state(self) -> TableState:
        (found,) = self.active()[0].tables.all().values()
        return found

    @property
    def writes(self) -> int:
        return int(self.state.description["ProvisionedThroughput"]["WriteCapacityUnits"])


def test_load_is_followed_up_and_down() -> None:
    life = Scaled()
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings())
    life.consumed = 60.0
    life.minutes(20)
    assert life.writes == 100
    life.consumed = 90.0
    life.minutes(4)
    assert 128 <= life.writes <= 130
    life.consumed = 30.0
    life.minutes(14)
    assert life.writes >= 128
    life.minutes(6)
    # The minute in which it fell is one of the fifteen, so 43 at least and what that minute needed at most.
    assert 43 <= life.writes <= 60
    told_throughput = life.state.description["ProvisionedThroughput"]
    assert told_throughput["NumberOfDecreasesToday"] == 1
    assert told_throughput["ReadCapacityUnits"] == 5, "reads have no settings"
    events = str(life.ask("ListEvents", Count=50))
    assert "table music: 5 to 1000 write units, target 70 %" in events
    assert "above 70 % for 2 minutes" in events
    assert "below 50 % for 15 minutes" in events
    families = {family.name: family for family in AdminMetrics(life.active()[0]).collect()}
    assert {tuple(sample.labels.values()) for sample in families["dynabus_scalings"].samples} >= {
        ("write", "out"),
        ("write", "in"),
    }


def test_limits_are_enforced_when_they_are_set() -> None:
    life = Scaled()
    answer = life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings(least=200))
    assert answer["TableAutoScalingDescription"]["TableStatus"] == "UPDATING"
    life.until("raised", lambda: life.writes == 200 and life.state.status == "ACTIVE")
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings(least=1, most=50))
    life.until("lowered", lambda: life.writes == 50)
    assert "maximum capacity was set to 50" in str(life.ask("ListEvents", Count=5))


def test_more_throughput_gets_its_partitions_first() -> None:
    life = Scaled(write=1000)
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings(most=5000))
    life.consumed = 2000.0
    life.minutes(6)
    life.until("scaled", lambda: life.state.status == "ACTIVE")
    assert 2850 <= life.writes <= 2950
    assert len(partitions(life)) == 3


def test_decreases_are_limited_as_with_updates() -> None:
    """Four a day are free. The wall clock of this world stands still, so no hour passes."""
    life = Scaled()
    for read in (4, 3, 2, 1):
        life.ask("UpdateTable", TableName=NAME, ProvisionedThroughput=units(read, 100))
        life.until("active", lambda: life.state.status == "ACTIVE")
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings())
    life.minutes(25)
    assert life.writes == 100
    assert life.state.status == "ACTIVE"


def test_what_rises_does_not_wait_for_what_may_not_be_lowered_any_more() -> None:
    life = Scaled()
    for read in (9, 8, 7, 6):
        life.ask("UpdateTable", TableName=NAME, ProvisionedThroughput=units(read + 1, 100))
        life.until("active", lambda: life.state.status == "ACTIVE")
        life.ask("UpdateTable", TableName=NAME, ProvisionedThroughput=units(read, 100))
        life.until("active", lambda: life.state.status == "ACTIVE")
    reads = {"ReplicaProvisionedReadCapacityAutoScalingUpdate": settings(least=1)}
    life.scale(
        ReplicaUpdates=[{"RegionName": "us-east-1", **reads}], ProvisionedWriteCapacityAutoScalingUpdate=settings()
    )
    life.consumed = 60.0
    life.minutes(20)
    assert life.writes == 100
    life.consumed = 90.0
    life.minutes(4)
    assert life.writes >= 128
    assert life.state.description["ProvisionedThroughput"]["ReadCapacityUnits"] == 6


def test_a_standby_that_takes_over_has_the_minutes_and_the_settings() -> None:
    life = Scaled("admin-1", "admin-2")
    life.restarts = False
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings())
    life.minutes(12)
    (active,) = life.active()
    life.admins = {name: admin for name, admin in life.admins.items() if admin is not active}
    life.until("the standby leads", lambda: life.active())
    life.minutes(6)
    assert life.writes == 5, "fifteen minutes, over both"


def test_an_on_demand_table_keeps_its_settings_and_is_not_scaled() -> None:
    life = Scaled()
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings())
    life.ask("UpdateTable", TableName=NAME, BillingMode="PAY_PER_REQUEST")
    life.until("on demand", lambda: life.state.status == "ACTIVE")
    life.minutes(20)
    assert life.state.description["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    replica = life.ask("DescribeTableReplicaAutoScaling", TableName=NAME)["TableAutoScalingDescription"]["Replicas"][
        0
    ]
    shown = replica["ReplicaProvisionedWriteCapacityAutoScalingSettings"]
    assert (shown["AutoScalingDisabled"], shown["MaximumUnits"]) == (True, 1000)


def test_settings_that_no_router_sends_stop_nobody() -> None:
    life = Scaled()
    wrong: list[dict[str, Any]] = [
        {"ProvisionedWriteCapacityAutoScalingUpdate": {**settings(), "MinimumUnits": "5"}},
        {"ReplicaUpdates": [{}]},
        {"ReplicaUpdates": 7},
        {"ProvisionedWriteCapacityAutoScalingUpdate": {**settings(), "ScalingPolicyUpdate": {}}},
    ]
    for bad in wrong:
        life.kafka.messages.append(
            (
                "control_request",
                {
                    "asker": "router-1",
                    "incarnation": 9,
                    "counter": 1,
                    "budget_ms": 1000,
                    "repeat": False,
                    "operation": "UpdateTableReplicaAutoScaling",
                    "body": orjson.dumps({"TableName": NAME, **bad}),
                },
            )
        )
        life.turn()
    assert not life.state.scaling
    life.scale(ProvisionedWriteCapacityAutoScalingUpdate=settings())
    assert life.state.scaling
