"""CreateTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html

Checked here, decided by auto-admin, answered while the table is CREATING. Members of features that are not built are
refused by name. Order: shapes, features, billing, keys (dynalite's recorded answers), tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from dynabus.core.errors import invalid_parameter
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import (
    FLAG,
    NEW_TABLE_NAME,
    Member,
    detected,
    faults_of,
    read,
    refuse_unbuilt,
)
from dynabus.core.operations.table_keys import check_keys
from dynabus.core.operations.table_shapes import (
    BILLING,
    TABLE_CLASS,
    attribute_definitions,
    global_indexes,
    key_schema,
    local_indexes,
    refuse_encryption,
    resolve_mode,
    stream_specification,
    throughput,
    throughput_options,
)
from dynabus.core.operations.table_throughput import check_index_throughput, check_maximums, check_units, check_warm
from dynabus.core.operations.tag_resource import check_read, read_tags
from dynabus.core.operations.waits import created
from dynabus.core.tables.capacity_changes import neither_units
from dynabus.core.tables.streams import check_specification

MEMBERS: dict[str, Member] = {
    "AttributeDefinitions": Member("List", required=True),
    "TableName": NEW_TABLE_NAME,
    "KeySchema": Member("List", required=True),
    "LocalSecondaryIndexes": Member("List"),
    "GlobalSecondaryIndexes": Member("List"),
    **BILLING,
    "ProvisionedThroughput": Member("Map"),
    "OnDemandThroughput": Member("Map"),
    "WarmThroughput": Member("Map"),
    "DeletionProtectionEnabled": FLAG,
    "TableClass": TABLE_CLASS,
    "StreamSpecification": Member("Map"),
    "Tags": Member("List"),
}
_NOT_YET = (
    "VectorIndexes",
    "ResourcePolicy",
    "GlobalTableSourceArn",
    "GlobalTableSettingsReplicationMode",
)


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = _shaped(body)
    _refuse_features(body)
    _check_billing(request)
    check_keys(request)
    if "StreamSpecification" in request:
        check_specification(request["StreamSpecification"])
    request["Tags"] = check_read(request.get("Tags", ()))
    (reply,) = yield Control("CreateTable", orjson.dumps(request))
    answer = bytes(settled(reply)["body"])
    yield created(context, answer)
    return answer


def _shaped(body: Request) -> Request:
    """The request with its nested structures; broken constraints of all of them are told together."""
    request = read(body, MEMBERS)
    faults = faults_of(request, MEMBERS)
    faults += attribute_definitions(request) + key_schema(request) + local_indexes(request)
    faults += global_indexes(request) + throughput(request) + stream_specification(request)
    throughput_options(request)
    request["Tags"] = read_tags(request.get("Tags", ()))
    if faults:
        raise detected(faults)
    resolve_mode(request)
    return request


def _refuse_features(body: Mapping[str, Any]) -> None:
    """Harmless defaults pass; whatever asks for something that is not built does not."""
    refuse_unbuilt(body, _NOT_YET)
    refuse_encryption(body)


def _check_billing(request: Request) -> None:
    """Sources: dynalite, and for the two newer kinds of throughput ack-api-quirks (DDB-TABLE-038, 039)."""
    on_demand = request.get("BillingMode") == "PAY_PER_REQUEST"
    if on_demand and "ProvisionedThroughput" in request:
        raise neither_units()
    if not on_demand and "ProvisionedThroughput" not in request:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    check_units(request)
    if not on_demand and "OnDemandThroughput" in request:
        first = next(iter(request["OnDemandThroughput"]))
        raise invalid_parameter(
            f"{first} for OnDemandThroughput cannot be specified when table BillingMode is PROVISIONED."
        )
    check_maximums(request, least=1)
    check_warm(request, on_demand=on_demand)
    for index in request.get("GlobalSecondaryIndexes", ()):
        check_index_throughput(index, on_demand=on_demand)
        check_warm(index, on_demand=on_demand, of=f"index {index['IndexName']}")
