"""DescribeTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html

Answered from the router's metadata, which auto-admin publishes after each decision.
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import no_such_table
from dynabus.core.operations.arns import TABLE, table_name
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    name = table_name(request["TableName"], context)
    table = context.view.tables.get(name)
    if table is None:
        raise no_such_table(name)
    yield from ()
    return orjson.dumps({"Table": {**table.description, "TableStatus": table.status}})
