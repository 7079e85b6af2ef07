"""Tables by ARN, in every operation that takes a TableName or names tables in a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table"
KEY = {"pk": {"S": "by-arn"}}
CALLS: dict[str, Any] = {
    "get_item": {"Key": KEY},
    "put_item": {"Item": KEY},
    "update_item": {"Key": KEY},
    "delete_item": {"Key": KEY},
    "query": {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": KEY["pk"]}},
    "scan": {},
    "describe_table": {},
    "update_table": {"DeletionProtectionEnabled": True},
    "delete_table": {},
    "describe_time_to_live": {},
    "describe_continuous_backups": {},
    "batch_get_item": {"Keys": [KEY]},
    "batch_write_item": [{"PutRequest": {"Item": KEY}}],
}
"""What each needs besides the name of the table."""

FORMAT = (
    "Valid ARN format is 'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/resourceName', where "
    "Resource name must have length less than or equal to 255, "
    "Resource name must have length greater than or equal to 3, "
    "Resource name must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
)
NOT_FOUND = "Requested resource not found"


def arguments(call: str, name: str) -> dict[str, Any]:
    if call.startswith("batch_"):
        return {"RequestItems": {name: CALLS[call]}}
    return {"TableName": name, **CALLS[call]}


def no_table(call: str) -> tuple[str, str]:
    """How the operation says that there is no table of the name no-such-table."""
    if call == "describe_continuous_backups":
        return "TableNotFoundException", "Table not found: no-such-table"
    of_items = call.endswith("_item") or call in ("query", "scan")
    return "ResourceNotFoundException", NOT_FOUND if of_items else f"{NOT_FOUND}: Table: no-such-table not found"


def test_items(db: Any, hash_table: str) -> None:
    """API: TableName may be an ARN in every operation on items; answers name the table."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    assert arn == f"{ARN}/{hash_table}"
    put = db.put_item(TableName=arn, Item=KEY, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["TableName"] == hash_table
    assert db.get_item(TableName=arn, Key=KEY, ConsistentRead=True)["Item"] == KEY
    assert db.get_item(TableName=hash_table, Key=KEY, ConsistentRead=True)["Item"] == KEY
    db.update_item(TableName=arn, Key=KEY)
    answer = db.query(
        TableName=arn,
        ConsistentRead=True,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": KEY["pk"]},
    )
    assert answer["Items"] == [KEY]
    db.delete_item(TableName=arn, Key=KEY)
    assert "Item" not in db.get_item(TableName=arn, Key=KEY, ConsistentRead=True)


@pytest.mark.parametrize("call", CALLS)
def test_another_region(db: Any, refused: Refused, call: str) -> None:
    """DDB-TABLE-011 (DescribeTable), 442 (DescribeTimeToLive, DescribeContinuousBackups); terraform-aws-modules/
    terraform-aws-dynamodb-table issue 85 (the whole text). That items' operations say the same is ours."""
    arn = "arn:aws:dynamodb:mars-north-1:000000000000:table/abc"
    found = refused(getattr(db, call), **arguments(call, arn))
    assert found == ("ValidationException", f"1 validation error detected: Invalid AWS region in '{arn}'")


@pytest.mark.parametrize("call", CALLS)
def test_another_account(db: Any, refused: Refused, call: str) -> None:
    """DDB-TABLE-011. AWS's policies, under which DynamoDB may allow it, do not exist here."""
    arn = "arn:aws:dynamodb:us-east-1:999999999999:table/abc"
    assert refused(getattr(db, call), **arguments(call, arn)) == ("AccessDeniedException", "Access is denied")


@pytest.mark.parametrize("call", CALLS)
def test_an_index(db: Any, refused: Refused, call: str) -> None:
    """ExtendDB pull request 200."""
    arn = f"{ARN}/abc/index/i"
    failed = f"Value '{arn}' at 'tableName' failed to satisfy constraint: {FORMAT}"
    found = refused(getattr(db, call), **arguments(call, arn))
    assert found == ("ValidationException", f"1 validation error detected: {failed}")


@pytest.mark.parametrize("call", CALLS)
def test_another_resource(db: Any, refused: Refused, call: str) -> None:
    """DDB-TABLE-442, whose text is completed like that of another region (ours)."""
    arn = "arn:aws:dynamodb:us-east-1:000000000000:global-table/abc"
    found = refused(getattr(db, call), **arguments(call, arn))
    assert found == ("ValidationException", f"1 validation error detected: Invalid resource type in '{arn}'")


@pytest.mark.parametrize("call", CALLS)
def test_a_short_name(db: Any, refused: Refused, call: str) -> None:
    """ExtendDB pull request 200."""
    arn = f"{ARN}/ab"
    constraint = "Table name of ARN must have length greater than or equal to 3"
    failed = f"Value '{arn}' at 'tableName' failed to satisfy constraint: {constraint}"
    found = refused(getattr(db, call), **arguments(call, arn))
    assert found == ("ValidationException", f"1 validation error detected: {failed}")


@pytest.mark.parametrize("call", CALLS)
def test_no_such_table(db: Any, refused: Refused, call: str) -> None:
    """DDB-TABLE-072, 070: the table is named without its ARN; observed."""
    assert refused(getattr(db, call), **arguments(call, f"{ARN}/no-such-table")) == no_table(call)
