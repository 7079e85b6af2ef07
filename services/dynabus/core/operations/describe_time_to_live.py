"""DescribeTimeToLive. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html

DISABLED without an AttributeName is what DynamoDB answers of a table whose time to live was never set; here of one
too where it was switched off. ENABLING and DISABLING last no time. Terraform reads the status after each apply.
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import no_such_table
from dynabus.core.operations.arns import table_name
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import TABLE_NAME, Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE_NAME}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody. Message for an unknown table: DynamoDB's as quoted in LocalStack's issue 9030."""
    request = check(body, MEMBERS)
    name = table_name(request["TableName"], context)
    table = context.view.tables.get(name)
    if table is None:
        raise no_such_table(name)
    yield from ()
    described = {"TimeToLiveStatus": "ENABLED" if table.time_to_live else "DISABLED"}
    if table.time_to_live:
        described["AttributeName"] = table.time_to_live
    return orjson.dumps({"TimeToLiveDescription": described})
