"""DescribeTableReplicaAutoScaling.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTableReplicaAutoScaling.html

Auto-admin has the settings, and answers for every table: with one replica, in this cluster's region. DynamoDB answers
for global tables only (`core.tables.auto_scaling`).
"""

from __future__ import annotations

import orjson

from dynabus.core.operations.arns import TABLE, table_name
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin answers."""
    name = table_name(check(body, MEMBERS)["TableName"], context)
    (reply,) = yield Control("DescribeTableReplicaAutoScaling", orjson.dumps({"TableName": name}))
    return bytes(settled(reply)["body"])
