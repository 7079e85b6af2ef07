"""DescribeTableReplicaAutoScaling and UpdateTableReplicaAutoScaling; sources as in `core.tables.auto_scaling`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from tests.unit.core.operations.cluster import ACCOUNT, REGION, Cluster

from dynabus.core.operations import update_table_replica_auto_scaling as update
from dynabus.core.operations.shapes import Member

SERVICE: Any = botocore.session.get_session().get_service_model("dynamodb")
FAILED = "Failed to update settings for global table with name"
OFF = {"AutoScalingDisabled": True, "ScalingPolicies": []}
WRITES = "ProvisionedWriteCapacityAutoScalingUpdate"
INDEX_READS = "ProvisionedReadCapacityAutoScalingUpdate"
READS = "ReplicaProvisionedReadCapacityAutoScalingUpdate"


def settings(least: int = 5, most: int = 50, percent: float = 70.0, **policy: Any) -> dict[str, Any]:
    return {
        "MinimumUnits": least,
        "MaximumUnits": most,
        "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": percent, **policy}},
    }


def replica(**more: Any) -> list[dict[str, Any]]:
    return [{"RegionName": REGION, **more}]


@pytest.fixture
def scaled(cluster: Cluster) -> Cluster:
    """With a provisioned table t of 5 read and 5 write units, and one that is on demand."""
    cluster.ask(
        "CreateTable",
        TableName="provisioned",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    cluster.table("on-demand")
    return cluster


def change(cluster: Cluster, **more: Any) -> Any:
    return cluster.ask("UpdateTableReplicaAutoScaling", TableName="provisioned", **more)


def message(cluster: Cluster, **more: Any) -> str:
    return cluster.message("UpdateTableReplicaAutoScaling", **{"TableName": "provisioned", **more})


def described(cluster: Cluster, table: str = "provisioned") -> Any:
    answer = cluster.ask("DescribeTableReplicaAutoScaling", TableName=table)["TableAutoScalingDescription"]
    (found,) = answer["Replicas"]
    return (
        found["ReplicaProvisionedReadCapacityAutoScalingSettings"],
        found["ReplicaProvisionedWriteCapacityAutoScalingSettings"],
    )


def test_what_was_never_set_is_disabled(scaled: Cluster) -> None:
    for table in ("provisioned", "on-demand"):
        assert scaled.ask("DescribeTableReplicaAutoScaling", TableName=table) == {
            "TableAutoScalingDescription": {
                "TableName": table,
                "TableStatus": "ACTIVE",
                "Replicas": [
                    {
                        "RegionName": REGION,
                        "GlobalSecondaryIndexes": [],
                        "ReplicaProvisionedReadCapacityAutoScalingSettings": OFF,
                        "ReplicaProvisionedWriteCapacityAutoScalingSettings": OFF,
                        "ReplicaStatus": "ACTIVE",
                    }
                ],
            }
        }


def test_settings_are_described_as_they_were_given(scaled: Cluster) -> None:
    policy = {"DisableScaleIn": True, "ScaleInCooldown": -1, "ScaleOutCooldown": 60}
    own = settings(percent=55, **policy)
    own["ScalingPolicyUpdate"]["PolicyName"] = "mine"
    change(scaled, ReplicaUpdates=replica(**{READS: own}), **{WRITES: {**settings(), "AutoScalingRoleArn": "x"}})
    reads, writes = described(scaled)
    assert (reads["MinimumUnits"], reads["MaximumUnits"]) == (5, 50)
    assert "AutoScalingDisabled" not in reads
    assert reads["AutoScalingRoleArn"].startswith(f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/")
    configuration = {**policy, "TargetValue": 55.0}
    assert reads["ScalingPolicies"] == [
        {"PolicyName": "mine", "TargetTrackingScalingPolicyConfiguration": configuration}
    ]
    assert writes["ScalingPolicies"] == [
        {
            "PolicyName": "DynamoDBWriteCapacityUtilization:table/provisioned",
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0},
        }
    ]
    assert writes["AutoScalingRoleArn"] == reads["AutoScalingRoleArn"]


def test_switching_off_tells_what_was_and_leaves_the_other(scaled: Cluster) -> None:
    change(scaled, ReplicaUpdates=replica(**{READS: settings()}), **{WRITES: settings()})
    off = {"AutoScalingDisabled": True}
    answer = change(scaled, ReplicaUpdates=replica(**{READS: off}))["TableAutoScalingDescription"]["Replicas"][0]
    assert answer["ReplicaProvisionedReadCapacityAutoScalingSettings"]["MaximumUnits"] == 50
    assert described(scaled)[0] == OFF
    assert described(scaled)[1]["MaximumUnits"] == 50
    assert "TableAutoScalingDescription" in change(scaled, ReplicaUpdates=replica(**{READS: off}))


def test_units_outside_of_the_limits_change_at_once(scaled: Cluster) -> None:
    answer = change(scaled, **{WRITES: settings(least=10)})
    assert answer["TableAutoScalingDescription"]["TableStatus"] == "UPDATING"
    table = scaled.ask("DescribeTable", TableName="provisioned")["Table"]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 10
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    answer = change(scaled, **{WRITES: settings(least=10, most=10)})
    assert answer["TableAutoScalingDescription"]["TableStatus"] == "ACTIVE"


def test_unknown_tables(scaled: Cluster) -> None:
    for operation in ("DescribeTableReplicaAutoScaling", "UpdateTableReplicaAutoScaling"):
        answer = scaled.ask(operation, TableName="none", **({WRITES: settings()} if operation[0] == "U" else {}))
        assert answer["__type"].endswith("#ResourceNotFoundException")
        assert answer["message"] == "Global table with name: 'none' does not exist."


def test_a_table_by_its_arn(scaled: Cluster) -> None:
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/provisioned"
    assert "TableAutoScalingDescription" in scaled.ask("DescribeTableReplicaAutoScaling", TableName=arn)
    answer = scaled.ask("UpdateTableReplicaAutoScaling", TableName=arn, **{WRITES: settings()})
    assert answer["TableAutoScalingDescription"]["TableName"] == "provisioned"


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({}, "'MaximumUnits', 'ScalingPolicyUpdate', 'MinimumUnits'"),
        ({"AutoScalingDisabled": False}, "'MaximumUnits', 'ScalingPolicyUpdate', 'MinimumUnits'"),
        ({"AutoScalingRoleArn": "r"}, "'MaximumUnits', 'ScalingPolicyUpdate', 'MinimumUnits'"),
        ({"MinimumUnits": 1, "MaximumUnits": 2}, "'ScalingPolicyUpdate'"),
        ({"ScalingPolicyUpdate": settings()["ScalingPolicyUpdate"]}, "'MaximumUnits', 'MinimumUnits'"),
        ({**settings(), "MinimumUnits": None}, "'MinimumUnits'"),
    ],
)
def test_every_update_is_whole(scaled: Cluster, asked: dict[str, Any], missing: str) -> None:
    wanted = f"{FAILED}: ‘provisioned’: Parameters {missing} are required unless auto scaling is being disabled."
    assert message(scaled, **{WRITES: asked}) == wanted
    assert message(scaled, ReplicaUpdates=replica(**{READS: asked})) == wanted


def test_nothing_goes_with_switching_off(scaled: Cluster) -> None:
    off = {"AutoScalingDisabled": True}
    text = f"{FAILED} ‘provisioned’: Parameters %s must be left blank when disabling auto scaling."
    both = {**off, "MinimumUnits": 1, "MaximumUnits": 2}
    assert message(scaled, **{WRITES: both}) == text % "'MaximumUnits', 'MinimumUnits'"
    policy = {**off, "ScalingPolicyUpdate": settings()["ScalingPolicyUpdate"]}
    assert message(scaled, **{WRITES: policy}) == text % "'ScalingPolicyUpdate'"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (settings(least=6, most=5), "Maximum capacity cannot be less than minimum capacity"),
        (
            settings(percent=90.1),
            "For predefined metric type DynamoDBWriteCapacityUtilization, target value must be between '10.0' and "
            "'90.0', but was '90.1'.",
        ),
        (
            settings(percent=9),
            "For predefined metric type DynamoDBWriteCapacityUtilization, target value must be between '10.0' and "
            "'90.0', but was '9.0'.",
        ),
        (
            settings(percent=0),
            "For target tracking scaling, target value must be between '8.51592E-109' and '1.174271E108', but was "
            "'0.0'.",
        ),
    ],
)
def test_what_application_auto_scaling_refuses(scaled: Cluster, asked: dict[str, Any], words: str) -> None:
    assert message(scaled, **{WRITES: asked}) == words
    assert described(scaled) == (OFF, OFF)


def test_other_regions_and_indexes_are_not_there(scaled: Cluster) -> None:
    answer = change(scaled, ReplicaUpdates=[{"RegionName": "mars-1", READS: settings()}])
    assert answer["__type"].endswith("#ResourceNotFoundException")
    for indexed in (
        {"GlobalSecondaryIndexUpdates": [{"IndexName": "by-x", WRITES: settings()}]},
        {
            "ReplicaUpdates": replica(
                ReplicaGlobalSecondaryIndexUpdates=[{"IndexName": "by-x", INDEX_READS: settings()}]
            )
        },
    ):
        assert change(scaled, **indexed)["__type"].endswith("#ResourceNotFoundException")
    assert "specified more than once" in message(scaled, ReplicaUpdates=replica() * 2)
    assert "specified for region: ‘eu-west-1’." in message(scaled, ReplicaUpdates=replica())
    assert "at least one update parameter must be specified." in message(scaled)


def test_on_demand_tables_have_no_units_to_scale(scaled: Cluster) -> None:
    text = message(scaled, TableName="on-demand", ReplicaUpdates=replica(**{READS: settings()}))
    assert text == (
        "Failed to update global table with name ‘on-demand‘. Replicas 'EU-WEST-1' BillingMode is PayPerRequest. You "
        "must convert table's BillingMode to PROVISIONED to set parameters: "
        "'ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate'."
    )
    off = {"AutoScalingDisabled": True}
    answer = scaled.ask("UpdateTableReplicaAutoScaling", TableName="on-demand", **{WRITES: off})
    assert "TableAutoScalingDescription" in answer


def test_constraints_are_told_with_their_places(scaled: Cluster) -> None:
    bad = settings(least=0)
    bad["ScalingPolicyUpdate"]["PolicyName"] = "ä"
    del bad["ScalingPolicyUpdate"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    text = message(scaled, ReplicaUpdates=replica(**{READS: bad}))
    place = "replicaUpdates.1.member.replicaProvisionedReadCapacityAutoScalingUpdate"
    assert text.startswith("3 validation errors detected: ")
    assert f"Value '0' at '{place}.minimumUnits'" in text
    assert f"'{place}.scalingPolicyUpdate.policyName'" in text
    assert f"'{place}.scalingPolicyUpdate.targetTrackingScalingPolicyConfiguration.targetValue'" in text
    assert "'replicaUpdates' failed" in message(scaled, ReplicaUpdates=[])
    for value in ("7", True, [7]):
        wrong = settings()
        wrong["ScalingPolicyUpdate"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] = value
        assert change(scaled, **{WRITES: wrong})["__type"].endswith("#SerializationException")


STRUCTURES: dict[str, Mapping[str, Member]] = {
    "UpdateTableReplicaAutoScalingInput": update.MEMBERS,
    "ReplicaAutoScalingUpdate": update.REPLICA,
    "ReplicaGlobalSecondaryIndexAutoScalingUpdate": update.REPLICA_INDEX,
    "GlobalSecondaryIndexAutoScalingUpdate": update.INDEX,
    "AutoScalingSettingsUpdate": update.SETTINGS,
    "AutoScalingPolicyUpdate": update.POLICY,
    "AutoScalingTargetTrackingScalingPolicyConfigurationUpdate": update.TARGET,
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_are_those_of_the_service_model(name: str) -> None:
    shape, members = SERVICE.shape_for(name), STRUCTURES[name]
    assert set(members) == set(shape.members)
    assert {each for each, member in members.items() if member.required} == set(shape.required_members)
    kinds = {"structure": "Map", "list": "List", "long": "Integer", "integer": "Integer", "double": "Double"}
    for each, inner in shape.members.items():
        assert members[each].type == kinds.get(inner.type_name, inner.type_name.capitalize()), each
        if inner.type_name == "long":
            assert members[each].least == inner.metadata.get("min"), each


def test_other_regions_are_told_of_and_asked_themselves(scaled: Cluster) -> None:
    """DDB-TABLE-265: in order of their names, the own one included."""
    scaled.ask("UpdateTable", TableName="on-demand", ReplicaUpdates=[{"Create": {"RegionName": "us-east-1"}}])
    shown = scaled.ask("DescribeTableReplicaAutoScaling", TableName="on-demand")["TableAutoScalingDescription"]
    assert [each["RegionName"] for each in shown["Replicas"]] == [REGION, "us-east-1"]
    assert shown["Replicas"][1] == {"RegionName": "us-east-1", "ReplicaStatus": "CREATING"}
    there = [{"RegionName": "us-east-1", READS: settings()}]
    text = message(scaled, TableName="on-demand", ReplicaUpdates=there)
    assert text.endswith("those of the replica in region: ‘us-east-1’ are changed in that region.")
