"""CreateTable."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
PK = [{"AttributeName": "pk", "AttributeType": "S"}]
HASH = [{"AttributeName": "pk", "KeyType": "HASH"}]
GOOD: dict[str, Any] = {
    "TableName": "created",
    "AttributeDefinitions": PK,
    "KeySchema": HASH,
    "BillingMode": "PAY_PER_REQUEST",
}


def test_a_table_is_active_within_a_second(db: Any) -> None:
    """API: CREATING first, then ACTIVE."""
    began = time.monotonic()
    created = db.create_table(**GOOD)["TableDescription"]
    assert created["TableStatus"] == "CREATING"
    assert created["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/created"
    assert created["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert (created["ItemCount"], created["TableSizeBytes"]) == (0, 0)
    while db.describe_table(TableName="created")["Table"]["TableStatus"] != "ACTIVE":
        assert time.monotonic() - began < 10
    print(f"\nACTIVE after {time.monotonic() - began:.2f} s")
    db.put_item(TableName="created", Item={"pk": {"S": "a"}})


def test_a_name_is_taken_once(db: Any, hash_table: str, refused: Refused) -> None:
    """API."""
    found = refused(db.create_table, **{**GOOD, "TableName": hash_table})
    assert found == ("ResourceInUseException", f"Table already exists: {hash_table}")


def test_provisioned_throughput_is_described(db: Any, range_table: str) -> None:
    """API."""
    table = db.describe_table(TableName=range_table)["Table"]
    throughput = table["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (5000, 2000)
    assert "BillingModeSummary" not in table


@pytest.mark.parametrize("name", ["ab", "x" * 256, "a b", "a/b", ""])
def test_names(db: Any, refused: Refused, name: str) -> None:
    """LIMITS: 3 to 255 of a-z, A-Z, 0-9, _ - ."""
    code, message = refused(db.create_table, **{**GOOD, "TableName": name})
    assert code == "ValidationException"
    assert "at 'tableName' failed to satisfy constraint" in message


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"KeySchema": []}, "keySchema"),
        ({"KeySchema": HASH * 3}, "keySchema"),
        ({"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]}, "not a HASH key type"),
        (
            {"KeySchema": [*HASH, {"AttributeName": "pk", "KeyType": "RANGE"}]},
            "Some index key attribute have no definition",
        ),
        ({"KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}]}, "not defined in AttributeDefinitions"),
        (
            {"AttributeDefinitions": [*PK, {"AttributeName": "x", "AttributeType": "S"}]},
            "Number of attributes in KeySchema does not exactly match",
        ),
        ({"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "BOOL"}]}, "enum value set: [B, N, S]"),
        ({"BillingMode": "FREE"}, "enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
        ({"BillingMode": "PROVISIONED"}, "must both be specified when BillingMode is PROVISIONED"),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            "can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 1},
            },
            "greater than or equal to 1",
        ),
        (
            {"GlobalSecondaryIndexes": [{"IndexName": "i"}]},
            "Value null at 'globalSecondaryIndexes.1.member.projection' failed to satisfy constraint",
        ),
        ({"StreamSpecification": {"StreamEnabled": True}}, "UpdateViewType is required"),
        ({"SSESpecification": {"Enabled": True}}, "SSESpecification is not supported"),
        ({"ResourcePolicy": "{}"}, "ResourcePolicy is not supported"),
        ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
        ({"AttributeDefinitions": PK * 2}, "Attribute Name is duplicated: pk"),
    ],
)
def test_refusals(db: Any, refused: Refused, change: dict[str, Any], part: str) -> None:
    """observed, DDB-TABLE-042; "not supported" is ours."""
    code, message = refused(db.create_table, **{**GOOD, "TableName": "never-created", **change})
    assert code == "ValidationException"
    assert part in message
    assert "never-created" not in db.list_tables()["TableNames"]


def test_harmless_defaults_pass(db: Any, make_table: Callable[..., str]) -> None:
    """API: what only says the default is no feature."""
    make_table(
        "conformance-defaults",
        ("pk", "S"),
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": False},
        SSESpecification={"Enabled": False},
        TableClass="STANDARD",
        DeletionProtectionEnabled=False,
        Tags=[],
        OnDemandThroughput={},
        WarmThroughput={},
    )


@pytest.mark.parametrize("kinds", ["S", "N", "B", "SS", "SN", "SB", "NS", "NB", "BN"])
def test_keys_of_every_type(db: Any, make_table: Callable[..., str], kinds: str) -> None:
    """API: strings, numbers and binary, as partition key and as sort key."""
    values: dict[str, Any] = {"S": "é", "N": "-1.5", "B": b"\x00\xff"}
    keys = [(name, kind) for name, kind in zip(("pk", "sk"), kinds, strict=False)]
    table = make_table(f"conformance-types-{kinds}", *keys)
    key = {name: {kind: values[kind]} for name, kind in keys}
    db.put_item(TableName=table, Item={**key, "v": {"S": "x"}})
    found = db.get_item(TableName=table, Key=key, ConsistentRead=True)
    assert found["Item"] == {**key, "v": {"S": "x"}}
    assert db.scan(TableName=table, ConsistentRead=True)["Items"] == [found["Item"]]


@pytest.mark.parametrize("name", ["a.b", "a_b", "a-b", "A_b", "...", "x" * 255, "__admin-log", "conformance.types_S"])
def test_names_that_kafka_would_not_take(db: Any, make_table: Callable[..., str], name: str) -> None:
    """LIMITS: DynamoDB's rule, not that of topics; names that differ are different tables."""
    make_table(name, ("pk", "S"))
    assert db.scan(TableName=name, ConsistentRead=True)["Items"] == []
    db.put_item(TableName=name, Item={"pk": {"S": name}})
    assert db.scan(TableName=name, ConsistentRead=True)["Items"] == [{"pk": {"S": name}}]
    assert db.describe_table(TableName=name)["Table"]["TableArn"].endswith(f":table/{name}")
    assert name in db.list_tables()["TableNames"]


