"""UpdateTable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cluster import wait_until

Refused = Callable[..., tuple[str, str]]
MakeTable = Callable[..., str]
INVALID = "One or more parameter values were invalid: "
IN_USE = "Attempt to change a resource which is still in use: "
NEITHER = (
    INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
)


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


@pytest.fixture
def provisioned(make_table: MakeTable, request: pytest.FixtureRequest) -> str:
    """A table of the test's own with 5 read and 6 write units."""
    name = f"units-{request.node.name}"
    return make_table(name, ("pk", "S"), ProvisionedThroughput=units(5, 6))


@pytest.fixture
def on_demand(make_table: MakeTable, request: pytest.FixtureRequest) -> str:
    return make_table(f"on-demand-{request.node.name}", ("pk", "S"))


@pytest.fixture(scope="session")
def settle(db: Any) -> Callable[[str], dict[str, Any]]:
    """The description once the table is ACTIVE again and its warm throughput too."""

    def wait(name: str) -> dict[str, Any]:
        table: dict[str, Any] = {}

        def is_settled() -> bool:
            table.update(db.describe_table(TableName=name)["Table"])
            return bool(table["TableStatus"] == table["WarmThroughput"]["Status"] == "ACTIVE")

        wait_until(f"{name} is ACTIVE", is_settled)
        return table

    return wait


Settle = Callable[[str], dict[str, Any]]


def test_units_are_raised(db: Any, provisioned: str, settle: Settle) -> None:
    """DDB-TABLE-060: the answer has the old units and the time; then the new ones. 061: warm throughput follows."""
    answer = db.update_table(TableName=provisioned, ProvisionedThroughput=units(7, 8))["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    first = answer["ProvisionedThroughput"].pop("LastIncreaseDateTime")
    assert answer["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(5, 6)}
    table = settle(provisioned)
    assert table["ProvisionedThroughput"].pop("LastIncreaseDateTime") >= first
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(7, 8)}
    assert table["WarmThroughput"] == {"ReadUnitsPerSecond": 7, "WriteUnitsPerSecond": 8, "Status": "ACTIVE"}


def test_decreases_are_counted_and_the_fifth_is_refused(
    db: Any, provisioned: str, settle: Settle, refused: Refused
) -> None:
    """DDB-TABLE-184, 326: four a UTC day, then one an hour. (Across midnight UTC this test counts anew.)"""
    for number, read in enumerate((4, 3, 2, 1)):
        answer = db.update_table(TableName=provisioned, ProvisionedThroughput=units(read, 6))["TableDescription"]
        assert answer["ProvisionedThroughput"]["NumberOfDecreasesToday"] == number
        table = settle(provisioned)
        assert table["ProvisionedThroughput"]["NumberOfDecreasesToday"] == number + 1
        assert table["WarmThroughput"]["ReadUnitsPerSecond"] == 5
    code, message = refused(db.update_table, TableName=provisioned, ProvisionedThroughput=units(1, 5))
    assert code == "LimitExceededException"
    assert message.startswith(
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the "
        "first 4 decreases, each subsequent decrease in the same UTC day can be performed at most once every 3600 "
        "seconds. Number of decreases today: 4. Last decrease at "
    )
    assert " Coordinated Universal Time. Next decrease can be made at " in message
    db.update_table(TableName=provisioned, ProvisionedThroughput=units(2, 6))


def test_the_same_units(db: Any, provisioned: str, refused: Refused) -> None:
    """observed (dynalite), DDB-TABLE-057."""
    for mode in ({}, {"BillingMode": "PROVISIONED"}):
        assert refused(db.update_table, TableName=provisioned, ProvisionedThroughput=units(5, 6), **mode) == (
            "ValidationException",
            "The provisioned throughput for the table will not change. The requested value equals the current value. "
            "Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. "
            "Current WriteCapacityUnits provisioned for the table: 6. Requested WriteCapacityUnits: 6. "
            "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
        )


def test_to_on_demand_and_back(db: Any, provisioned: str, settle: Settle) -> None:
    """DDB-TABLE-055, 064, 369."""
    answer = db.update_table(
        TableName=provisioned, BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxReadRequestUnits": 100}
    )["TableDescription"]
    assert (answer["TableStatus"], answer["BillingModeSummary"]) == ("UPDATING", {"BillingMode": "PAY_PER_REQUEST"})
    assert "LastDecreaseDateTime" in answer["ProvisionedThroughput"]
    table = settle(provisioned)
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    since = table["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"]
    assert since > table["CreationDateTime"]
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(0, 0)}
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 100}
    assert table["WarmThroughput"]["ReadUnitsPerSecond"] == 12_000

    answer = db.update_table(TableName=provisioned, BillingMode="PROVISIONED", ProvisionedThroughput=units(3, 4))[
        "TableDescription"
    ]
    assert answer["TableStatus"] == "UPDATING"
    table = settle(provisioned)
    assert table["BillingModeSummary"] == {
        "BillingMode": "PROVISIONED",
        "LastUpdateToPayPerRequestDateTime": since,
    }
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(3, 4)}
    assert table["WarmThroughput"]["ReadUnitsPerSecond"] == 12_000
    assert "OnDemandThroughput" not in table


