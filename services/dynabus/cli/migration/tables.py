"""Tables at an endpoint: their description, and a table like another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynabus.cli.migration.client import Backoff, Client, Pulse
from dynabus.cli.migration.endpoint import Refused
from dynabus.cli.problem import Problem

MAXIMUMS, KEY = "OnDemandThroughput", "KMSMasterKeyId"
OPTIONAL = (
    "StreamSpecification",
    "SSESpecification",
    KEY,
    MAXIMUMS,
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "TableClass",
    "DeletionProtectionEnabled",
)
"""Members of CreateTable without which a table still holds the same items. Ours: one that the target refuses by name
is left out with a line that says so. What indexes have too stands before them: a refusal of it names both.
WarmThroughput is never asked for (AWS bills it), nor are replicas."""

_INDEX_MEMBERS = ("IndexName", "KeySchema", "Projection")
_THROUGHPUT = ("ReadCapacityUnits", "WriteCapacityUnits")

Description = Mapping[str, Any]


def describe(client: Client, table: str) -> dict[str, Any] | None:
    """DescribeTable's `Table`, or None if there is no such table. Raises Problem."""
    try:
        described: dict[str, Any] = client.first("DescribeTable", {"TableName": table})["Table"]
    except Refused as refused:
        if refused.code == "ResourceNotFoundException":
            return None
        raise Problem(f"{client.url}: {refused}") from refused
    return described


def require(client: Client, table: str) -> dict[str, Any]:
    """The description of a table that must be there."""
    description = describe(client, table)
    if description is None:
        raise Problem(f"no table {table!r} at {client.url}; it has {_names(client)}")
    return description


def _names(client: Client) -> str:
    try:
        names = client.ask("ListTables", {"Limit": 10})["TableNames"]
    except Refused:
        return "others"
    return ", ".join(names) if names else "none"


def creation_request(description: Description, name: str) -> dict[str, Any]:
    """CreateTable of a table like the described one (by DescribeTable's `Table`, or by a CreateTable request)."""
    request: dict[str, Any] = {
        "TableName": name,
        "AttributeDefinitions": description["AttributeDefinitions"],
        "KeySchema": description["KeySchema"],
        **_billing(description),
    }
    on_demand = request["BillingMode"] == "PAY_PER_REQUEST"
    if local := description.get("LocalSecondaryIndexes"):
        request["LocalSecondaryIndexes"] = [_local_index(each) for each in local]
    if indexes := description.get("GlobalSecondaryIndexes"):
        request["GlobalSecondaryIndexes"] = [_global_index(each, on_demand) for each in indexes]
    for name_of in ("StreamSpecification", "SSESpecification"):
        if description.get(name_of):
            request[name_of] = description[name_of]
    request |= _maximums(description)
    if description.get("SSEDescription", {}).get("Status") == "ENABLED":
        request["SSESpecification"] = _encryption(description["SSEDescription"])
    if description.get("DeletionProtectionEnabled"):
        request["DeletionProtectionEnabled"] = True
    table_class = description.get("TableClass") or description.get("TableClassSummary", {}).get("TableClass")
    if table_class:
        request["TableClass"] = table_class
    return request


def _billing(description: Description) -> dict[str, Any]:
    mode = description.get("BillingMode") or description.get("BillingModeSummary", {}).get("BillingMode")
    if mode == "PAY_PER_REQUEST":
        return {"BillingMode": mode}
    asked = description.get("ProvisionedThroughput") or {}
    if not all(asked.get(name) for name in _THROUGHPUT):
        return {"BillingMode": "PAY_PER_REQUEST"}
    return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {name: asked[name] for name in _THROUGHPUT}}


def _local_index(index: Description) -> dict[str, Any]:
    return {name: index[name] for name in _INDEX_MEMBERS}


def _global_index(index: Description, on_demand: bool) -> dict[str, Any]:
    request = _local_index(index)
    if on_demand:
        return request | _maximums(index)
    if index.get("ProvisionedThroughput"):
        request["ProvisionedThroughput"] = {name: index["ProvisionedThroughput"][name] for name in _THROUGHPUT}
    return request


