"""Tables as the control plane sees them: their description, their partitions, and what is refused. Pure.

A description has the members of DescribeTable's `Table`. A change that takes its time leaves a second map beside it,
`pending`: the members that the description takes once the change is done, with None where the time goes at which it
is done. `core.tables.changes` has the rules of UpdateTable.

Shapes and messages: ack-api-quirks (services/dynamodb, a public catalogue of what DynamoDB was seen to answer, cited
as DDB-TABLE-n) and the AWS API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import ApiError, limit_exceeded, no_such_table, resource_in_use, validation_error

PARTITION_READ_UNITS, PARTITION_WRITE_UNITS = 3000, 1000
"""What one partition serves at most; DynamoDB derives the first partitions of a provisioned table from it.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"""

ON_DEMAND_READ_UNITS, ON_DEMAND_WRITE_UNITS = 12_000, 4_000
"""Warm throughput of a new on-demand table. Source: on-demand-capacity-mode.html#on-demand-capacity-mode-initial"""

TABLES_MOST = 2500
"""DynamoDB's first quota per account and region; here it also bounds topics and open replicas.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""

CHANGES_MOST = 500
"""Tables that are being created, changed or deleted at one time. Source: API_CreateTable, LimitExceededException."""

INDEX_OPTIONS = ("OnDemandThroughput", "WarmThroughput")
"""Members of a global secondary index that it shows if they were asked for."""

_HASH_SPACE = 1 << 64

Description = dict[str, Any]


def describe(request: Mapping[str, Any], table_id: str, region: str, account: str, created_ms: int) -> Description:
    """What CreateTable answers for a checked request. Some members come with ACTIVE (`pending_of_new`)."""
    name = request["TableName"]
    on_demand = request.get("BillingMode") == "PAY_PER_REQUEST"
    asked = request.get("ProvisionedThroughput") or {}
    arn = f"arn:aws:dynamodb:{region}:{account}:table/{name}"
    description: Description = {
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
        "TableArn": arn,
        "TableId": "-".join((table_id[:8], table_id[8:12], table_id[12:16], table_id[16:20], table_id[20:])),
        "DeletionProtectionEnabled": request.get("DeletionProtectionEnabled", False),
    }
    if "LocalSecondaryIndexes" in request:
        description["LocalSecondaryIndexes"] = [
            _describe_index(each, arn) for each in request["LocalSecondaryIndexes"]
        ]
    if "GlobalSecondaryIndexes" in request:
        description["GlobalSecondaryIndexes"] = [
            describe_index(each, arn, on_demand=on_demand) for each in request["GlobalSecondaryIndexes"]
        ]
    if on_demand:
        description.update(mode_summaries("PAY_PER_REQUEST"))
    return description | _describe_options(request)


def describe_index(index: Mapping[str, Any], table_arn: str, *, on_demand: bool) -> Description:
    """An element of DescribeTable's GlobalSecondaryIndexes, of a checked request."""
    asked = index.get("ProvisionedThroughput") or {}
    described: Description = {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "IndexStatus": "CREATING",
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": 0 if on_demand else asked["ReadCapacityUnits"],
            "WriteCapacityUnits": 0 if on_demand else asked["WriteCapacityUnits"],
        },
        "IndexSizeBytes": 0,
        "ItemCount": 0,
        "IndexArn": f"{table_arn}/index/{index['IndexName']}",
    }
    options = {name: index[name] for name in INDEX_OPTIONS if name in index}
    if "WarmThroughput" in options:
        mode = "PAY_PER_REQUEST" if on_demand else "PROVISIONED"
        options["WarmThroughput"] = {**first_warm_throughput({**index, "BillingMode": mode}), "Status": "UPDATING"}
    return described | options


def _describe_index(index: Mapping[str, Any], table_arn: str) -> dict[str, Any]:
    return {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "IndexSizeBytes": 0,
        "ItemCount": 0,
        "IndexArn": f"{table_arn}/index/{index['IndexName']}",
    }


def _describe_options(request: Mapping[str, Any]) -> Description:
    """STANDARD is the class of tables that show none (DDB-TABLE-177); warm throughput shows if it was asked for."""
    options: Description = {}
    if request.get("TableClass", "STANDARD") != "STANDARD":
        options["TableClassSummary"] = {"TableClass": request["TableClass"]}
    if request.get("OnDemandThroughput"):
        options["OnDemandThroughput"] = request["OnDemandThroughput"]
    if request.get("WarmThroughput"):
        options["WarmThroughput"] = {**first_warm_throughput(request), "Status": "UPDATING"}
    return options


