"""DescribeTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html

Answered from the router's metadata, which auto-admin publishes after each decision, and from the heartbeats of the
partitions' leaders, which count what they hold. While the table is being made, changed or deleted the answer waits
for that a little.
"""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import no_such_table
from dynabus.core.operations.arns import TABLE, table_name
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import Member, check
from dynabus.core.operations.waits import settled_state
from dynabus.core.published_table import Table
from dynabus.core.tables.capacity_changes import as_of

MEMBERS: dict[str, Member] = {"TableName": TABLE}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    name = table_name(request["TableName"], context)
    yield settled_state(context, name)
    table = context.view.tables.get(name)
    if table is None:
        raise no_such_table(name)
    description = {**as_of(table.description, context.wall_ms() / 1000), "TableStatus": table.status}
    described = _counted(description, context.view.totals(table))
    if "GlobalSecondaryIndexes" in described:
        described["GlobalSecondaryIndexes"] = [
            _counted_index(each, context.view, table) for each in described["GlobalSecondaryIndexes"]
        ]
    return orjson.dumps({"Table": described})


def _counted_index(index: dict[str, Any], view: ClusterView, table: Table) -> dict[str, Any]:
    """An index's rows, without tombstones."""
    own = view.index(table.id, index["IndexName"])
    totals = view.totals(own) if own is not None else (0, 0)
    return {**index, "ItemCount": totals[0], "IndexSizeBytes": totals[1]}


def _counted(description: dict[str, Any], totals: list[int]) -> dict[str, Any]:
    """With item counts and sizes. DynamoDB brings its own up to date every six hours or so, ours are seconds old."""
    counted = {**description, "ItemCount": totals[0], "TableSizeBytes": totals[1]}
    if "LocalSecondaryIndexes" in counted:
        counted["LocalSecondaryIndexes"] = [
            {**index, "ItemCount": totals[2 * number], "IndexSizeBytes": totals[2 * number + 1]}
            for number, index in enumerate(counted["LocalSecondaryIndexes"], 1)
        ]
    return counted
