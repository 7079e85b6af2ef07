"""Tables as the control plane sees them: their description, their partitions. Pure; auto-admin only calls it."""

from __future__ import annotations

from typing import Any

from dynabus.core.errors import ApiError, no_such_table, resource_in_use, validation_error

PARTITION_READ_UNITS, PARTITION_WRITE_UNITS = 3000, 1000
"""What one partition serves at most; DynamoDB derives the first partitions of a provisioned table from it.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"""

_HASH_SPACE = 1 << 64


def describe(request: dict[str, Any], table_id: str, region: str, account: str, created_ms: int) -> dict[str, Any]:
    """The members of DescribeTable's `Table` for a checked CreateTable request."""
    name = request["TableName"]
    on_demand = request.get("BillingMode") == "PAY_PER_REQUEST"
    asked = request.get("ProvisionedThroughput") or {}
    description: dict[str, Any] = {
        "AttributeDefinitions": request["AttributeDefinitions"],
        "TableName": name,
        "KeySchema": request["KeySchema"],
        "TableStatus": "CREATING",
        "CreationDateTime": created_ms / 1000,
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": 0 if on_demand else asked["ReadCapacityUnits"],
            "WriteCapacityUnits": 0 if on_demand else asked["WriteCapacityUnits"],
        },
        "TableSizeBytes": 0,
        "ItemCount": 0,
        "TableArn": f"arn:aws:dynamodb:{region}:{account}:table/{name}",
        "TableId": "-".join((table_id[:8], table_id[8:12], table_id[12:16], table_id[16:20], table_id[20:])),
        "DeletionProtectionEnabled": request.get("DeletionProtectionEnabled", False),
    }
    if "LocalSecondaryIndexes" in request:
        arn = description["TableArn"]
        description["LocalSecondaryIndexes"] = [
            _describe_index(each, arn) for each in request["LocalSecondaryIndexes"]
        ]
    if on_demand:
        description["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    if "TableClass" in request:
        description["TableClassSummary"] = {"TableClass": request["TableClass"]}
    return description


def _describe_index(index: dict[str, Any], table_arn: str) -> dict[str, Any]:
    return {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "IndexSizeBytes": 0,
        "ItemCount": 0,
        "IndexArn": f"{table_arn}/index/{index['IndexName']}",
    }


def partition_count(request: dict[str, Any], initial: int, most: int) -> int:
    """How many partitions a new table gets: what its provisioned throughput needs, at least `initial`."""
    asked = request.get("ProvisionedThroughput") if request.get("BillingMode") != "PAY_PER_REQUEST" else None
    needed = 1
    if asked:
        share = (
            asked["ReadCapacityUnits"] / PARTITION_READ_UNITS + asked["WriteCapacityUnits"] / PARTITION_WRITE_UNITS
        )
        needed = -int(-share // 1)
    return min(most, max(initial, needed))


def partition_bounds(count: int) -> list[tuple[bytes, bytes | None]]:
    """Half-open ranges of encoded keys that divide the space of the 8-byte hashes evenly."""
    cuts = [(number * _HASH_SPACE // count).to_bytes(8, "big") for number in range(1, count)]
    return list(zip([b"", *cuts], [*cuts, None], strict=True))


def refuse_creation(name: str, existing: dict[str, Any] | None) -> ApiError | None:
    """Why a table of this name cannot be created."""
    return resource_in_use(f"Table already exists: {name}") if existing is not None else None


def refuse_deletion(name: str, existing: dict[str, Any] | None) -> ApiError | None:
    """Why a table cannot be deleted; `existing` is its description."""
    if existing is None:
        return no_such_table(name)
    status = existing["TableStatus"]
    if status == "CREATING":
        return resource_in_use(f"Attempt to change a resource which is still in use: Table is being created: {name}")
    if status == "DELETING":
        return resource_in_use(f"Attempt to change a resource which is still in use: Table is being deleted: {name}")
    if existing["DeletionProtectionEnabled"]:
        return validation_error(
            "Resource cannot be deleted as it is currently protected against deletion. "
            "Disable deletion protection first."
        )
    return None
