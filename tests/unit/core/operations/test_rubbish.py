"""Rubbish in requests: whatever JSON stands where, the answer is an API error or a good one, never a defect."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from tests.unit.core.operations.cluster import ACCOUNT, REGION, Cluster

from dynabus.core.errors import ApiError
from dynabus.core.operations import registry
from dynabus.core.operations.items import Refused

KEY = {"pk": {"S": "a1"}, "sk": {"S": "01"}}
ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/tab"
VALUES = {":v": {"N": "1"}, ":s": {"S": "a1"}}
REQUESTS: dict[str, dict[str, Any]] = {
    "PutItem": {
        "TableName": "tab",
        "Item": {**KEY, "m": {"M": {"a": {"SS": ["q"]}, "b": {"L": [{"BS": ["AQ=="]}, {"NULL": True}]}}}},
        "ConditionExpression": "attribute_not_exists(#n) OR n < :v",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        "ReturnValues": "ALL_OLD",
        "ReturnConsumedCapacity": "TOTAL",
        "ReturnItemCollectionMetrics": "NONE",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    },
    "GetItem": {
        "TableName": "tab",
        "Key": KEY,
        "ProjectionExpression": "#l[0], n",
        "ExpressionAttributeNames": {"#l": "l"},
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "INDEXES",
    },
    "UpdateItem": {
        "TableName": "tab",
        "Key": KEY,
        "UpdateExpression": "SET n = n + :v, #z.q = :s REMOVE w ADD k :v",
        "ConditionExpression": "n > :v",
        "ExpressionAttributeNames": {"#z": "zz"},
        "ExpressionAttributeValues": VALUES,
        "ReturnValues": "UPDATED_NEW",
    },
    "DeleteItem": {
        "TableName": "tab",
        "Key": KEY,
        "ConditionExpression": "size(l) BETWEEN :v AND :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        "ReturnValues": "ALL_OLD",
    },
    "Query": {
        "TableName": "tab",
        "KeyConditionExpression": "pk = :s AND begins_with(sk, :s)",
        "FilterExpression": "n IN (:v, :v)",
        "ProjectionExpression": "n",
        "ExpressionAttributeValues": VALUES,
        "Limit": 2,
        "ExclusiveStartKey": {"pk": {"S": "a1"}, "sk": {"S": "a1"}},
        "Select": "SPECIFIC_ATTRIBUTES",
        "ScanIndexForward": False,
        "ReturnConsumedCapacity": "TOTAL",
    },
    "Scan": {
        "TableName": "tab",
        "FilterExpression": "n = :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        "Segment": 0,
        "TotalSegments": 2,
        "Limit": 3,
        "ExclusiveStartKey": KEY,
        "Select": "COUNT",
    },
    "BatchGetItem": {
        "RequestItems": {
            "tab": {
                "Keys": [KEY, {"pk": {"S": "a2"}, "sk": {"S": "02"}}],
                "ProjectionExpression": "#n",
                "ExpressionAttributeNames": {"#n": "n"},
                "ConsistentRead": True,
            }
        },
        "ReturnConsumedCapacity": "TOTAL",
    },
    "BatchWriteItem": {
        "RequestItems": {
            "tab": [
                {"PutRequest": {"Item": {"pk": {"S": "b"}, "sk": {"S": "c"}}}},
                {"DeleteRequest": {"Key": {"pk": {"S": "a1"}, "sk": {"S": "09"}}}},
            ]
        },
        "ReturnConsumedCapacity": "TOTAL",
    },
    "CreateTable": {
        "TableName": "new",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        "StreamSpecification": {"StreamEnabled": False},
        "SSESpecification": {"Enabled": False},
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by-n",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
            }
        ],
        "Tags": [{"Key": "a", "Value": "b"}],
        "TableClass": "STANDARD",
        "WarmThroughput": {"ReadUnitsPerSecond": 10, "WriteUnitsPerSecond": 10},
        "DeletionProtectionEnabled": False,
    },
    "CreateGlobalTable": {"GlobalTableName": "tab", "ReplicationGroup": [{"RegionName": "us-east-1"}]},
    "DeleteTable": {"TableName": "nobody"},
    "DescribeContinuousBackups": {"TableName": "tab"},
    "DescribeEndpoints": {"Host": "localhost:8000"},
    "DescribeGlobalTable": {"GlobalTableName": "tab"},
    "DescribeLimits": {},
    "DescribeTable": {"TableName": "tab"},
    "DescribeTableReplicaAutoScaling": {"TableName": "tab"},
    "DescribeTimeToLive": {"TableName": "tab"},
    "ListGlobalTables": {"Limit": 2, "ExclusiveStartGlobalTableName": "aaa", "RegionName": "us-east-1"},
    "ListTables": {"Limit": 2, "ExclusiveStartTableName": "aaa"},
    "ListTagsOfResource": {"ResourceArn": ARN, "NextToken": "x"},
    "TagResource": {"ResourceArn": ARN, "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]},
    "UntagResource": {"ResourceArn": ARN, "TagKeys": ["a", "c"]},
    "UpdateGlobalTable": {"GlobalTableName": "tab", "ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}]},
    "UpdateTimeToLive": {"TableName": "tab", "TimeToLiveSpecification": {"AttributeName": "a", "Enabled": True}},
    "UpdateTable": {
        "TableName": "tab",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "OnDemandThroughput": {"MaxReadRequestUnits": 5, "MaxWriteRequestUnits": -1},
    },
    "UpdateTableReplicaAutoScaling": {
        "TableName": "tab",
        "ProvisionedWriteCapacityAutoScalingUpdate": {"AutoScalingDisabled": True},
        "ReplicaUpdates": [
            {
                "RegionName": "eu-west-1",
                "ReplicaProvisionedReadCapacityAutoScalingUpdate": {
                    "MinimumUnits": 1,
                    "MaximumUnits": 9,
                    "AutoScalingDisabled": False,
                    "AutoScalingRoleArn": "role",
                    "ScalingPolicyUpdate": {
                        "PolicyName": "p",
                        "TargetTrackingScalingPolicyConfiguration": {
                            "TargetValue": 70.5,
                            "ScaleInCooldown": 1,
                            "ScaleOutCooldown": 1,
                            "DisableScaleIn": False,
                        },
                    },
                },
                "ReplicaGlobalSecondaryIndexUpdates": [{"IndexName": "by-x"}],
            }
        ],
        "GlobalSecondaryIndexUpdates": [{"IndexName": "by-x"}],
    },
}
RUBBISH: list[Any] = [
    *(None, True, False, 0, -1, 2**31, 2**63, 1e300, 0.5, "", "x", "tab", "🎉", "\x00", "a" * 300),
    *([], [None], [[]], ["a"] * 300, {}, {"S": "x"}, {"S": 1}, {"N": "1"}, {"N": "x"}, {"N": ""}, {"B": "%"}),
    *({"SS": []}, {"SS": [1]}, {"SS": [[]]}, {"NULL": False}, {"S": "a", "N": "1"}, {"M": -1}, {"L": [1]}),
    *({":v": {"N": "1"}}, {"#n": "n"}, {"#n": 1}, "NOT (a = :v)", "SET", "((((", "a.b[99999999999999999999]"),
]

Place = tuple[Any, ...]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a request where something else can stand."""
    if here:
        yield here
    nested = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in nested:
        yield from places(below, (*here, name))


