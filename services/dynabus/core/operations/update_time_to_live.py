"""UpdateTimeToLive. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html

Constraints: botocore's model. What DynamoDB refuses for an hour after a change is done at once here, and not refused.
"""

from __future__ import annotations

import orjson

from dynabus.core.operations.arns import table_name
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import TABLE_NAME, Member, detected, faults_of, read
from dynabus.core.operations.waits import changed

MEMBERS: dict[str, Member] = {"TableName": TABLE_NAME, "TimeToLiveSpecification": Member("Map", required=True)}
SPECIFICATION: dict[str, Member] = {
    "AttributeName": Member("String", required=True, shortest=1, longest=255),
    "Enabled": Member("Boolean", required=True),
}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = read(body, MEMBERS)
    faults = faults_of(request, MEMBERS)
    if "TimeToLiveSpecification" in request:
        request["TimeToLiveSpecification"] = read(request["TimeToLiveSpecification"], SPECIFICATION)
        faults += faults_of(request["TimeToLiveSpecification"], SPECIFICATION, "timeToLiveSpecification.")
    if faults:
        raise detected(faults)
    name = request["TableName"] = table_name(request["TableName"], context)
    newest = context.view.newest
    (reply,) = yield Control("UpdateTimeToLive", orjson.dumps(request))
    settled(reply)
    yield changed(context, name, newest)
    return orjson.dumps({"TimeToLiveSpecification": request["TimeToLiveSpecification"]})
