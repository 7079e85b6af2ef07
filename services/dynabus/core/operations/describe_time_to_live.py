"""DescribeTimeToLive. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html

Dynabus deletes no expired items yet and has no UpdateTimeToLive, so DISABLED is the truth for every table. It is
also what DynamoDB answers of a table whose time to live was never set, without an AttributeName; Terraform reads
the status after each apply.
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import no_such_table
from dynabus.core.operations.arns import table_name
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import TABLE_NAME, Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE_NAME}
OFF = orjson.dumps({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody. Message for an unknown table: DynamoDB's as quoted in LocalStack's issue 9030."""
    request = check(body, MEMBERS)
    name = table_name(request["TableName"], context)
    if name not in context.view.tables:
        raise no_such_table(name)
    yield from ()
    return OFF
