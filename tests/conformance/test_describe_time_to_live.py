"""DescribeTimeToLive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_it_is_off(db: Any, hash_table: str) -> None:
    """scylladb test/alternator/test_ttl.py, without time to live: the status alone, no AttributeName."""
    answer = db.describe_time_to_live(TableName=hash_table)
    assert answer["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}


def test_by_arn(db: Any, hash_table: str) -> None:
    """API: TableName may be an ARN."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    assert db.describe_time_to_live(TableName=arn)["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}


def test_a_table_that_is_not_there(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """localstack/localstack issue 9030: type and message of DynamoDB."""
    found = refused(db.describe_time_to_live, TableName="no-such-table")
    assert found == ("ResourceNotFoundException", "Requested resource not found: Table: no-such-table not found")


def test_no_name(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """API: TableName is required; the words are coral's for every required member."""
    found = refused(db.describe_time_to_live)
    assert found == (
        "ValidationException",
        "1 validation error detected: "
        "Value null at 'tableName' failed to satisfy constraint: Member must not be null",
    )
