"""CreateGlobalTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateGlobalTable.html

Replicas of a table that is here, all at once: what UpdateTable does one by one. The replicas' tables are made; one
that is there and empty, with the same key, becomes a replica.
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import invalid_parameter
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.global_tables import GLOBAL_NAME, REPLICA
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import Member, check, read
from dynabus.core.operations.waits import changed

MEMBERS: dict[str, Member] = {
    "GlobalTableName": GLOBAL_NAME,
    "ReplicationGroup": Member("List", required=True),
}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = check(body, MEMBERS)
    group = [read(each, REPLICA) for each in request["ReplicationGroup"]]
    if not group:
        raise invalid_parameter("Global table must have atleast one replica")
    if any("RegionName" not in each for each in group):
        raise invalid_parameter("ReplicationGroup members must specify RegionName")
    name, newest = request["GlobalTableName"], context.view.newest
    asked = {"TableName": name, "Regions": [each["RegionName"] for each in group]}
    (reply,) = yield Control("CreateGlobalTable", orjson.dumps(asked))
    answer = bytes(settled(reply)["body"])
    yield changed(context, name, newest)
    return answer
