"""Tables by ARN: `arn:aws:dynamodb:<region>:<account>:table/<name>`, wherever an existing table is named.

What the ARN of something else, or from elsewhere, is answered with; all but the last are ValidationException.

    TableName                                   message, or its beginning                                   source
    neither resource type nor name              Value 'arn:...' at 'tableName' ... Valid ARN format is ...  2
    another partition                           Invalid AWS partition in 'arn:...'                          1
    another region                              Invalid AWS region in 'arn:...'                             1
    another service, no table                   Invalid resource type in 'arn:...'                          1
    a name of less than three characters        Value ... Table name of ARN must have length ...            2
    an index or a stream of a table, no name    Value ... Valid ARN format is ...                           2
    another account                             AccessDeniedException: Access is denied                     1

1 ack-api-quirks, DDB-TABLE-011, 013 and 442 (of operations on tables; its catalogue gives the begin of some texts,
which are completed like the others); 2 ExtendDB, pull request 200 (of operations on items). Ours are the order, and
that all operations have the same rule. ResourceArn: DDB-TABLE-071, 442.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dynabus.core.errors import ApiError, access_denied, invalid_parameter, validation_error
from dynabus.core.operations.calls import Context
from dynabus.core.operations.shapes import NAME_PATTERN, Member, detected, fault

_NAME_LEAST, _NAME_MOST = 3, 255
TABLE = Member("String", required=True, shortest=_NAME_LEAST, longest=_NAME_MOST, pattern=NAME_PATTERN, arn=True)
"""TableName of an operation on tables."""

_FORMAT = (
    "Valid ARN format is 'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/resourceName', where "
    f"Resource name must have length less than or equal to {_NAME_MOST}, "
    f"Resource name must have length greater than or equal to {_NAME_LEAST}, "
    f"Resource name must satisfy regular expression pattern: {NAME_PATTERN}"
)
_TOO_SHORT = f"Table name of ARN must have length greater than or equal to {_NAME_LEAST}"


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
    kind, slash, name = parts.resource.partition("/")
    if not slash:
        raise _broken(name_or_arn, _FORMAT)
    _check_where(name_or_arn, parts, context)
    if parts.service != "dynamodb" or kind != "table":
        raise _invalid("resource type", name_or_arn)
    if len(name) < _NAME_LEAST:
        raise _broken(name_or_arn, _TOO_SHORT)
    if len(name) > _NAME_MOST or not re.fullmatch(NAME_PATTERN, name):
        raise _broken(name_or_arn, _FORMAT)
    if parts.account != context.account:
        raise access_denied()
    return name


def _check_where(arn: str, parts: _Parts, context: Context) -> None:
    if parts.partition != "aws":
        raise _invalid("AWS partition", arn)
    if parts.region != context.region:
        raise _invalid("AWS region", arn)


def _invalid(what: str, arn: str) -> ApiError:
    return validation_error(f"1 validation error detected: Invalid {what} in '{arn}'")


def _broken(arn: str, constraint: str) -> ApiError:
    return detected([fault(arn, "tableName", constraint)])


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
