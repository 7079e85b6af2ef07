"""DescribeTable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cluster import wait_until


def test_a_table_is_described(db: Any, range_table: str) -> None:
    """API."""
    table = db.describe_table(TableName=range_table)["Table"]
    assert table["TableName"] == range_table
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]} == {
        "pk": "S",
        "sk": "N",
    }
    assert len(table["TableId"]) == 36
    assert table["CreationDateTime"].timestamp() > 1_600_000_000


def test_items_and_bytes_are_counted(db: Any, hash_table: str) -> None:
    """API: ItemCount and TableSizeBytes. DynamoDB's are hours old, ours a heartbeat (ours)."""

    def counted() -> tuple[int, int]:
        table = db.describe_table(TableName=hash_table)["Table"]
        return table["ItemCount"], table["TableSizeBytes"]

    before = counted()
    for number in range(3):
        db.put_item(TableName=hash_table, Item={"pk": {"S": f"counted {number}"}, "x": {"S": "y" * 100}})
    db.delete_item(TableName=hash_table, Key={"pk": {"S": "counted 0"}})
    wait_until("two more items are counted", lambda: counted() == (before[0] + 2, before[1] + 2 * (2 + 9 + 1 + 100)))


def test_by_arn(db: Any, range_table: str) -> None:
    """API: TableName may be an ARN."""
    arn = db.describe_table(TableName=range_table)["Table"]["TableArn"]
    assert db.describe_table(TableName=arn)["Table"]["TableName"] == range_table


def test_a_table_that_is_not_there(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """observed."""
    found = refused(db.describe_table, TableName="no-such-table")
    assert found == ("ResourceNotFoundException", "Requested resource not found: Table: no-such-table not found")


def test_items_by_arn(db: Any, hash_table: str) -> None:
    """API: TableName may be an ARN in every operation on items; answers name the table."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    key = {"pk": {"S": "by-arn"}}
    put = db.put_item(TableName=arn, Item=key, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["TableName"] == hash_table
    assert db.get_item(TableName=arn, Key=key, ConsistentRead=True)["Item"] == key
    assert db.get_item(TableName=hash_table, Key=key, ConsistentRead=True)["Item"] == key
    db.update_item(TableName=arn, Key=key)
    answer = db.query(
        TableName=arn,
        ConsistentRead=True,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": key["pk"]},
    )
    assert answer["Items"] == [key]
    db.delete_item(TableName=arn, Key=key)
    assert "Item" not in db.get_item(TableName=arn, Key=key, ConsistentRead=True)


ARN = "arn:aws:dynamodb:us-east-1:000000000000:table"


@pytest.mark.parametrize("operation", ["describe_table", "delete_table", "update_table"])
@pytest.mark.parametrize(
    ("arn", "found"),
    [
        (
            "arn:aws:dynamodb:mars-north-1:000000000000:table/abc",
            (
                "ValidationException",
                "1 validation error detected: Invalid AWS region in "
                "'arn:aws:dynamodb:mars-north-1:000000000000:table/abc'",
            ),
        ),
        (
            "arn:aws:dynamodb:us-east-1:999999999999:table/abc",
            ("AccessDeniedException", "Access is denied"),
        ),
        (
            f"{ARN}/abc/index/i",
            ("ValidationException", f"1 validation error detected: Invalid resource type in '{ARN}/abc/index/i'"),
        ),
        (
            f"{ARN}/no-such-table",
            ("ResourceNotFoundException", "Requested resource not found: Table: no-such-table not found"),
        ),
    ],
)
def test_other_arns(
    db: Any, refused: Callable[..., tuple[str, str]], operation: str, arn: str, found: tuple[str, str]
) -> None:
    """DDB-TABLE-013, 072; the wording for an index is ours."""
    more = {"DeletionProtectionEnabled": True} if operation == "update_table" else {}
    assert refused(getattr(db, operation), TableName=arn, **more) == found


def test_short_names(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """DDB-TABLE-457."""
    assert refused(db.describe_table, TableName="ab") == (
        "ValidationException",
        "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 3",
    )