def _maximums(described: Description) -> dict[str, Any]:
    """OnDemandThroughput of a table or an index, if it has any. -1 is no maximum, which CreateTable does not take."""
    maximums = {name: units for name, units in (described.get(MAXIMUMS) or {}).items() if units != -1}
    return {MAXIMUMS: maximums} if maximums else {}


def _encryption(described: Description) -> dict[str, Any]:
    """SSESpecification of an SSEDescription."""
    if described.get("SSEType") != "KMS" or not described.get("KMSMasterKeyArn"):
        return {"Enabled": True}
    return {"Enabled": True, "SSEType": "KMS", KEY: described["KMSMasterKeyArn"]}


def create(client: Client, request: dict[str, Any], strict: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Create the table and wait until it serves; its description. `strict`: with everything, or not at all."""
    table = request["TableName"]
    while True:
        try:
            client.ask("CreateTable", _only_used_attributes(request))
            break
        except Refused as refused:
            if refused.code == "ResourceInUseException":
                break
            refused_member = _named(refused, request)
            if refused_member is None or strict:
                why = "; --strict wants all of it" if refused_member else ""
                raise Problem(f"{client.url} does not create {table}: {refused.message or refused}{why}") from refused
            request = _without(refused_member, request)
            say(f"{table} is created without {refused_member}: {refused.message}")
    return wait_until_active(client, table)


def _named(refused: Refused, request: Description) -> str | None:
    """The optional member that a refusal names."""
    if refused.code != "ValidationException":
        return None
    return next((name for name in OPTIONAL if _has(request, name) and _names_it(refused.message, name)), None)


def _has(request: Description, member: str) -> bool:
    if member == KEY:
        return KEY in request.get("SSESpecification", {})
    if member == MAXIMUMS:
        return any(MAXIMUMS in each for each in (request, *request.get("GlobalSecondaryIndexes", ())))
    return member in request


def _names_it(message: str, member: str) -> bool:
    """DynamoDB says `KMS validation error: ... Key '...' does not exist` of a key that it cannot use."""
    return ("KMS" if member == KEY else member) in message


def _without(member: str, request: Description) -> dict[str, Any]:
    """The request without an optional member, wherever it is. Without its own key a table has the endpoint's."""
    left = {name: value for name, value in request.items() if name != member}
    if member == KEY:
        left["SSESpecification"] = {"Enabled": True}
    if member == MAXIMUMS and "GlobalSecondaryIndexes" in left:
        indexes = left["GlobalSecondaryIndexes"]
        left["GlobalSecondaryIndexes"] = [{k: v for k, v in each.items() if k != MAXIMUMS} for each in indexes]
    return left


def _only_used_attributes(request: Description) -> dict[str, Any]:
    """DynamoDB refuses definitions of attributes that are in no key."""
    indexes = [*request.get("LocalSecondaryIndexes", ()), *request.get("GlobalSecondaryIndexes", ())]
    schemas = [request["KeySchema"], *(index["KeySchema"] for index in indexes)]
    used = {element["AttributeName"] for schema in schemas for element in schema}
    definitions = [each for each in request["AttributeDefinitions"] if each["AttributeName"] in used]
    return {**request, "AttributeDefinitions": definitions}


def wait_until_active(client: Client, table: str) -> dict[str, Any]:
    """Its description once it serves. Raises Problem after the patience of a Backoff."""
    # Answers that the table is not there yet are no progress, so the client's pulse does not count.
    backoff = Backoff(client.stop, Pulse(client.pulse.now))
    while True:
        try:
            described: dict[str, Any] = client.ask("DescribeTable", {"TableName": table})["Table"]
            if described["TableStatus"] in ("ACTIVE", "UPDATING"):
                return described
            status = described["TableStatus"]
        except Refused as refused:
            if refused.code != "ResourceNotFoundException":
                raise Problem(f"{client.url}: {refused}") from refused
            status = "not there yet"
        backoff.wait(f"{table} is {status}", client.url)
