"""DeleteTable, and a table of the same name after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_a_deleted_table_is_gone_and_its_successor_empty(db: Any, make_table: Callable[..., str]) -> None:
    """API: DELETING first; a new table of that name never meets the old one's items."""
    name = make_table("conformance-delete", ("pk", "S"))
    first = db.describe_table(TableName=name)["Table"]["TableId"]
    db.put_item(TableName=name, Item={"pk": {"S": "old"}})
    assert db.delete_table(TableName=name)["TableDescription"]["TableStatus"] == "DELETING"
    db.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    make_table(name, ("pk", "S"))
    assert db.describe_table(TableName=name)["Table"]["TableId"] != first
    assert db.scan(TableName=name, ConsistentRead=True)["Count"] == 0


def test_a_table_that_is_not_there(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """observed."""
    found = refused(db.delete_table, TableName="no-such-table")
    assert found == ("ResourceNotFoundException", "Requested resource not found: Table: no-such-table not found")


def test_a_protected_table_stays(
    db: Any, make_table: Callable[..., str], refused: Callable[..., tuple[str, str]]
) -> None:
    """developerguide/WorkingWithTables.Basics: deletion protection."""
    name = make_table(
        "conformance-protected", ("pk", "S"), BillingMode="PAY_PER_REQUEST", DeletionProtectionEnabled=True
    )
    code, message = refused(db.delete_table, TableName=name)
    assert code == "ValidationException"
    assert "protected against deletion" in message
    assert db.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"


def test_by_arn(db: Any, make_table: Callable[..., str]) -> None:
    """API: TableName may be an ARN."""
    name = make_table("conformance-delete-by-arn", ("pk", "S"))
    arn = db.describe_table(TableName=name)["Table"]["TableArn"]
    assert db.delete_table(TableName=arn)["TableDescription"]["TableName"] == name
    db.get_waiter("table_not_exists").wait(TableName=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
