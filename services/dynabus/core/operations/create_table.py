"""CreateTable. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html

Checked here, decided by auto-admin, answered while the table is CREATING. Members of features that are not built are
refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from dynabus.core.errors import validation_error
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
from dynabus.core.operations.table_shapes import attribute_definitions, key_schema, local_indexes, throughput

BILLING = Member("String", values=("PROVISIONED", "PAY_PER_REQUEST"))
MEMBERS: dict[str, Member] = {
    "AttributeDefinitions": Member("List", required=True),
    "TableName": NEW_TABLE_NAME,
    "KeySchema": Member("List", required=True),
    "LocalSecondaryIndexes": Member("List"),
    "BillingMode": BILLING,
    "ProvisionedThroughput": Member("Map"),
    "DeletionProtectionEnabled": FLAG,
    "TableClass": Member("String", values=("STANDARD", "STANDARD_INFREQUENT_ACCESS")),
}
UNITS_MOST = 1_000_000_000_000
"""Of provisioned throughput. Source: dynalite's recorded answers (validations/createTable)."""

_NOT_YET = (
    "GlobalSecondaryIndexes",
    "Tags",
    "ResourcePolicy",
    "OnDemandThroughput",
    "WarmThroughput",
    "GlobalTableSourceArn",
    "GlobalTableSettingsReplicationMode",
)


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    request = _shaped(body)
    _refuse_features(body)
    _check_billing(request)
    check_keys(request)
    (reply,) = yield Control("CreateTable", orjson.dumps(request))
    return bytes(settled(reply)["body"])


def _shaped(body: Request) -> Request:
    """The request with its nested structures; broken constraints of all of them are told together."""
    request = read(body, MEMBERS)
    faults = faults_of(request, MEMBERS)
    faults += attribute_definitions(request) + key_schema(request) + local_indexes(request) + throughput(request)
    if faults:
        raise detected(faults)
    return request


def _refuse_features(body: Mapping[str, Any]) -> None:
    """Harmless defaults pass; whatever asks for something that is not built does not."""
    refuse_unbuilt({name: body.get(name) or None for name in _NOT_YET}, _NOT_YET)
    stream = body.get("StreamSpecification")
    if stream is not None and stream != {"StreamEnabled": False}:
        refuse_unbuilt(body, ("StreamSpecification",))
    sse = body.get("SSESpecification")
    if sse is not None and sse != {"Enabled": False}:
        refuse_unbuilt(body, ("SSESpecification",))


def _check_billing(request: Request) -> None:
    throughput = request.get("ProvisionedThroughput")
    if request.get("BillingMode", "PROVISIONED") == "PAY_PER_REQUEST":
        if throughput is not None:
            raise validation_error(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
                "specified when BillingMode is PAY_PER_REQUEST"
            )
        return
    if throughput is None:
        raise validation_error(
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be "
            "specified when BillingMode is PROVISIONED"
        )
    for name, units in throughput.items():
        if units > UNITS_MOST:
            raise validation_error(f"Given value {units} for {name} is out of bounds")