def test_on_demand_once_more(db: Any, on_demand: str) -> None:
    """DDB-TABLE-156, 383: a no-op whose answer says UPDATING, which nobody else sees."""
    before = db.describe_table(TableName=on_demand)["Table"]
    answer = db.update_table(TableName=on_demand, BillingMode="PAY_PER_REQUEST")["TableDescription"]
    assert answer == {**before, "TableStatus": "UPDATING"}
    assert db.describe_table(TableName=on_demand)["Table"] == before


def test_billing_modes_and_units(db: Any, on_demand: str, provisioned: str, refused: Refused) -> None:
    """DDB-TABLE-057, 059; observed (ExtendDB)."""
    missing = INVALID + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"
    for table in (on_demand, "no-such-table"):
        assert refused(db.update_table, TableName=table, BillingMode="PROVISIONED") == (
            "ValidationException",
            missing,
        )
    for mode in ({}, {"BillingMode": "PAY_PER_REQUEST"}):
        found = refused(db.update_table, TableName=on_demand, ProvisionedThroughput=units(1, 1), **mode)
        assert found == ("ValidationException", NEITHER)


def test_maximums_of_on_demand_throughput(db: Any, on_demand: str, refused: Refused) -> None:
    """DDB-TABLE-051, 178, 182: merged at once; -1 takes one away, and only the answer shows it."""

    def change(**maximums: int) -> tuple[Any, Any]:
        answer = db.update_table(TableName=on_demand, OnDemandThroughput=maximums)["TableDescription"]
        assert answer["TableStatus"] == "ACTIVE"
        table = db.describe_table(TableName=on_demand)["Table"]
        return answer["OnDemandThroughput"], table.get("OnDemandThroughput")

    both = {"MaxReadRequestUnits": 1000, "MaxWriteRequestUnits": 500}
    assert change(**both) == (both, both)
    assert change(MaxReadRequestUnits=2000)[1] == {**both, "MaxReadRequestUnits": 2000}
    assert change(MaxReadRequestUnits=-1) == ({**both, "MaxReadRequestUnits": -1}, {"MaxWriteRequestUnits": 500})
    assert change(MaxWriteRequestUnits=-1) == ({"MaxWriteRequestUnits": -1}, None)
    for units_ in (0, -2):
        found = refused(db.update_table, TableName=on_demand, OnDemandThroughput={"MaxWriteRequestUnits": units_})
        assert found == (
            "ValidationException",
            INVALID + "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range",
        )


def test_maximums_are_for_on_demand_tables(db: Any, provisioned: str, refused: Refused) -> None:
    """DDB-TABLE-059."""
    found = refused(db.update_table, TableName=provisioned, OnDemandThroughput={"MaxReadRequestUnits": 5})
    assert found == (
        "ValidationException",
        INVALID
        + "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED",
    )


def test_warm_throughput_rises(db: Any, on_demand: str, settle: Settle, refused: Refused) -> None:
    """DDB-TABLE-179: the table stays ACTIVE; never lower."""
    answer = db.update_table(TableName=on_demand, WarmThroughput={"ReadUnitsPerSecond": 12_001})["TableDescription"]
    assert answer["TableStatus"] == "ACTIVE"
    assert answer["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_000,
        "WriteUnitsPerSecond": 4_000,
        "Status": "UPDATING",
    }
    assert settle(on_demand)["WarmThroughput"]["ReadUnitsPerSecond"] == 12_001
    found = refused(db.update_table, TableName=on_demand, WarmThroughput={"ReadUnitsPerSecond": 12_000})
    assert found == (
        "ValidationException",
        INVALID + "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, "
        "decreasing WarmThroughput is not supported",
    )