def test_of_many_creators_one_wins(db: Any, refused: Refused) -> None:
    """API: ResourceInUseException for the others, whatever their order."""
    asked = {**GOOD, "TableName": "conformance-contested"}

    def create(_: int) -> str:
        try:
            return str(db.create_table(**asked)["TableDescription"]["TableId"])
        except db.exceptions.ResourceInUseException:
            return ""

    with ThreadPoolExecutor(6) as pool:
        made = [table_id for table_id in pool.map(create, range(6)) if table_id]
    assert len(made) == 1
    db.get_waiter("table_exists").wait(
        TableName="conformance-contested", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    assert db.describe_table(TableName="conformance-contested")["Table"]["TableId"] == made[0]


def test_a_table_that_is_being_deleted(db: Any, make_table: Callable[..., str], refused: Refused) -> None:
    """API: it serves no more, and can neither be deleted again nor created anew until it is gone."""
    name = make_table("conformance-going", ("pk", "S"))
    db.put_item(TableName=name, Item={"pk": {"S": "a"}})
    db.delete_table(TableName=name)
    for call, more in (
        (db.put_item, {"Item": {"pk": {"S": "b"}}}),
        (db.get_item, {"Key": {"pk": {"S": "a"}}}),
        (db.scan, {}),
    ):
        assert refused(call, TableName=name, **more)[0] == "ResourceNotFoundException"
    code, _ = refused(db.delete_table, TableName=name)
    assert code in ("ResourceInUseException", "ResourceNotFoundException")  # it may be gone by now
    db.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert name not in db.list_tables()["TableNames"]


def keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"), strict=False)]


def local_index(name: str, sort: str = "c", **projection: Any) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": keys("pk", sort),
        "Projection": projection or {"ProjectionType": "KEYS_ONLY"},
    }


INDEXED: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "b", "c")],
    "KeySchema": keys("pk", "b"),
    "BillingMode": "PAY_PER_REQUEST",
}


def test_local_indexes_are_described(db: Any) -> None:
    """API CreateTable, API_LocalSecondaryIndexDescription."""
    name = "conformance-described-indexes"
    asked = [
        local_index("by-c"),
        local_index("by-c-with-x", ProjectionType="INCLUDE", NonKeyAttributes=["x", "pk"]),
        local_index("by-b", "b", ProjectionType="ALL"),
    ]
    arn = db.create_table(TableName=name, **INDEXED, LocalSecondaryIndexes=asked)["TableDescription"]["TableArn"]
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert db.describe_table(TableName=name)["Table"]["LocalSecondaryIndexes"] == [
        {**each, "IndexSizeBytes": 0, "ItemCount": 0, "IndexArn": f"{arn}/index/{each['IndexName']}"}
        for each in asked
    ]


