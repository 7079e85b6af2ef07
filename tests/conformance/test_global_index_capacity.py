"""What writes cost global secondary indexes, and what an index does to its table's writes that has nothing left.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html ("Provisioned throughput
considerations") and gsi-throttling.html (back-pressure); the error's members as API_ThrottlingReason.html has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.test_global_secondary_indexes import index
from tests.integration.cluster import wait_until

TABLE, NARROW = "conformance-index-capacity", "conformance-index-narrow"
WHO, SCORE = ({"AttributeName": name, "AttributeType": kind} for name, kind in (("who", "S"), ("score", "N")))
PK = {"AttributeName": "pk", "AttributeType": "S"}


@pytest.fixture(scope="module")
def table(db: Any) -> str:
    db.create_table(
        TableName=TABLE,
        AttributeDefinitions=[PK, WHO, SCORE],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[index("by-who", "who"), index("by-score", "score", "", "KEYS_ONLY")],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return TABLE


def item(**more: Any) -> dict[str, Any]:
    return {"pk": {"S": "one"}, **more}


LONG = {"S": "x" * 2500}
ANN, BOB, ONE = {"S": "ann"}, {"S": "bob"}, {"N": "1"}


def test_each_index_is_named_with_what_the_write_cost_it(db: Any, table: str) -> None:
    """GSI.html: a put, a change of what is projected, of the key, and a delete; nothing where nothing is changed."""

    def put(**more: Any) -> Any:
        answer = db.put_item(TableName=table, Item=item(**more), ReturnConsumedCapacity="INDEXES")
        capacity = answer["ConsumedCapacity"]
        of = {name: each["CapacityUnits"] for name, each in capacity.get("GlobalSecondaryIndexes", {}).items()}
        assert capacity["CapacityUnits"] == capacity["Table"]["CapacityUnits"] + sum(of.values())
        return capacity["Table"]["CapacityUnits"], of

    assert put() == (1.0, {})
    assert put(who=ANN) == (1.0, {"by-who": 1.0})
    assert put(who=ANN, score=ONE) == (1.0, {"by-who": 1.0, "by-score": 1.0})
    assert put(who=ANN, score=ONE, note=LONG) == (3.0, {"by-who": 3.0})
    assert put(who=BOB, score=ONE, note=LONG) == (3.0, {"by-who": 6.0})
    assert put(who=BOB, score=ONE, note=LONG) == (3.0, {})
    assert put(who=BOB) == (3.0, {"by-who": 3.0, "by-score": 1.0})
    total = db.delete_item(TableName=table, Key=item(), ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert total == {"TableName": table, "CapacityUnits": 2.0}


def test_updates_and_old_values(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item=item(who=ANN))
    answer = db.update_item(
        TableName=table,
        Key=item(),
        UpdateExpression="SET who = :w",
        ExpressionAttributeValues={":w": BOB},
        ReturnValues="ALL_OLD",
        ReturnConsumedCapacity="INDEXES",
    )
    assert answer["Attributes"] == item(who=ANN), "what the answer says of indexes is none of its attributes"
    assert answer["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {"by-who": {"CapacityUnits": 2.0}}
    gone = db.delete_item(TableName=table, Key=item(), ReturnValues="ALL_OLD")
    assert gone["Attributes"] == item(who=BOB)


def test_batches_add_it_up(db: Any, table: str) -> None:
    puts = [{"PutRequest": {"Item": {"pk": {"S": f"b{number}"}, "who": ANN}}} for number in range(5)]
    answer = db.batch_write_item(RequestItems={table: puts}, ReturnConsumedCapacity="INDEXES")
    [capacity] = answer["ConsumedCapacity"]
    assert capacity["GlobalSecondaryIndexes"] == {"by-who": {"CapacityUnits": 5.0}}
    assert capacity["CapacityUnits"] == 10.0


def units(write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": 5, "WriteCapacityUnits": write}


@pytest.fixture(scope="module")
def narrow(db: Any) -> str:
    """Its index has a unit a second, so 300 at first."""
    db.create_table(
        TableName=NARROW,
        AttributeDefinitions=[PK, WHO],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[{**index("by-who", "who"), "ProvisionedThroughput": units(1)}],
        ProvisionedThroughput=units(4000),
    )
    db.get_waiter("table_exists").wait(TableName=NARROW, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return NARROW


def test_an_index_that_has_nothing_left_throttles_its_tables_writes(
    db: Any, narrow: str, refused: Callable[..., tuple[str, str]]
) -> None:
    """Then it gets more: its throughput is changed, and the table is written again."""
    large = {"S": "x" * 390_000}

    def write_many() -> None:
        for number in range(20):
            db.put_item(TableName=narrow, Item={"pk": {"S": f"item-{number}"}, "who": ANN, "note": large})

    with pytest.raises(ClientError) as caught:
        write_many()
    error: Any = caught.value.response
    assert error["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert "one or more global secondary indexes of the table" in error["Error"]["Message"]
    arn = db.describe_table(TableName=narrow)["Table"]["TableArn"]
    reason = {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{arn}/index/by-who"}
    assert error["ThrottlingReasons"] == [reason]
    key = {"pk": {"S": "no-index-has-it"}}
    code, _ = refused(db.put_item, TableName=narrow, Item=key)
    assert code == "ProvisionedThroughputExceededException", "ours: not known before it is written"
    assert "Item" not in db.get_item(TableName=narrow, Key=key), "reads go on"
    update = {"IndexName": "by-who", "ProvisionedThroughput": units(4000)}
    db.update_table(TableName=narrow, GlobalSecondaryIndexUpdates=[{"Update": update}])

    def writes() -> bool:
        try:
            db.put_item(TableName=narrow, Item=key)
        except db.exceptions.ProvisionedThroughputExceededException:
            return False
        return True

    wait_until("the table is written again", writes, 60)


def test_billing_modes(db: Any, narrow: str, refused: Callable[..., tuple[str, str]]) -> None:
    """API_UpdateTable.html: of a table that becomes provisioned each index says its units."""

    def is_active() -> bool:
        found = db.describe_table(TableName=narrow)["Table"]
        return bool(found["TableStatus"] == "ACTIVE" == found["GlobalSecondaryIndexes"][0]["IndexStatus"])

    wait_until("ACTIVE", is_active, 60)
    db.update_table(TableName=narrow, BillingMode="PAY_PER_REQUEST")
    wait_until("on demand", is_active, 60)
    found = db.describe_table(TableName=narrow)["Table"]["GlobalSecondaryIndexes"][0]
    assert found["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    provisioned = {"TableName": narrow, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(10)}
    code, words = refused(db.update_table, **provisioned)
    assert code == "ValidationException"
    assert words.endswith("ProvisionedThroughput must be specified for index: by-who")
    update = {"IndexName": "by-who", "ProvisionedThroughput": units(7)}
    db.update_table(**provisioned, GlobalSecondaryIndexUpdates=[{"Update": update}])
    wait_until("provisioned", is_active, 60)
    found = db.describe_table(TableName=narrow)["Table"]["GlobalSecondaryIndexes"][0]
    assert found["ProvisionedThroughput"]["WriteCapacityUnits"] == 7
