"""Tables and calls for tests of admission."""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.cluster_view import ClusterView
from dynabus.core.operations.calls import Call, Code
from dynabus.core.published_table import Table

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/t"


def provisioned(read: int = 5, write: int = 5) -> dict[str, Any]:
    return description(ProvisionedThroughput={"ReadCapacityUnits": read, "WriteCapacityUnits": write})


def on_demand(**more: Any) -> dict[str, Any]:
    return description(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        ProvisionedThroughput={"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        **more,
    )


def description(**more: Any) -> dict[str, Any]:
    return {
        "TableName": "t",
        "TableArn": ARN,
        "TableStatus": "ACTIVE",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        **more,
    }


def table(described: dict[str, Any], version: int = 1) -> Table:
    view = ClusterView()
    partition = {
        "number": 0,
        "generation": 1,
        "lower": b"",
        "upper": None,
        "members": ["n1"],
        "preferred": "n1",
        "state": "ACTIVE",
    }
    message = {
        "id": "t-id",
        "name": "t",
        "version": version,
        "status": "ACTIVE",
        "description": orjson.dumps(described),
        "partitions": [partition],
    }
    view.take("table_metadata", message, 0.0)
    return view.tables["t"]


def put(of: Table, size: int = 100) -> Call:
    key = b"\0" * 8 + b"pk\0\0"
    return Call(of, key, Code.PUT, True, True, key, b"", size)


def get(of: Table, consistent: bool = True) -> Call:
    key = b"\0" * 8 + b"pk\0\0"
    return Call(of, key, Code.GET, False, consistent, key)
