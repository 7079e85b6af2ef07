"""UpdateTableReplicaAutoScaling. DDB-TABLE-n: ack-api-quirks, what DynamoDB was seen to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.test_update_table import units
from tests.integration.cluster import wait_until

Refused = Callable[..., tuple[str, str]]
MakeTable = Callable[..., str]
FAILED = "Failed to update settings for global table with name"
WRITES = "ProvisionedWriteCapacityAutoScalingUpdate"
READS = "ReplicaProvisionedReadCapacityAutoScalingUpdate"
SETTINGS_OF = {
    "reads": "ReplicaProvisionedReadCapacityAutoScalingSettings",
    "writes": "ReplicaProvisionedWriteCapacityAutoScalingSettings",
}


def settings(least: int = 5, most: int = 50, percent: float = 70.0, **policy: Any) -> dict[str, Any]:
    return {
        "MinimumUnits": least,
        "MaximumUnits": most,
        "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": percent, **policy}},
    }


def reads(asked: dict[str, Any]) -> dict[str, Any]:
    return {"ReplicaUpdates": [{"RegionName": "us-east-1", READS: asked}]}


@pytest.fixture
def table(make_table: MakeTable, request: pytest.FixtureRequest) -> str:
    """A table of the test's own with 5 read and 6 write units."""
    name = f"scaled-{request.node.originalname}-{abs(hash(request.node.name)) % 10**6}"[:255]
    return make_table(name, ("pk", "S"), ProvisionedThroughput=units(5, 6))


@pytest.fixture
def change(db: Any, table: str) -> Callable[..., Any]:
    def ask(**more: Any) -> Any:
        answer = db.update_table_replica_auto_scaling(TableName=table, **more)
        return answer["TableAutoScalingDescription"]

    return ask


Change = Callable[..., Any]


def described(db: Any, table: str, kind: str) -> Any:
    answer = db.describe_table_replica_auto_scaling(TableName=table)["TableAutoScalingDescription"]
    return answer["Replicas"][0][SETTINGS_OF[kind]]


def test_settings_are_kept_and_described(db: Any, table: str, change: Change) -> None:
    """DDB-TABLE-189: a policy as it was given; 253: cooldowns of any sign. 193: DescribeTable shows nothing of it."""
    before = db.describe_table(TableName=table)["Table"]
    policy = {"DisableScaleIn": True, "ScaleInCooldown": -1, "ScaleOutCooldown": 60}
    own = settings(percent=55, **policy)
    own["ScalingPolicyUpdate"]["PolicyName"] = "mine"
    answer = change(**reads(own), **{WRITES: settings()})
    assert answer["Replicas"][0][SETTINGS_OF["reads"]] == described(db, table, "reads")
    shown = described(db, table, "reads")
    assert (shown["MinimumUnits"], shown["MaximumUnits"]) == (5, 50)
    assert "AutoScalingDisabled" not in shown
    assert shown["AutoScalingRoleArn"].endswith("AWSServiceRoleForApplicationAutoScaling_DynamoDBTable")
    configuration = {**policy, "TargetValue": 55.0}
    assert shown["ScalingPolicies"] == [
        {"PolicyName": "mine", "TargetTrackingScalingPolicyConfiguration": configuration}
    ]
    (named,) = described(db, table, "writes")["ScalingPolicies"]
    assert named["PolicyName"] == f"DynamoDBWriteCapacityUtilization:table/{table}"
    assert db.describe_table(TableName=table)["Table"] == before


def test_switching_off(db: Any, table: str, change: Change) -> None:
    """DDB-TABLE-242: the answer shows what was, the other kind stays, twice is as good as once."""
    change(**reads(settings()), **{WRITES: settings()})
    off = {"AutoScalingDisabled": True}
    assert change(**reads(off))["Replicas"][0][SETTINGS_OF["reads"]]["MaximumUnits"] == 50
    assert described(db, table, "reads") == {"AutoScalingDisabled": True, "ScalingPolicies": []}
    assert described(db, table, "writes")["MaximumUnits"] == 50
    change(**reads(off))


def test_units_below_the_minimum_are_raised_at_once(db: Any, table: str, change: Change) -> None:
    """DDB-TABLE-314: the answer says UPDATING already."""
    assert change(**{WRITES: settings(least=12)})["TableStatus"] == "UPDATING"

    def raised() -> bool:
        found = db.describe_table(TableName=table)["Table"]
        return bool(found["ProvisionedThroughput"]["WriteCapacityUnits"] == 12 and found["TableStatus"] == "ACTIVE")

    wait_until("raised", raised)
    found = db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
    assert (found["ReadCapacityUnits"], found["NumberOfDecreasesToday"]) == (5, 0)


def test_units_above_the_maximum_are_lowered_and_that_is_counted(db: Any, table: str, change: Change) -> None:
    change(**{WRITES: settings(least=1, most=2)})
    wait_until(
        "lowered",
        lambda: db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"] == 2,
    )
    assert db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({}, "'MaximumUnits', 'ScalingPolicyUpdate', 'MinimumUnits'"),
        ({"AutoScalingDisabled": False}, "'MaximumUnits', 'ScalingPolicyUpdate', 'MinimumUnits'"),
        ({"MinimumUnits": 1, "MaximumUnits": 2}, "'ScalingPolicyUpdate'"),
        ({"ScalingPolicyUpdate": settings()["ScalingPolicyUpdate"]}, "'MaximumUnits', 'MinimumUnits'"),
    ],
)
def test_an_update_is_whole(db: Any, table: str, refused: Refused, asked: dict[str, Any], missing: str) -> None:
    """DDB-TABLE-241, 253."""
    found = refused(db.update_table_replica_auto_scaling, TableName=table, **reads(asked))
    text = f"{FAILED}: ‘{table}’: Parameters {missing} are required unless auto scaling is being disabled."
    assert found == ("ValidationException", text)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (settings(least=6, most=5), "Maximum capacity cannot be less than minimum capacity"),
        (settings(percent=90.1), "target value must be between '10.0' and '90.0', but was '90.1'"),
        (settings(percent=0), "target value must be between '8.51592E-109' and '1.174271E108', but was '0.0'"),
        ({"AutoScalingDisabled": True, "MinimumUnits": 1}, "'MinimumUnits' must be left blank when disabling"),
    ],
)
def test_values_that_are_refused(db: Any, table: str, refused: Refused, asked: dict[str, Any], words: str) -> None:
    """DDB-TABLE-242, 253."""
    code, message = refused(db.update_table_replica_auto_scaling, TableName=table, **{WRITES: asked})
    assert code == "ValidationException"
    assert words in message


