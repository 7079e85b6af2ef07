"""How PutItem, UpdateItem and DeleteItem refuse a request: the envelope of DynamoDB's current validation framework.

    what is wrong                                          answer (all are ValidationException, HTTP 400)
    a required member is missing                           all broken constraints of the service model together
    TableName                                              its own constraints alone
    enums                                                  together; UpdateItem: the first one alone
    anything else that is found before the table is        one, behind "1 validation error detected: "
    looked for
    what is found afterwards                               as it is

A request in which a value nests more than 62 levels is read by the older framework: all broken constraints together,
and nothing behind an envelope. Which members DynamoDB looks at first is the order of `ENUMS` and, in the older form,
that of an operation's MEMBERS.

Sources, all of paritysuite/dynamodb-conformance: captures/cross-region-latest (2026-09-20) and
2026-10-07-sweep-follow-up (31 of 33 regions), error-messages/deleteItem and putItem ("request validation envelope"),
validation-ordering/updateItem and deepRequests (2026-10-09). Ours: where the enums that these do not name stand
(last, in the older form).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.operations.shapes import Member, detected, faults_of, read

OLDER_LEVELS = 62
"""Lists and maps inside each other: beyond it the older framework reads the request. Source: deepRequests."""

ENUMS = ("ReturnConsumedCapacity", "ReturnValues", "ReturnItemCollectionMetrics")

_GENERIC = "Failed to satisfy constraint: Member must satisfy enum value set: "
_WORDS = {
    "ReturnValues": _GENERIC + "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]",  # DynamoDB's own spelling
    "ConditionalOperator": _GENERIC + "[ALL, OR]",
}
"""How the current framework words these two, whatever they were set to."""

_UNWRAPPED = "Item size has exceeded the maximum allowed size"


def check_write(body: Any, members: Mapping[str, Member], first: str | None = None) -> dict[str, Any]:
    """`shapes.check` as single-item writes answer; `first` is the enum that is looked at alone. Raises ApiError."""
    present = read(body, members)
    faults = faults_of(present, members)
    if not faults:
        return present
    if any(member.required and name not in present for name, member in members.items()) or _is_deep(body):
        raise detected(faults)
    raise detected(_current(present, members, first))


def _current(present: Mapping[str, Any], members: Mapping[str, Member], first: str | None) -> list[str]:
    if present["TableName"] == "":
        return [
            "Value at 'TableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
        ]
    of_name = _of("TableName", present, members)
    if of_name:
        return of_name
    if first is not None and _of(first, present, members):
        return [_WORDS[first]]
    names = [*ENUMS, *(name for name in members if name not in ENUMS)]
    return [text for name in names for text in _worded(name, _of(name, present, members))]


def _of(name: str, present: Mapping[str, Any], members: Mapping[str, Member]) -> list[str]:
    return faults_of(present, {name: members[name]}) if name in members else []


def _worded(name: str, faults: list[str]) -> list[str]:
    return [_WORDS[name]] if faults and name in _WORDS else faults


def enveloped(error: ApiError, body: Mapping[str, Any]) -> ApiError:
    """What was found before the table was looked for, as single-item writes word it."""
    if not error.type.endswith("ValidationException") or error.message == _UNWRAPPED or _is_deep(body):
        return error
    return validation_error(f"1 validation error detected: {error.message}")


def _is_deep(body: Any) -> bool:
    """Whether lists and maps of a value lie inside each other more than 62 times; asked of refused requests only."""
    pending: list[tuple[Any, int]] = [(body, 0)]
    while pending:
        value, levels = pending.pop()
        if levels > OLDER_LEVELS:
            return True
        if value.__class__ is dict:
            pending.extend((each, levels + (kind in ("L", "M"))) for kind, each in value.items())
        elif value.__class__ is list:
            pending.extend((each, levels) for each in value)
    return False
