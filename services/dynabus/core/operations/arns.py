"""Tables by ARN: `arn:aws:dynamodb:<region>:<account>:table/<name>`.

What DynamoDB answers to others: ack-api-quirks, DDB-TABLE-013 (TableName) and DDB-TABLE-071, 442 (ResourceArn). Texts
that its catalogue gives the begin of only are completed like the others (ours).
"""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.errors import access_denied, invalid_parameter, validation_error
from dynabus.core.operations.calls import Context
from dynabus.core.operations.shapes import NAME_PATTERN, Member

TABLE = Member("String", required=True, shortest=3, longest=255, pattern=NAME_PATTERN, arn=True)
"""TableName of an operation on tables."""

_NAME_LEAST = 3


class _Parts(NamedTuple):
    partition: str
    service: str
    region: str
    account: str
    resource: str


def _parts(arn: str) -> _Parts:
    fields = arn.split(":", 5)[1:]
    return _Parts(*fields, *[""] * (5 - len(fields)))


def table_name(name_or_arn: str, context: Context) -> str:
    """The table's name. Raises the ApiError for an ARN of something else, or from elsewhere."""
    if not name_or_arn.startswith("arn:"):
        return name_or_arn
    parts = _parts(name_or_arn)
    if parts.partition != "aws":
        raise _invalid("AWS partition", name_or_arn)
    if parts.region != context.region:
        raise _invalid("AWS region", name_or_arn)
    kind, _, name = parts.resource.partition("/")
    if parts.service != "dynamodb" or kind != "table" or not name or "/" in name:
        raise _invalid("resource type", name_or_arn)
    if parts.account != context.account:
        raise access_denied()
    return name


def _invalid(what: str, arn: str) -> Exception:
    return validation_error(f"1 validation error detected: Invalid {what} in '{arn}'")


def tagged_table(arn: str | None, context: Context) -> str:
    """The name of the table that a ResourceArn means. Raises ApiError."""
    if arn is None:
        raise validation_error("Invalid TableArn")
    if not arn.startswith("arn:"):
        raise invalid_parameter(f"ARNs must start with 'arn:': {arn}")
    parts = _parts(arn)
    if parts.service != "dynamodb":
        raise invalid_parameter(f"Provided Arn is not a DynamoDB resource arn: {arn}")
    kind, _, name = parts.resource.partition("/")
    if kind == "table" and "/index/" in name:
        raise invalid_parameter(
            f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )
    if kind != "table" or parts.partition != "aws" or parts.region != context.region or len(name) < _NAME_LEAST:
        raise validation_error(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if parts.account != context.account:
        raise access_denied()
    return name
