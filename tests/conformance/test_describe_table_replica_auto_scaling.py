"""DescribeTableReplicaAutoScaling. DDB-TABLE-n: ack-api-quirks, what DynamoDB was seen to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.test_update_table import units

Refused = Callable[..., tuple[str, str]]
MakeTable = Callable[..., str]
OFF = {"AutoScalingDisabled": True, "ScalingPolicies": []}


def test_a_table_that_was_never_scaled(db: Any, make_table: MakeTable) -> None:
    """DDB-TABLE-189 has the members. DynamoDB answers for global tables only, here every table is one replica."""
    provisioned = make_table("scaling-described", ("pk", "S"), ProvisionedThroughput=units(5, 6))
    for table in (provisioned, make_table("scaling-on-demand", ("pk", "S"))):
        answer = db.describe_table_replica_auto_scaling(TableName=table)["TableAutoScalingDescription"]
        assert answer == {
            "TableName": table,
            "TableStatus": "ACTIVE",
            "Replicas": [
                {
                    "RegionName": "us-east-1",
                    "GlobalSecondaryIndexes": [],
                    "ReplicaProvisionedReadCapacityAutoScalingSettings": OFF,
                    "ReplicaProvisionedWriteCapacityAutoScalingSettings": OFF,
                    "ReplicaStatus": "ACTIVE",
                }
            ],
        }


def test_by_arn(db: Any, make_table: MakeTable) -> None:
    """DDB-TABLE-254."""
    table = make_table("scaling-arn", ("pk", "S"))
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    answer = db.describe_table_replica_auto_scaling(TableName=arn)
    assert answer["TableAutoScalingDescription"]["TableName"] == table


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """DDB-TABLE-254."""
    code, message = refused(db.describe_table_replica_auto_scaling, TableName="scaling-none")
    assert (code, message) == (
        "ResourceNotFoundException",
        "Global table with name: 'scaling-none' does not exist.",
    )


def test_a_name_is_wanted(db: Any, refused: Refused) -> None:
    code, message = refused(db.describe_table_replica_auto_scaling)
    assert code == "ValidationException"
    assert "Value null at 'tableName' failed to satisfy constraint: Member must not be null" in message