def replaced(request: Any, place: Place, rubbish: Any) -> Any:
    spoilt = copy.deepcopy(request)
    parent = spoilt
    for name in place[:-1]:
        parent = parent[name]
    parent[place[-1]] = copy.deepcopy(rubbish)
    return spoilt


def renamed(request: Any, place: Place) -> Any:
    spoilt = copy.deepcopy(request)
    parent = spoilt
    for name in place[:-1]:
        parent = parent[name]
    value = parent.pop(place[-1])
    if isinstance(parent, dict):
        parent["zz"] = value
    return spoilt


def survives(cluster: Cluster, operation: str, body: Any) -> None:
    try:
        cluster.run(operation, orjson.loads(orjson.dumps(body)))
    except (ApiError, Refused):
        pass
    except Exception as error:
        raise AssertionError(f"{operation} {body}") from error


@pytest.fixture
def filled(cluster: Cluster) -> Cluster:
    cluster.table("tab", "S")
    for number in range(20):
        item = {"pk": {"S": f"a{number % 5}"}, "sk": {"S": f"{number:02}"}, "n": {"N": str(number)}}
        cluster.ask("PutItem", TableName="tab", Item={**item, "l": {"L": [{"N": "1"}]}})
    return cluster


def test_every_operation_is_here() -> None:
    assert set(REQUESTS) == set(registry.routes)


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_rubbish_anywhere(filled: Cluster, operation: str) -> None:
    request = REQUESTS[operation]
    for place in places(request):
        survives(filled, operation, renamed(request, place))
        for rubbish in RUBBISH:
            if operation != "DeleteTable" or rubbish != "tab":
                survives(filled, operation, replaced(request, place, rubbish))


@pytest.mark.parametrize("body", [None, [], "x", 1, True, {}])
@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_bodies_that_are_no_requests(cluster: Cluster, operation: str, body: Any) -> None:
    answer = cluster.answer(operation, body)
    assert "__type" in answer or operation in ("DescribeLimits", "ListGlobalTables", "ListTables")


def test_two_at_a_time(filled: Cluster) -> None:
    chosen = random.Random(7)
    for _ in range(1500):
        operation = chosen.choice(sorted(set(REQUESTS) - {"DeleteTable"}))
        spoilt = REQUESTS[operation]
        for _ in range(2):
            spoilt = replaced(spoilt, chosen.choice(list(places(spoilt)) or [("x",)]), chosen.choice(RUBBISH))
        survives(filled, operation, spoilt)
