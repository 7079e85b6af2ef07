"""The structures within requests about tables: their shape, and their broken constraints. Source: botocore's model.

Each function reads one member of a request in place and returns the faults it found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import invalid_parameter, serialization_error
from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import NAME_PATTERN, Member, fault, faults_of, read, refuse_unbuilt
from dynabus.core.values.shape import read_string

_ATTRIBUTE_NAME = Member("String", required=True, shortest=1, longest=255)
_ATTRIBUTE: dict[str, Member] = {
    "AttributeName": _ATTRIBUTE_NAME,
    "AttributeType": Member("String", required=True, values=("B", "N", "S")),
}
_KEY: dict[str, Member] = {
    "AttributeName": _ATTRIBUTE_NAME,
    "KeyType": Member("String", required=True, values=("HASH", "RANGE")),
}
_THROUGHPUT: dict[str, Member] = {
    "WriteCapacityUnits": Member("Integer", required=True, least=1),
    "ReadCapacityUnits": Member("Integer", required=True, least=1),
}
"""In the order in which DynamoDB tells of faults (ack-api-quirks, DDB-TABLE-038)."""

_OPTIONS: dict[str, dict[str, Member]] = {
    "OnDemandThroughput": {
        "MaxReadRequestUnits": Member("Integer"),
        "MaxWriteRequestUnits": Member("Integer"),
    },
    "WarmThroughput": {
        "ReadUnitsPerSecond": Member("Integer"),
        "WriteUnitsPerSecond": Member("Integer"),
    },
}
_LOCAL_INDEX: dict[str, Member] = {
    "IndexName": Member("String", required=True, shortest=3, longest=255, pattern=NAME_PATTERN),
    "KeySchema": Member("List", required=True),
    "Projection": Member("Map", required=True),
}
GLOBAL_INDEX: dict[str, Member] = {
    **_LOCAL_INDEX,
    "ProvisionedThroughput": Member("Map"),
    "OnDemandThroughput": Member("Map"),
    "WarmThroughput": Member("Map"),
}
_PROJECTION: dict[str, Member] = {
    "ProjectionType": Member("String", values=("ALL", "KEYS_ONLY", "INCLUDE")),
    "NonKeyAttributes": Member("List"),
}
_STREAM: dict[str, Member] = {
    "StreamEnabled": Member("Boolean", required=True),
    "StreamViewType": Member("String", values=("OLD_IMAGE", "KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE")),
}
_MODES = Member("String", values=("PROVISIONED", "PAY_PER_REQUEST"))
BILLING: dict[str, Member] = {"BillingMode": _MODES, "TableThroughputMode": _MODES}
"""The second is another name for the first, which counts if both are there (ExtendDB's tests against DynamoDB)."""

TABLE_CLASS = Member("String", values=("STANDARD", "STANDARD_INFREQUENT_ACCESS"))
KEYS_MOST, GLOBAL_KEYS_MOST = 2, 8
"""Attributes of a key schema: of a table, and of a global secondary index, four of each role (`table_keys`)."""

PROJECTED_MOST = 20
"""Attributes that one index projects by name. All indexes of a table together may name 100 of them
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html), which five cannot exceed."""


def attribute_definitions(request: Request) -> list[str]:
    """Of the table."""
    return _list(request, "AttributeDefinitions", _ATTRIBUTE, "", "AttributeDefinition")


def key_schema(request: Request, path: str = "", most: int = KEYS_MOST) -> list[str]:
    """Of the table, or of an index."""
    faults = _list(request, "KeySchema", _KEY, path, "KeySchemaElement")
    keys = request.get("KeySchema")
    if keys is not None and not 1 <= len(keys) <= most:
        bound = f"less than or equal to {most}" if keys else "greater than or equal to 1"
        faults.append(fault(_java(keys), f"{path}keySchema", f"Member must have length {bound}"))
    return faults


def throughput(request: Request, path: str = "") -> list[str]:
    """Provisioned throughput."""
    if "ProvisionedThroughput" not in request:
        return []
    request["ProvisionedThroughput"] = read(request["ProvisionedThroughput"], _THROUGHPUT)
    return faults_of(request["ProvisionedThroughput"], _THROUGHPUT, f"{path}provisionedThroughput.")


def resolve_mode(request: Request) -> None:
    """One name for the billing mode."""
    mode = request.pop("TableThroughputMode", None)
    if mode is not None:
        request.setdefault("BillingMode", mode)


def stream_specification(request: Request) -> list[str]:
    """StreamSpecification."""
    if "StreamSpecification" not in request:
        return []
    request["StreamSpecification"] = read(request["StreamSpecification"], _STREAM)
    return faults_of(request["StreamSpecification"], _STREAM, "streamSpecification.")


def refuse_encryption(body: Mapping[str, Any]) -> None:
    """Everything is as it is without a key of one's own; another key is refused by name. Words: DDB-TABLE-442."""
    asked = body.get("SSESpecification")
    if not asked:
        return
    if asked.__class__ is dict and asked.get("Enabled") is False:
        for name in ("SSEType", "KMSMasterKeyId"):
            if asked.get(name) is not None:
                raise invalid_parameter(f"{name} can not be specified if Enabled is false")
        return
    refuse_unbuilt(body, ("SSESpecification",))


def throughput_options(request: Request, keeps: str = "") -> None:
    """On-demand and warm throughput, which have no constraints; empty ones are as good as absent (DDB-TABLE-456), but
    for the one that it `keeps`."""
    for name, members in _OPTIONS.items():
        if name in request:
            request[name] = read(request[name], members)
            if not request[name] and name != keeps:
                del request[name]


def local_indexes(request: Request) -> list[str]:
    """Local secondary indexes, with all that is in them."""
    faults = _list(request, "LocalSecondaryIndexes", _LOCAL_INDEX, "", "LocalSecondaryIndex")
    for number, index in enumerate(request.get("LocalSecondaryIndexes", ()), 1):
        path = f"localSecondaryIndexes.{number}.member."
        faults += key_schema(index, path)
        faults += _projection(index, path)
    return faults


def global_indexes(request: Request) -> list[str]:
    """Global secondary indexes, with all that is in them."""
    faults = _list(request, "GlobalSecondaryIndexes", GLOBAL_INDEX, "", "GlobalSecondaryIndex")
    for number, index in enumerate(request.get("GlobalSecondaryIndexes", ()), 1):
        faults += global_index(index, f"globalSecondaryIndexes.{number}.member.")
    return faults


def global_index(index: Request, path: str) -> list[str]:
    """The structures in one of them."""
    throughput_options(index)
    return key_schema(index, path, GLOBAL_KEYS_MOST) + _projection(index, path) + throughput(index, path)


def _projection(index: Request, path: str) -> list[str]:
    if "Projection" not in index:
        return []
    index["Projection"] = projection = read(index["Projection"], _PROJECTION)
    path += "projection."
    return faults_of(projection, _PROJECTION, path) + _projected(projection.get("NonKeyAttributes"), path)


def _projected(names: list[Any] | None, path: str) -> list[str]:
    if names is None:
        return []
    path += "nonKeyAttributes"
    for name in names:
        read_string(name)
    faults = [
        fault(name, f"{path}.{number}.member", f"Member must have length {bound}")
        for number, name in enumerate(names, 1)
        if (bound := _outside(len(name), 1, 255))
    ]
    if bound := _outside(len(names), 1, PROJECTED_MOST):
        faults.append(fault(f"[{', '.join(names)}]", path, f"Member must have length {bound}"))
    return faults


def _outside(length: int, least: int, most: int) -> str:
    if length < least:
        return f"greater than or equal to {least}"
    return f"less than or equal to {most}" if length > most else ""


def _list(request: Request, name: str, members: Mapping[str, Member], path: str, structure: str) -> list[str]:
    """A list of structures."""
    if name not in request:
        return []
    request[name] = [_structure(each, members, structure) for each in request[name]]
    place = f"{path}{name[0].lower()}{name[1:]}"
    return [
        found
        for number, each in enumerate(request[name], 1)
        for found in faults_of(each, members, f"{place}.{number}.member.")
    ]


def _structure(value: Any, members: Mapping[str, Member], structure: str) -> Request:
    if value.__class__ is list:
        raise serialization_error(f"Unrecognized collection type class com.amazonaws.dynamodb.v20120810.{structure}")
    return read(value, members)


def _java(keys: list[Request]) -> str:
    """How DynamoDB shows a key schema."""
    shown = [f"KeySchemaElement(attributeName={k.get('AttributeName')}, keyType={k.get('KeyType')})" for k in keys]
    return f"[{', '.join(shown)}]"
