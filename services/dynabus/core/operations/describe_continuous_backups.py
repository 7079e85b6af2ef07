"""DescribeContinuousBackups.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html

Both states are DISABLED, because Dynabus keeps no backups: nothing can be restored. DynamoDB says ENABLED of the
outer state, which there means that point-in-time recovery can be switched on, and DISABLED only in the first seconds
of a table (ScyllaDB's test_backup.py). Here it cannot be switched on: there is no UpdateContinuousBackups. A tool
that audits backups must not be told otherwise. Terraform reads the inner state only (its flattenPITR).
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import DYNAMODB, ApiError
from dynabus.core.operations.arns import table_name
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import TABLE_NAME, Member, check

MEMBERS: dict[str, Member] = {"TableName": TABLE_NAME}
OFF = orjson.dumps(
    {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "DISABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
        }
    }
)


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    name = table_name(request["TableName"], context)
    if name not in context.view.tables:
        raise table_not_found(name)
    yield from ()
    return OFF


def table_not_found(name: str) -> ApiError:
    """Operations on backups have an error of their own for tables that do not exist.

    Message: DynamoDB's, as quoted in issue 26577 of Terraform's AWS provider.
    """
    return ApiError(DYNAMODB + "TableNotFoundException", f"Table not found: {name}")