def test_table_class(db: Any, on_demand: str, settle: Settle) -> None:
    """DDB-TABLE-177, 284."""
    again = db.update_table(TableName=on_demand, TableClass="STANDARD")["TableDescription"]
    assert again["TableStatus"] == "UPDATING"
    assert "TableClassSummary" not in db.describe_table(TableName=on_demand)["Table"]
    answer = db.update_table(TableName=on_demand, TableClass="STANDARD_INFREQUENT_ACCESS")["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    assert "TableClassSummary" not in answer
    summary = settle(on_demand)["TableClassSummary"]
    assert summary.pop("LastUpdateDateTime") > answer["CreationDateTime"]
    assert summary == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    db.update_table(TableName=on_demand, TableClass="STANDARD")
    assert settle(on_demand)["TableClassSummary"]["TableClass"] == "STANDARD"


def test_deletion_protection(db: Any, on_demand: str, refused: Refused) -> None:
    """DDB-TABLE-410: at once."""
    answer = db.update_table(TableName=on_demand, DeletionProtectionEnabled=True)["TableDescription"]
    assert (answer["TableStatus"], answer["DeletionProtectionEnabled"]) == ("ACTIVE", True)
    assert refused(db.delete_table, TableName=on_demand)[0] == "ValidationException"
    db.update_table(TableName=on_demand, DeletionProtectionEnabled=False)
    db.delete_table(TableName=on_demand)


def test_items_are_served_all_the_while(db: Any, provisioned: str) -> None:
    """API: the table is UPDATING and can be used."""
    for number in range(8):
        db.put_item(TableName=provisioned, Item={"pk": {"S": str(number)}})
        answer = db.update_table(TableName=provisioned, ProvisionedThroughput=units(10 + number, 10))
        assert answer["TableDescription"]["TableStatus"] == "UPDATING"
        assert db.get_item(TableName=provisioned, Key={"pk": {"S": str(number)}}, ConsistentRead=True)["Item"]
        db.get_waiter("table_exists").wait(TableName=provisioned, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert db.scan(TableName=provisioned, ConsistentRead=True)["Count"] == 8


REQUIRED = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, "
    "SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, "
    "DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required"
)
ALONE = "must be the only operation in the request"
MAXIMUMS = {"MaxReadRequestUnits": 5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, REQUIRED),
        ({"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "N"}]}, REQUIRED),
        ({"GlobalSecondaryIndexUpdates": []}, REQUIRED),
        (
            {"DeletionProtectionEnabled": True, "BillingMode": "PAY_PER_REQUEST"},
            f"DeletionProtection modification {ALONE}",
        ),
        ({"DeletionProtectionEnabled": True, "TableClass": "STANDARD"}, f"TableClass modification {ALONE}"),
        ({"TableClass": "STANDARD", "SSESpecification": {}}, f"Server-Side Encryption modification {ALONE}"),
        ({"WarmThroughput": {"ReadUnitsPerSecond": 1}, "OnDemandThroughput": MAXIMUMS}, f"WarmThroughput {ALONE}"),
        (
            {"OnDemandThroughput": MAXIMUMS, "ProvisionedThroughput": units(1, 1)},
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ),
        (
            {"ProvisionedThroughput": units(1, 1), "StreamSpecification": {"StreamEnabled": False}},
            "You cannot modify stream status while updating table IOPS",
        ),
        ({"SSESpecification": {"Enabled": False}}, "Table is already encrypted by default"),
    ],
)
def test_one_change_at_a_time(
    db: Any, hash_table: str, refused: Refused, change: dict[str, Any], message: str
) -> None:
    """DDB-TABLE-358, 382, 433, 442, 449."""
    code, found = refused(db.update_table, TableName=hash_table, **change)
    assert code == "ValidationException"
    assert found in (message, INVALID + message)


def test_no_stream_to_disable(db: Any, hash_table: str, refused: Refused) -> None:
    """DDB-TABLE-047."""
    found = refused(db.update_table, TableName=hash_table, StreamSpecification={"StreamEnabled": False})
    assert found == ("ValidationException", f"Table has no stream to disable: TableName: {hash_table}")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"ProvisionedThroughput": {}}, "2 validation errors detected: Value null at 'provisionedThroughput.write"),
        ({"ProvisionedThroughput": units(-1, 1)}, "Value '-1' at 'provisionedThroughput.readCapacityUnits'"),
        (
            {"ProvisionedThroughput": units(10**12 + 1, 1)},
            "Given value 1000000000001 for ReadCapacityUnits is out of",
        ),
        ({"BillingMode": "X"}, "Value 'X' at 'billingMode' failed to satisfy constraint: Member must satisfy enum"),
        ({"TableClass": ""}, "Value '' at 'tableClass'"),
    ],
)
def test_shapes_before_tables(db: Any, refused: Refused, change: dict[str, Any], part: str) -> None:
    """observed (dynalite): before anybody looks whether there is such a table."""
    code, message = refused(db.update_table, TableName="no-such-table", **change)
    assert code == "ValidationException"
    assert part in message


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("SSESpecification", {"Enabled": True}),
        ("MultiRegionConsistency", "STRONG"),
        ("GlobalTableWitnessUpdates", [{"Create": {"RegionName": "eu-west-1"}}]),
        ("GlobalTableSettingsReplicationMode", "ENABLED"),
    ],
)
def test_what_is_not_built(db: Any, hash_table: str, refused: Refused, member: str, value: Any) -> None:
    """Ours."""
    code, message = refused(db.update_table, TableName=hash_table, **{member: value})
    assert (code, message) == ("ValidationException", f"{member} is not supported by this version of Dynabus")


