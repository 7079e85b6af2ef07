"""DescribeTable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def test_short_names(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """DDB-TABLE-457."""
    assert refused(db.describe_table, TableName="ab") == (
        "ValidationException",
        "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 3",
    )
