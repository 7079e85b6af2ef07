"""DeleteTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html"""

from __future__ import annotations

import orjson

from dynabus.core.operations.arns import TABLE, table_name
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import Member, check
from dynabus.core.operations.waits import deleted

MEMBERS: dict[str, Member] = {"TableName": TABLE}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = check(body, MEMBERS)
    request["TableName"] = table_name(request["TableName"], context)
    (reply,) = yield Control("DeleteTable", orjson.dumps(request))
    answer = bytes(settled(reply)["body"])
    yield deleted(context, answer)
    return answer