def test_accepted_targets(change: Change) -> None:
    """DDB-TABLE-253: the guide says 20 to 90."""
    for percent in (10, 19.9, 90):
        change(**reads(settings(percent=percent)))


def test_places_that_are_not_there(db: Any, table: str, refused: Refused) -> None:
    """DDB-TABLE-253, 254, 255."""
    update = db.update_table_replica_auto_scaling
    assert refused(update, TableName="scaled-none", **reads(settings())) == (
        "ResourceNotFoundException",
        "Global table with name: 'scaled-none' does not exist.",
    )
    elsewhere = {"ReplicaUpdates": [{"RegionName": "eu-west-1", READS: settings()}]}
    assert refused(update, TableName=table, **elsewhere)[0] == "ResourceNotFoundException"
    index = {"GlobalSecondaryIndexUpdates": [{"IndexName": "none", WRITES: settings()}]}
    assert refused(update, TableName=table, **index)[0] == "ResourceNotFoundException"
    twice = {"ReplicaUpdates": [{"RegionName": "us-east-1", READS: settings()}] * 2}
    assert refused(update, TableName=table, **twice) == (
        "ValidationException",
        f"{FAILED}: ‘{table}’ because the regions: ‘[us-east-1]’ were specified more than once.",
    )
    nothing = {"ReplicaUpdates": [{"RegionName": "us-east-1"}]}
    assert refused(update, TableName=table, **nothing) == (
        "ValidationException",
        f"{FAILED}: ‘{table}’ because at least one update parameter must be specified for region: ‘us-east-1’.",
    )


def test_an_index_has_settings_of_its_own(db: Any) -> None:
    """Its limits are enforced when they are set, as a table's are."""
    index = {
        "IndexName": "by-who",
        "KeySchema": [{"AttributeName": "who", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": units(5, 6),
    }
    table = "scaled-index"
    db.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "who")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        ProvisionedThroughput=units(5, 6),
        GlobalSecondaryIndexes=[index],
    )
    db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    update = {"IndexName": "by-who", "ProvisionedReadCapacityAutoScalingUpdate": settings(least=9)}
    db.update_table_replica_auto_scaling(
        TableName=table,
        GlobalSecondaryIndexUpdates=[{"IndexName": "by-who", WRITES: settings(percent=50.0)}],
        ReplicaUpdates=[{"RegionName": "us-east-1", "ReplicaGlobalSecondaryIndexUpdates": [update]}],
    )
    wait_until("changed", lambda: db.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    (shown,) = db.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]
    assert shown["ProvisionedThroughput"]["ReadCapacityUnits"] == 9
    answer = db.describe_table_replica_auto_scaling(TableName=table)["TableAutoScalingDescription"]
    (told,) = answer["Replicas"][0]["GlobalSecondaryIndexes"]
    assert (told["IndexName"], told["IndexStatus"]) == ("by-who", "ACTIVE")
    (policy,) = told["ProvisionedWriteCapacityAutoScalingSettings"]["ScalingPolicies"]
    assert policy["PolicyName"] == f"DynamoDBWriteCapacityUtilization:table/{table}/index/by-who"
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 50.0
    assert told["ProvisionedReadCapacityAutoScalingSettings"]["MinimumUnits"] == 9


def test_an_on_demand_table(db: Any, make_table: MakeTable, refused: Refused) -> None:
    """DDB-TABLE-317."""
    table = make_table("scaled-on-demand", ("pk", "S"))
    code, message = refused(db.update_table_replica_auto_scaling, TableName=table, **reads(settings()))
    assert (code, message) == (
        "ValidationException",
        f"Failed to update global table with name ‘{table}‘. Replicas 'US-EAST-1' BillingMode is PayPerRequest. You "
        "must convert table's BillingMode to PROVISIONED to set parameters: "
        "'ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate'.",
    )
    db.update_table_replica_auto_scaling(TableName=table, **reads({"AutoScalingDisabled": True}))


def test_settings_outlive_a_change_to_on_demand(db: Any, table: str, change: Change) -> None:
    """DDB-TABLE-317: kept, and shown as disabled."""
    change(**reads(settings()))
    db.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    wait_until("on demand", lambda: db.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    shown = described(db, table, "reads")
    assert (shown["AutoScalingDisabled"], shown["MinimumUnits"], shown["MaximumUnits"]) == (True, 5, 50)


def test_constraints(db: Any, table: str, refused: Refused) -> None:
    """Those of the service model."""
    code, message = refused(db.update_table_replica_auto_scaling, TableName=table, **reads(settings(least=0)))
    assert code == "ValidationException"
    assert (
        "Value '0' at 'replicaUpdates.1.member.replicaProvisionedReadCapacityAutoScalingUpdate.minimumUnits' failed "
        "to satisfy constraint: Member must have value greater than or equal to 1" in message
    )
