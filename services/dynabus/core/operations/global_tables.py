"""Global tables as the older API (2017.11.29) shows them: over the same replicas as UpdateTable of 2019.11.21.

DynamoDB itself makes no global tables of that version any more. Errors: botocore's model, and ack-api-quirks
(DDB-GLOBALTABLE-004) for the words of GlobalTableNotFoundException; those of the others are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import DYNAMODB, ApiError
from dynabus.core.operations.calls import Context
from dynabus.core.operations.shapes import NAME_PATTERN, Member

GLOBAL_NAME = Member("String", required=True, shortest=3, longest=255, pattern=NAME_PATTERN)
REPLICA: dict[str, Member] = {"RegionName": Member("String")}

_PASSING = ("CREATING", "DELETING", "UPDATING")
"""Statuses of a replica that are those of its global table; the first that there is counts."""


def no_such_global(name: str) -> ApiError:
    message = f"Global table not found: Global table with name: '{name}' does not exist."
    return ApiError(DYNAMODB + "GlobalTableNotFoundException", message)


def exists_already(name: str) -> ApiError:
    message = f"Global table already exists: Global table with name: '{name}' already exists."
    return ApiError(DYNAMODB + "GlobalTableAlreadyExistsException", message)


def no_such_source(name: str) -> ApiError:
    """There is no table to make a global table of."""
    return ApiError(DYNAMODB + "TableNotFoundException", f"Table not found: {name}")


def replica_exists(name: str, region: str) -> ApiError:
    message = f"Replica already exists: global table '{name}' has a replica in region '{region}'."
    return ApiError(DYNAMODB + "ReplicaAlreadyExistsException", message)


def no_such_replica(name: str, region: str) -> ApiError:
    message = f"Replica not found: global table '{name}' has no replica in region '{region}'."
    return ApiError(DYNAMODB + "ReplicaNotFoundException", message)


def global_description(name: str, context: Context) -> dict[str, Any] | None:
    """The DescribeTable of a table with replicas, as the router knows it; None for any other name."""
    table = context.view.tables.get(name)
    if table is None or "Replicas" not in table.description:
        return None
    return {**table.description, "TableStatus": table.status}


def describe_global(description: Mapping[str, Any], own: str) -> dict[str, Any]:
    """A GlobalTableDescription of a table as DescribeTable tells of it in region `own`."""
    status = "CREATING" if description["TableStatus"] == "CREATING" else "ACTIVE"
    group = [{"RegionName": own, "ReplicaStatus": status}, *description.get("Replicas", ())]
    statuses = {each["ReplicaStatus"] for each in group}
    account = description["TableArn"].split(":")[4]
    return {
        "ReplicationGroup": sorted(group, key=lambda each: str(each["RegionName"])),
        "GlobalTableArn": f"arn:aws:dynamodb::{account}:global-table/{description['TableName']}",
        "CreationDateTime": description["CreationDateTime"],
        "GlobalTableStatus": next((each for each in _PASSING if each in statuses), "ACTIVE"),
        "GlobalTableName": description["TableName"],
    }
