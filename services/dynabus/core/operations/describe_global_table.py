"""DescribeGlobalTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeGlobalTable.html"""

from __future__ import annotations

import orjson

from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.global_tables import GLOBAL_NAME, describe_global, global_description, no_such_global
from dynabus.core.operations.shapes import Member, check

MEMBERS: dict[str, Member] = {"GlobalTableName": GLOBAL_NAME}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    name = check(body, MEMBERS)["GlobalTableName"]
    description = global_description(name, context)
    if description is None:
        raise no_such_global(name)
    yield from ()
    return orjson.dumps({"GlobalTableDescription": describe_global(description, context.region)})
