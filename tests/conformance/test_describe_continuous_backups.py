"""DescribeContinuousBackups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OFF = {
    "ContinuousBackupsStatus": "DISABLED",
    "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
}


def test_they_are_off(db: Any, hash_table: str) -> None:
    """scylladb test/alternator/test_backup.py: members of the answer. The outer DISABLED is ours where DynamoDB,
    which has backups, says ENABLED (API: on all tables at table creation)."""
    assert db.describe_continuous_backups(TableName=hash_table)["ContinuousBackupsDescription"] == OFF


def test_by_arn(db: Any, hash_table: str) -> None:
    """API: TableName may be an ARN."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    assert db.describe_continuous_backups(TableName=arn)["ContinuousBackupsDescription"] == OFF


def test_a_table_that_is_not_there(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """hashicorp/terraform-provider-aws issue 26577: type and message of DynamoDB."""
    found = refused(db.describe_continuous_backups, TableName="no-such-table")
    assert found == ("TableNotFoundException", "Table not found: no-such-table")


def test_no_name(db: Any, refused: Callable[..., tuple[str, str]]) -> None:
    """scylladb test/alternator/test_backup.py: a ValidationException; the words are coral's for required members."""
    found = refused(db.describe_continuous_backups)
    assert found == (
        "ValidationException",
        "1 validation error detected: "
        "Value null at 'tableName' failed to satisfy constraint: Member must not be null",
    )
