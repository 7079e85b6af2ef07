"""A table by its ARN, in every operation that takes a TableName or names tables in a batch."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.operations.cluster import ACCOUNT, REGION, Cluster

from dynabus.core.operations import registry

KEY = {"pk": {"S": "k"}}
BY_NAME: dict[str, dict[str, Any]] = {
    "GetItem": {"Key": KEY},
    "PutItem": {"Item": KEY},
    "UpdateItem": {"Key": KEY},
    "DeleteItem": {"Key": KEY},
    "Query": {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": KEY["pk"]}},
    "Scan": {},
    "DescribeTable": {},
    "UpdateTable": {"DeletionProtectionEnabled": False},
    "DescribeTimeToLive": {},
    "DescribeContinuousBackups": {},
    "DeleteTable": {},
    "DescribeTableReplicaAutoScaling": {},
    "UpdateTimeToLive": {"TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True}},
    "UpdateTableReplicaAutoScaling": {"ProvisionedWriteCapacityAutoScalingUpdate": {"AutoScalingDisabled": True}},
}
"""What each operation needs besides TableName."""

BATCHES: dict[str, Any] = {"BatchGetItem": {"Keys": [KEY]}, "BatchWriteItem": [{"PutRequest": {"Item": KEY}}]}
OPERATIONS = [*BY_NAME, *BATCHES]

FORMAT = (
    "Valid ARN format is 'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/resourceName', where "
    "Resource name must have length less than or equal to 255, "
    "Resource name must have length greater than or equal to 3, "
    "Resource name must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
)
SHORT = "Table name of ARN must have length greater than or equal to 3"


def arn(
    resource: str = "table/tab", region: str = REGION, account: str = ACCOUNT, begin: str = "aws:dynamodb"
) -> str:
    return f"arn:{begin}:{region}:{account}:{resource}"


def request(operation: str, name: str) -> dict[str, Any]:
    if operation in BATCHES:
        return {"RequestItems": {name: BATCHES[operation]}}
    return {"TableName": name, **BY_NAME[operation]}


@pytest.fixture
def table(cluster: Cluster) -> Cluster:
    cluster.table("tab")
    cluster.table("ab.")
    return cluster


def test_all_operations_on_tables_are_here() -> None:
    """CreateTable gives the name; tags are of a ResourceArn; global tables have names; the others name no table."""
    others = {"CreateTable", "TagResource", "UntagResource", "ListTagsOfResource", "ListTables"}
    others |= {"CreateGlobalTable", "DescribeGlobalTable", "ListGlobalTables", "UpdateGlobalTable"}
    assert set(registry.routes) - others - {"DescribeEndpoints", "DescribeLimits"} == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_table_of_this_region_and_account(table: Cluster, operation: str) -> None:
    assert "__type" not in table.answer(operation, request(operation, arn()))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (arn(region="mars-north-1"), "AWS region"),
        (arn(region=""), "AWS region"),
        (arn(region="mars-north-1", account="999999999999"), "AWS region"),
        (arn(begin="aws-cn:dynamodb"), "AWS partition"),
        (arn(begin="aws:s3"), "resource type"),
        (arn("backup/tab"), "resource type"),
    ],
)
def test_elsewhere_and_something_else(table: Cluster, operation: str, wrong: str, what: str) -> None:
    answer = table.answer(operation, request(operation, wrong))
    assert answer["__type"].endswith("#ValidationException")
    assert answer["message"] == f"1 validation error detected: Invalid {what} in '{wrong}'"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_account(table: Cluster, operation: str) -> None:
    answer = table.answer(operation, request(operation, arn(account="999999999999")))
    denied = "com.amazon.coral.service#AccessDeniedException"
    assert answer == {"__type": denied, "message": "Access is denied"}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ("arn:", FORMAT),
        ("arn:aws:dynamodb", FORMAT),
        (arn(""), FORMAT),
        (arn("table"), FORMAT),
        (arn("table/tab/index/i"), FORMAT),
        (arn("table/tab/stream/2026-10-09T00:00:00.000"), FORMAT),
        (arn("table/tab\n"), FORMAT),
        (arn("table/" + "t" * 256), FORMAT),
        (arn("table/"), SHORT),
        (arn("table/ta"), SHORT),
    ],
)
def test_what_is_no_arn_of_a_table(table: Cluster, operation: str, wrong: str, constraint: str) -> None:
    answer = table.answer(operation, request(operation, wrong))
    assert answer["__type"].endswith("#ValidationException")
    failed = f"Value '{wrong}' at 'tableName' failed to satisfy constraint: {constraint}"
    assert answer["message"] == f"1 validation error detected: {failed}"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_arn_is_looked_up_by_its_name(table: Cluster, operation: str) -> None:
    """Names of three characters, and a table that is not there."""
    assert "__type" not in table.answer(operation, request(operation, arn("table/ab.")))
    answer = table.answer(operation, request(operation, arn("table/none")))
    assert answer["__type"].endswith("NotFoundException")


def test_refused_requests_reach_nobody(table: Cluster) -> None:
    for operation in OPERATIONS:
        table.answer(operation, request(operation, arn(region="mars-north-1")))
    assert table.calls == []
    assert {"tab", "ab."} <= set(table.view.tables)
