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
    fault,
    faults_of,
    read,
    refuse_unbuilt,
)

BILLING = Member("String", values=("PROVISIONED", "PAY_PER_REQUEST"))
MEMBERS: dict[str, Member] = {
    "AttributeDefinitions": Member("List", required=True),
    "TableName": NEW_TABLE_NAME,
    "KeySchema": Member("List", required=True),
    "BillingMode": BILLING,
    "ProvisionedThroughput": Member("Map"),
    "DeletionProtectionEnabled": FLAG,
    "TableClass": Member("String", values=("STANDARD", "STANDARD_INFREQUENT_ACCESS")),
}
_ATTRIBUTE: dict[str, Member] = {
    "AttributeName": Member("String", required=True, shortest=1, longest=255),
    "AttributeType": Member("String", required=True, values=("B", "N", "S")),
}
_KEY: dict[str, Member] = {
    "AttributeName": Member("String", required=True, shortest=1, longest=255),
    "KeyType": Member("String", required=True, values=("HASH", "RANGE")),
}
_THROUGHPUT: dict[str, Member] = {
    "ReadCapacityUnits": Member("Integer", required=True, least=1),
    "WriteCapacityUnits": Member("Integer", required=True, least=1),
}
KEYS_MOST = 2
UNITS_MOST = 1_000_000_000_000
"""Of provisioned throughput. Source: dynalite's recorded answers (validations/createTable)."""

_NOT_YET = (
    "LocalSecondaryIndexes",
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
    _check_keys(request["KeySchema"], request["AttributeDefinitions"])
    (reply,) = yield Control("CreateTable", orjson.dumps(request))
    return bytes(settled(reply)["body"])


def _shaped(body: Request) -> Request:
    """The request with its nested structures; broken constraints of all of them are told together."""
    request = read(body, MEMBERS)
    faults = faults_of(request, MEMBERS)
    for name, members in (("AttributeDefinitions", _ATTRIBUTE), ("KeySchema", _KEY)):
        request[name] = [read(each, members) for each in request.get(name, [])]
        for number, each in enumerate(request[name], 1):
            faults += faults_of(each, members, f"{name[0].lower()}{name[1:]}.{number}.member.")
    if "KeySchema" in body and not 1 <= len(request["KeySchema"]) <= KEYS_MOST:
        bound = "less than or equal to 2" if request["KeySchema"] else "greater than or equal to 1"
        faults.append(fault(_java(request["KeySchema"]), "keySchema", f"Member must have length {bound}"))
    if "ProvisionedThroughput" in request:
        request["ProvisionedThroughput"] = read(request["ProvisionedThroughput"], _THROUGHPUT)
        faults += faults_of(request["ProvisionedThroughput"], _THROUGHPUT, "provisionedThroughput.")
    if faults:
        raise detected(faults)
    return request


def _java(keys: list[Request]) -> str:
    """How DynamoDB shows a key schema."""
    shown = [f"KeySchemaElement(attributeName={k.get('AttributeName')}, keyType={k.get('KeyType')})" for k in keys]
    return f"[{', '.join(shown)}]"


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


def _check_keys(keys: list[Request], definitions: list[Request]) -> None:
    """In dynalite's order, which was recorded from DynamoDB (validations/createTable)."""
    defined = [each["AttributeName"] for each in definitions]
    names = [each["AttributeName"] for each in keys]
    if len(set(defined)) < len(defined):
        raise validation_error("Cannot redefine attribute of the same name")
    _check_defined(names, defined)
    if len(set(names)) < len(names):
        raise validation_error("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if keys[0]["KeyType"] != "HASH":
        raise validation_error("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(keys) == 2 and keys[1]["KeyType"] != "RANGE":
        raise validation_error("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if len(defined) > len(names):
        raise validation_error(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match "
            "number of attributes defined in AttributeDefinitions"
        )


def _check_defined(names: list[str], defined: list[str]) -> None:
    undefined = any(name not in defined for name in names)
    if len(names) == 2 and (undefined or (names[0] == names[1] and len(defined) == 1)):
        raise validation_error("Invalid KeySchema: Some index key attribute have no definition")
    if undefined:
        raise validation_error(
            "One or more parameter values were invalid: Some index key attributes are not defined in "
            f"AttributeDefinitions. Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(defined)}]"
        )