REPLICA = "us-east-1"
NO_ACTION = "There are no actions specified in the Replica Update Action of the request."


@pytest.mark.parametrize(
    ("updates", "text"),
    [
        (
            [{"Create": {"RegionName": "eu-west-1"}}],
            "Region eu-west-1 is not supported. The latest",
        ),
        ([{"Create": {"RegionName": REPLICA}}], "Cannot add or delete the local region through ReplicaUpdates."),
        ([{"Delete": {"RegionName": REPLICA}}], "Cannot add or delete the local region through ReplicaUpdates."),
        ([{}], NO_ACTION),
        ([{"Update": {"RegionName": "eu-west-1"}}], NO_ACTION),
        (
            [{"Create": {"RegionName": "eu-west-1"}, "Delete": {"RegionName": "eu-west-2"}}],
            "Update table operation with more than one type of replica actions not allowed.",
        ),
        (
            [{"Create": {"RegionName": "eu-west-1"}}, {"Create": {"RegionName": "eu-west-2"}}],
            "Update table operation with more than one create or delete replica actions not allowed",
        ),
        (
            [{"Delete": {"RegionName": "eu-west-1"}}],
            "Update global table operation failed because one or more replicas were not part of the global table. "
            "Please retry the request without these replicas: [eu-west-1].",
        ),
        ([{"Create": {"RegionName": "eu-west-1", "KMSMasterKeyId": "x"}}], "KMSMasterKeyId is not supported by this"),
        ([{"Disassociate": {"RegionName": "eu-west-1"}}], "Disassociate is not supported by this version of Dynabus"),
        ([], "'replicaUpdates' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        ([{"Create": {}}], "'replicaUpdates.1.member.create.regionName' failed to satisfy constraint"),
    ],
)
def test_replicas_that_cannot_be(db: Any, hash_table: str, refused: Refused, updates: list[Any], text: str) -> None:
    """DDB-TABLE-223, 265, 307. With another region: tests/integration/test_regions.py."""
    code, message = refused(db.update_table, TableName=hash_table, ReplicaUpdates=updates)
    assert code == "ValidationException"
    assert text in message


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """observed (dynalite), DDB-TABLE-070."""
    found = refused(db.update_table, TableName="no-such-table", DeletionProtectionEnabled=True)
    assert found == ("ResourceNotFoundException", "Requested resource not found: Table: no-such-table not found")


def test_by_arn(db: Any, on_demand: str, refused: Refused) -> None:
    """DDB-TABLE-013."""
    arn = db.describe_table(TableName=on_demand)["Table"]["TableArn"]
    answer = db.update_table(TableName=arn, DeletionProtectionEnabled=True)["TableDescription"]
    assert answer["TableName"] == on_demand
    db.update_table(TableName=arn, DeletionProtectionEnabled=False)
    db.delete_table(TableName=arn)


def test_while_it_is_created_and_deleted(db: Any, refused: Refused) -> None:
    """DDB-TABLE-001, 006."""
    name = "update-too-early"
    db.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    found = refused(db.update_table, TableName=name, DeletionProtectionEnabled=True)
    assert found == ("ResourceInUseException", IN_USE + f"Table is being created: {name}")
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    db.delete_table(TableName=name)
    code, message = refused(db.update_table, TableName=name, DeletionProtectionEnabled=True)
    if code != "ResourceNotFoundException":  # it may be gone by now
        assert (code, message) == ("ResourceInUseException", IN_USE + f"Table is being deleted: {name}")