@pytest.mark.parametrize(
    ("indexes", "message"),
    [
        ([], "List of LocalSecondaryIndexes is empty"),
        (
            [local_index("by-d", "d")],
            "Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [pk, d], AttributeDefinitions: [pk, b, c]",
        ),
        (
            [{**local_index("by-c"), "KeySchema": keys("pk")}],
            "Index KeySchema does not have a range key for index: by-c",
        ),
        (
            [{**local_index("by-c"), "KeySchema": keys("b", "c")}],
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: by-c. "
            "index hash key: b, table hash key: pk",
        ),
        ([{**local_index("by-c"), "Projection": {}}], "Unknown ProjectionType: null"),
        (
            [local_index("by-c", ProjectionType="ALL", NonKeyAttributes=["x"])],
            "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (
            [local_index("by-c", ProjectionType="INCLUDE")],
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            [local_index("by-c", ProjectionType="INCLUDE", NonKeyAttributes=["x", "x"])],
            "Duplicate element in NonKeyAttributes: x",
        ),
        ([local_index("by-c"), local_index("by-c")], "Duplicate index name: by-c"),
        (
            [local_index(f"index-{number}") for number in range(6)],
            "Number of LocalSecondaryIndexes exceeds per-table limit of 5",
        ),
        (
            [local_index("by-b", "b")],
            "Some AttributeDefinitions are not used. AttributeDefinitions: [pk, b, c], keys used: [pk, b]",
        ),
    ],
)
def test_bad_local_indexes(db: Any, refused: Refused, indexes: list[Any], message: str) -> None:
    """observed (dynalite), DDB-TABLE-442."""
    found = refused(db.create_table, TableName="never-indexed", **INDEXED, LocalSecondaryIndexes=indexes)
    assert found == ("ValidationException", f"One or more parameter values were invalid: {message}")


def test_local_indexes_need_a_sort_key(db: Any, refused: Refused) -> None:
    """observed (dynalite)."""
    found = refused(db.create_table, **{**GOOD, "LocalSecondaryIndexes": [local_index("by-c")]})
    assert found == (
        "ValidationException",
        "One or more parameter values were invalid: Table KeySchema does not have a range key, which is required "
        "when specifying a LocalSecondaryIndex",
    )


def test_throughput_of_an_on_demand_table(db: Any, make_table: Callable[..., str]) -> None:
    """DDB-TABLE-028, 032, 033, 039."""
    name = make_table(
        "conformance-warm",
        ("pk", "S"),
        BillingMode="PAY_PER_REQUEST",
        OnDemandThroughput={"MaxReadRequestUnits": 100},
        WarmThroughput={"ReadUnitsPerSecond": 12_001},
    )
    table = db.describe_table(TableName=name)["Table"]
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 100}
    assert table["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_001,
        "WriteUnitsPerSecond": 4_000,
        "Status": "ACTIVE",
    }
    assert table["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] == table["CreationDateTime"]


def test_warm_throughput_of_a_provisioned_table(db: Any, range_table: str) -> None:
    """DDB-TABLE-032."""
    table = db.describe_table(TableName=range_table)["Table"]
    assert table["WarmThroughput"] == {
        "ReadUnitsPerSecond": 5000,
        "WriteUnitsPerSecond": 2000,
        "Status": "ACTIVE",
    }


UNITS = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}
OUTSIDE = "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range"
LOWER = "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"OnDemandThroughput": {"MaxReadRequestUnits": 0}}, OUTSIDE),
        ({"OnDemandThroughput": {"MaxReadRequestUnits": -1}}, OUTSIDE),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": UNITS,
                "OnDemandThroughput": {"MaxReadRequestUnits": 5},
            },
            "MaxReadRequestUnits for OnDemandThroughput cannot be specified when table BillingMode is PROVISIONED.",
        ),
        (
            {"WarmThroughput": {"ReadUnitsPerSecond": 1}},
            LOWER + "initial throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/"
            "developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
        ),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": UNITS,
                "WarmThroughput": {"ReadUnitsPerSecond": 5},
            },
            LOWER + "ReadCapacityUnits of ProvisionedThroughput",
        ),
    ],
)
def test_bad_throughput(db: Any, refused: Refused, change: dict[str, Any], message: str) -> None:
    """DDB-TABLE-038, 039."""
    found = refused(db.create_table, **{**GOOD, "TableName": "never-created", **change})
    assert found == ("ValidationException", f"One or more parameter values were invalid: {message}")


def test_a_table_class(db: Any, make_table: Callable[..., str]) -> None:
    """API; STANDARD shows none (DDB-TABLE-177)."""
    name = make_table(
        "conformance-class", ("pk", "S"), BillingMode="PAY_PER_REQUEST", TableClass="STANDARD_INFREQUENT_ACCESS"
    )
    assert db.describe_table(TableName=name)["Table"]["TableClassSummary"] == {
        "TableClass": "STANDARD_INFREQUENT_ACCESS"
    }


def test_a_name_that_is_being_created(db: Any, refused: Refused) -> None:
    """DDB-TABLE-005."""
    asked = {**GOOD, "TableName": "conformance-twice"}
    db.create_table(**asked)
    code, message = refused(db.create_table, **asked)
    assert code == "ResourceInUseException"
    assert message in (
        "Attempt to change a resource which is still in use: Table is being created: conformance-twice",
        "Table already exists: conformance-twice",  # it may be ACTIVE by now
    )
