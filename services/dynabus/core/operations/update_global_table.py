"""UpdateGlobalTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateGlobalTable.html

Any number of replicas, to add and to take away in one request, of a table that has some.
"""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.errors import invalid_parameter, validation_error
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.global_tables import (
    GLOBAL_NAME,
    global_description,
    no_such_global,
    no_such_replica,
    replica_exists,
)
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import Member, check, detected, faults_of, read
from dynabus.core.operations.waits import changed

MEMBERS: dict[str, Member] = {"GlobalTableName": GLOBAL_NAME, "ReplicaUpdates": Member("List", required=True)}
_ACTIONS: dict[str, Member] = {"Create": Member("Map"), "Delete": Member("Map")}
_REGION: dict[str, Member] = {"RegionName": Member("String", required=True)}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = check(body, MEMBERS)
    updates, name = _shaped(request["ReplicaUpdates"]), request["GlobalTableName"]
    description = global_description(name, context)
    if description is None:
        raise no_such_global(name)
    replicas = {each["RegionName"] for each in description["Replicas"]}
    for what, region in updates:
        if what == "Create" and region in (*replicas, context.region):
            raise replica_exists(name, region)
        if what == "Delete" and region == context.region:
            raise invalid_parameter("the table of this region goes with DeleteTable")
        if what == "Delete" and region not in replicas:
            raise no_such_replica(name, region)
    newest = context.view.newest
    asked = {"TableName": name, "ReplicaUpdates": [{what: {"RegionName": region}} for what, region in updates]}
    (reply,) = yield Control("UpdateGlobalTable", orjson.dumps(asked))
    answer = bytes(settled(reply)["body"])
    yield changed(context, name, newest)
    return answer


def _shaped(updates: list[Any]) -> list[tuple[str, str]]:
    """(action, region) of each. Raises ApiError; words as DynamoDB was seen to answer."""
    found: list[tuple[str, str]] = []
    faults: list[str] = []
    for number, each in enumerate((read(each, _ACTIONS) for each in updates), 1):
        if len(each) > 1:
            raise invalid_parameter(
                "A ReplicaUpdate structure cannot contain both a create replica action and a delete replica action"
            )
        for what, value in each.items():
            members = read(value, _REGION)
            faults += faults_of(members, _REGION, f"replicaUpdates.{number}.member.{what.lower()}.")
            found.append((what, members.get("RegionName", "")))
    if faults:
        raise detected(faults)
    if not found:
        raise validation_error("One or more parameter values were invalid")
    return found
