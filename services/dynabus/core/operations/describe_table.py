"""DescribeTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html

Answered from the router's metadata, which auto-admin publishes after each decision, and from the heartbeats of the
partitions' leaders, which count what they hold.
"""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.errors import no_such_table
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.items import plain_name
from dynabus.core.operations.shapes import TABLE_NAME, Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE_NAME}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    name = plain_name(request["TableName"])
    table = context.view.tables.get(name)
    if table is None:
        raise no_such_table(name)
    yield from ()
    description = {**table.description, "TableStatus": table.status}
    return orjson.dumps({"Table": _counted(description, context.view.totals(table))})


def _counted(description: dict[str, Any], totals: list[int]) -> dict[str, Any]:
    """With item counts and sizes. DynamoDB brings its own up to date every six hours or so, ours are seconds old."""
    counted = {**description, "ItemCount": totals[0], "TableSizeBytes": totals[1]}
    if "LocalSecondaryIndexes" in counted:
        counted["LocalSecondaryIndexes"] = [
            {**index, "ItemCount": totals[2 * number], "IndexSizeBytes": totals[2 * number + 1]}
            for number, index in enumerate(counted["LocalSecondaryIndexes"], 1)
        ]
    return counted
