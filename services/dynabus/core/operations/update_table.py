"""UpdateTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html

Changes of throughput, billing mode, table class, streams, global secondary indexes, replicas and deletion protection;
those of features that are not built are refused by name. Checked here as far as the request alone goes, decided by
auto-admin (`core.tables.changes`, `core.tables.replica_changes`).

Order: shapes, features, something to do, one thing to do, billing. Sources: ack-api-quirks (DDB-TABLE-433, 442),
dynalite's recorded answers (updateTable).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from dynabus.core.errors import invalid_parameter, no_such_table, validation_error
from dynabus.core.operations.arns import TABLE, table_name
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.index_updates import check_index_updates, index_updates
from dynabus.core.operations.items import settled
from dynabus.core.operations.replica_updates import replica_updates
from dynabus.core.operations.shapes import FLAG, Member, detected, faults_of, read, refuse_unbuilt
from dynabus.core.operations.table_shapes import (
    BILLING,
    TABLE_CLASS,
    attribute_definitions,
    refuse_encryption,
    resolve_mode,
    stream_specification,
    throughput,
    throughput_options,
)
from dynabus.core.operations.table_throughput import check_maximums, check_units
from dynabus.core.operations.waits import updated
from dynabus.core.tables.capacity_changes import CLEAR, neither_units, units_missing
from dynabus.core.tables.replica_changes import check_updates
from dynabus.core.tables.streams import check_specification

MEMBERS: dict[str, Member] = {
    "TableName": TABLE,
    "AttributeDefinitions": Member("List"),
    **BILLING,
    "ProvisionedThroughput": Member("Map"),
    "OnDemandThroughput": Member("Map"),
    "WarmThroughput": Member("Map"),
    "TableClass": TABLE_CLASS,
    "DeletionProtectionEnabled": FLAG,
    "StreamSpecification": Member("Map"),
    "SSESpecification": Member("Map"),
    "GlobalSecondaryIndexUpdates": Member("List"),
    "ReplicaUpdates": Member("List"),
}
_NOT_YET = (
    "VectorIndexUpdates",
    "MultiRegionConsistency",
    "GlobalTableWitnessUpdates",
    "GlobalTableSettingsReplicationMode",
    "DisassociationProtectionEnabled",
)
_CHANGES = (
    "ProvisionedThroughput",
    "BillingMode",
    "TableClass",
    "DeletionProtectionEnabled",
    "WarmThroughput",
    "OnDemandThroughput",
    "StreamSpecification",
    "GlobalSecondaryIndexUpdates",
    "ReplicaUpdates",
)
_ALONE = {
    "ReplicaUpdates": "Replica modification",
    "SSESpecification": "Server-Side Encryption modification",
    "TableClass": "TableClass modification",
    "DeletionProtectionEnabled": "DeletionProtection modification",
    "WarmThroughput": "WarmThroughput",
}
"""What goes with nothing else, in the order in which DynamoDB looks (DDB-TABLE-433; of replicas DDB-TABLE-224)."""


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = _shaped(body)
    _refuse_features(body, request)
    given = [name for name in (*_CHANGES, "SSESpecification") if name in request]
    _check_combination(given)
    _check_index_combination(given, request)
    _check_billing(request)
    check_updates(request.get("ReplicaUpdates", ()), context.region)
    if "StreamSpecification" in request:
        check_specification(request["StreamSpecification"])
    name = request["TableName"] = table_name(request["TableName"], context)
    table = context.view.tables.get(name)
    check_index_updates(request, table.description if table is not None else None)
    _refuse_what_is_off(request, name, context)
    sent = ("TableName", "AttributeDefinitions", *_CHANGES)
    asked = {member: request[member] for member in sent if member in request}
    newest = context.view.newest
    (reply,) = yield Control("UpdateTable", orjson.dumps(asked))
    done = settled(reply)
    answer = bytes(done["body"])
    if done["count"]:  # something has changed
        yield updated(context, answer, newest)
    return answer


def _shaped(body: Request) -> Request:
    request = read(body, MEMBERS)
    faults = faults_of(request, MEMBERS) + attribute_definitions(request) + throughput(request)
    faults += stream_specification(request) + index_updates(request) + replica_updates(request)
    throughput_options(request)
    if faults:
        raise detected(faults)
    resolve_mode(request)
    return request


def _refuse_features(body: Mapping[str, Any], request: Request) -> None:
    """Empty lists count as absent, and so does the consistency that there is; what is switched off is looked at
    later."""
    asked = {name: body.get(name) or None for name in _NOT_YET}
    if asked["MultiRegionConsistency"] == "EVENTUAL":
        asked["MultiRegionConsistency"] = None
    refuse_unbuilt(asked, _NOT_YET)
    refuse_encryption(body)


def _check_combination(given: list[str]) -> None:
    if not given:
        raise validation_error(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, "
            "SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, "
            "MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is "
            "required"
        )
    if len(given) > 1:
        for name, what in _ALONE.items():
            if name in given:
                raise invalid_parameter(f"{what} must be the only operation in the request")
    if "OnDemandThroughput" in given and not set(given) <= {"OnDemandThroughput", "BillingMode"}:
        raise invalid_parameter("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request")
    if "StreamSpecification" in given and "ProvisionedThroughput" in given:
        raise invalid_parameter("You cannot modify stream status while updating table IOPS")


def _check_index_combination(given: list[str], request: Request) -> None:
    """Throughput of indexes may change with that of their table, and with its mode; all else follows each other
    (ours: DynamoDB allows some of it)."""
    if "GlobalSecondaryIndexUpdates" not in given or len(given) == 1:
        return
    only_updates = all([*each] == ["Update"] for each in request["GlobalSecondaryIndexUpdates"])
    with_throughput = set(given) <= {"GlobalSecondaryIndexUpdates", "BillingMode", "ProvisionedThroughput"}
    if not (only_updates and with_throughput):
        raise invalid_parameter("GlobalSecondaryIndexUpdates must be the only operation in the request")


def _check_billing(request: Request) -> None:
    mode = request.get("BillingMode")
    if mode == "PAY_PER_REQUEST" and "ProvisionedThroughput" in request:
        raise neither_units()
    if mode == "PROVISIONED" and "ProvisionedThroughput" not in request:
        raise units_missing()
    check_units(request)
    check_maximums(request, least=CLEAR)


def _refuse_what_is_off(request: Request, name: str, context: Context) -> None:
    """Encryption with a key of one's own: no table has it, so it cannot be switched off."""
    if "SSESpecification" not in request:
        return
    if name not in context.view.tables:
        raise no_such_table(name)
    raise invalid_parameter("Table is already encrypted by default")
