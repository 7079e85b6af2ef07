"""DeleteTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html"""

from __future__ import annotations

import orjson

from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import plain_name, settled
from dynabus.core.operations.shapes import TABLE_NAME, Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE_NAME}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = check(body, MEMBERS)
    request["TableName"] = plain_name(request["TableName"])
    (reply,) = yield Control("DeleteTable", orjson.dumps(request))
    return bytes(settled(reply)["body"])
