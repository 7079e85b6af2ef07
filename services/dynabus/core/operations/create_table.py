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
from dynabus.core.operations.shapes import FLAG, NEW_TABLE_NAME, Member, check, detected, fault, refuse_unbuilt

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
    request = check(body, MEMBERS)
    _refuse_features(body)
    definitions = [check(each, _ATTRIBUTE) for each in request["AttributeDefinitions"]]
    keys = [check(each, _KEY) for each in request["KeySchema"]]
    if not 1 <= len(keys) <= 2:
        bound = "less than or equal to 2" if keys else "greater than or equal to 1"
        raise detected([fault("[...]" if keys else "[]", "keySchema", f"Member must have length {bound}")])
    _check_billing(request)
    _check_keys(keys, definitions)
    request = {**request, "AttributeDefinitions": definitions, "KeySchema": keys}
    (reply,) = yield Control("CreateTable", orjson.dumps(request))
    return bytes(settled(reply)["body"])


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
    request["ProvisionedThroughput"] = check(throughput, _THROUGHPUT)


def _check_keys(keys: list[Request], definitions: list[Request]) -> None:
    defined = {each["AttributeName"] for each in definitions}
    if len(defined) < len(definitions):
        raise validation_error("Cannot redefine attribute of the same name")
    if keys[0]["KeyType"] != "HASH":
        raise validation_error("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(keys) == 2 and keys[0]["AttributeName"] == keys[1]["AttributeName"]:
        raise validation_error("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if len(keys) == 2 and keys[1]["KeyType"] != "RANGE":
        raise validation_error("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    names = [each["AttributeName"] for each in keys]
    missing = [name for name in names if name not in defined]
    if missing:
        raise validation_error(
            "One or more parameter values were invalid: Some index key attributes are not defined in "
            f"AttributeDefinitions. Keys: [{', '.join(missing)}], "
            f"AttributeDefinitions: [{', '.join(sorted(defined))}]"
        )
    if len(defined) > len(names):
        raise validation_error(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match "
            "number of attributes defined in AttributeDefinitions"
        )