def mode_summaries(mode: str, since: float | None = None) -> Description:
    """BillingModeSummary and its mirror, which SDKs do not know (ExtendDB's tests against DynamoDB). `since`: s."""
    stamp = {} if since is None else {"LastUpdateToPayPerRequestDateTime": since}
    return {
        "BillingModeSummary": {"BillingMode": mode, **stamp},
        "TableThroughputModeSummary": {"TableThroughputMode": mode, **stamp},
    }


def pending_of_new(request: Mapping[str, Any], created_ms: int) -> Description:
    """What DescribeTable shows once the table is ACTIVE and CreateTable did not answer (DDB-TABLE-033).

    On-demand mode counts since the table's creation (ScyllaDB's test_describe_table_billing).
    """
    pending: Description = {"WarmThroughput": {**first_warm_throughput(request), "Status": "ACTIVE"}}
    if request.get("BillingMode") == "PAY_PER_REQUEST":
        pending.update(mode_summaries("PAY_PER_REQUEST", created_ms / 1000))
    return pending


def least_warm_throughput(request: Mapping[str, Any]) -> dict[str, int]:
    """What a new table is warm for: its provisioned throughput, or that of on-demand mode (DDB-TABLE-032)."""
    if request.get("BillingMode") == "PAY_PER_REQUEST":
        return {"ReadUnitsPerSecond": ON_DEMAND_READ_UNITS, "WriteUnitsPerSecond": ON_DEMAND_WRITE_UNITS}
    units = request["ProvisionedThroughput"]
    return {"ReadUnitsPerSecond": units["ReadCapacityUnits"], "WriteUnitsPerSecond": units["WriteCapacityUnits"]}


def first_warm_throughput(request: Mapping[str, Any]) -> dict[str, int]:
    """That, and what was asked for."""
    return least_warm_throughput(request) | (request.get("WarmThroughput") or {})


def partition_bounds(count: int) -> list[tuple[bytes, bytes | None]]:
    """Half-open ranges of encoded keys that divide the space of the 8-byte hashes evenly."""
    cuts = [(number * _HASH_SPACE // count).to_bytes(8, "big") for number in range(1, count)]
    return list(zip([b"", *cuts], [*cuts, None], strict=True))


def in_use(what: str) -> ApiError:
    """The table is changing already."""
    return resource_in_use(f"Attempt to change a resource which is still in use: {what}")


def refuse_creation(name: str, existing: Mapping[str, Any] | None) -> ApiError | None:
    """Why a table of this name cannot be created (DDB-TABLE-005)."""
    if existing is None:
        return None
    if existing["TableStatus"] == "CREATING":
        return in_use(f"Table is being created: {name}")
    return resource_in_use(f"Table already exists: {name}")


def refuse_change(name: str, existing: Mapping[str, Any] | None) -> ApiError | None:
    """Why nothing of a table can be changed; `existing` is its description."""
    if existing is None:
        return no_such_table(name)
    verb = {"CREATING": "created", "DELETING": "deleted"}.get(existing["TableStatus"])
    return in_use(f"Table is being {verb}: {name}") if verb else None


def refuse_deletion(name: str, existing: Mapping[str, Any] | None) -> ApiError | None:
    """Why a table cannot be deleted; `existing` is its description."""
    refusal = refuse_change(name, existing)
    if refusal is not None or existing is None:
        return refusal
    if existing["TableStatus"] == "UPDATING":
        return in_use(f"Table: {name} is in the process of being updated.")
    if existing["DeletionProtectionEnabled"]:
        return validation_error(
            "Resource cannot be deleted as it is currently protected against deletion. "
            "Disable deletion protection first."
        )
    return None


def refuse_second_change(existing: Description, pending: Description, what: str) -> None:
    """DynamoDB takes some of them and loses them (DDB-TABLE-452); here each is refused (ours)."""
    if existing["TableStatus"] != "UPDATING":
        return
    name = existing["TableName"]
    if "TableClassSummary" in pending:
        table_class = pending["TableClassSummary"]["TableClass"]
        raise in_use(
            f"Can't {what} when a table class update is in progress. Table: {name} "
            f"TableClassUpdateInProgress: {table_class}"
        )
    if what == "change table IOPS":
        raise in_use(f"Table IOPS are currently being updated. Table: {name}")
    raise in_use(f"Can't {what} while table IOPS are being updated. Table: {name}")


def refuse_more(tables: int, changing: int, *, new: bool) -> ApiError | None:
    """Which quota an operation on tables would exceed. Words as clients are known to look for them."""
    if new and tables >= TABLES_MOST:
        return limit_exceeded(f"There is a limit of {TABLES_MOST} tables per subscriber")
    if changing >= CHANGES_MOST:
        return limit_exceeded(f"Only {CHANGES_MOST} tables can be created, updated, or deleted simultaneously")
    return None
