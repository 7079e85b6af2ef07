"""What Query and Scan ask alike: the parameters of a page, their checks, and what storage nodes are told of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions import Placeholders, parse_condition, parse_projection
from dynabus.core.legacy import check_select_of_names
from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import CAPACITY, FLAG, INDEX_NAME, NAMES, TABLE_NAME, TEXT, Member
from dynabus.core.operations.targets import Target
from dynabus.core.values import Item, normalise_item

Detail = dict[str, Any]

SELECT = Member("String", values=("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"))

MEMBERS: dict[str, Member] = {
    "TableName": TABLE_NAME,
    "IndexName": INDEX_NAME,
    "ConsistentRead": FLAG,
    "ExclusiveStartKey": NAMES,
    "FilterExpression": TEXT,
    "ProjectionExpression": TEXT,
    "Limit": Member("Integer", least=1),
    "Select": SELECT,
    "ReturnConsumedCapacity": CAPACITY,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": NAMES,
}


def check_select(request: Request) -> None:
    """Select against what is projected. Messages: moto's tests against AWS itself (test_dynamodb_query_scan)."""
    if "AttributesToGet" in request:
        check_select_of_names(request)
        return
    select, projects = request.get("Select"), "ProjectionExpression" in request
    if projects and select in _WHOLE:
        raise validation_error(f"Cannot specify the ProjectionExpression when choosing to get {_WHOLE[select]}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in request:
        raise validation_error("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if select == "SPECIFIC_ATTRIBUTES" and not projects:
        raise validation_error(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )


_WHOLE = {
    "ALL_ATTRIBUTES": "ALL_ATTRIBUTES",
    "ALL_PROJECTED_ATTRIBUTES": "ALL_PROJECTED_ATTRIBUTES",
    "COUNT": "only the Count",
}


class Checked(NamedTuple):
    """The attributes that a request's expressions read: in its filter, in all of them, in its projection; and into
    which they look."""

    filtered: set[str]
    read: set[str]
    shown: set[str]
    nested_in_filter: set[str]
    nested_in_projection: set[str]


def check_expressions(request: Request, found: Placeholders) -> Checked:
    """Filter and projection; raises ApiError."""
    filtered: set[str] = set()
    read: set[str] = set()
    in_filter: set[str] = set()
    in_projection: set[str] = set()
    if "FilterExpression" in request:
        condition = parse_condition(request["FilterExpression"], found, "FilterExpression")
        filtered, in_filter = condition.paths(), condition.nested
    if "ProjectionExpression" in request:
        projection = parse_projection(request["ProjectionExpression"], found)
        read, in_projection = projection.names(), projection.nested()
    return Checked(filtered, filtered | read, read, in_filter, in_projection)


def page_detail(request: Request, found: Placeholders, target: Target, read: set[str], forward: bool) -> Detail:
    """What the storage node needs for every page of this request; `read` are the attributes that it looks at."""
    detail: Detail = {"Keys": target.names, "Forward": forward}
    if target.local is not None:
        detail["Index"] = target.local.number
        if target.fetches(request, read):
            detail["Fetch"] = target.table.schema.names
            # What only the filter needs is looked at and not answered: an index answers what it projects.
            detail["Whole"] = "ProjectionExpression" in request or request.get("Select") == "ALL_ATTRIBUTES"
    for name in ("FilterExpression", "ProjectionExpression"):
        if name in request:
            detail[name] = request[name]
    if request.get("Select") == "COUNT":
        detail["Count"] = True
    if found.names:
        detail["ExpressionAttributeNames"] = found.names
    if found.values:
        detail["ExpressionAttributeValues"] = found.values
    return detail


_INVALID_START = "The provided starting key is invalid"
_BARE = (
    "Number ",
    "The parameter ",
    "Attempting to store ",
    "Input collection ",
    "One or more parameter values were invalid: An number set",
    "One or more parameter values were invalid: Input collection",
)


def start_item(request: Request) -> Item | None:
    """The ExclusiveStartKey in normal form. Raises ApiError; what is wrong with numbers and sets is said as it is.

    Sources: dynalite, test/query; for sets also paritysuite/dynamodb-conformance, error-messages/valueLayers.
    """
    if "ExclusiveStartKey" not in request:
        return None
    try:
        return normalise_item(request["ExclusiveStartKey"])
    except ApiError as error:
        if not error.type.endswith("ValidationException") or error.message.startswith(_BARE):
            raise
        raise invalid_start(error.message) from error


def invalid_start(why: str | None = None) -> ApiError:
    """The ExclusiveStartKey is none of what is read."""
    return validation_error(_INVALID_START if why is None else f"{_INVALID_START}: {why}")


def start_key(start: Item | None, target: Target) -> bytes | None:
    """The ExclusiveStartKey, encoded; it must be a key of this target (which need not exist any more)."""
    if start is None:
        return None
    try:
        return target.encode(start)
    except ApiError as error:
        raise invalid_start(error.message) from error
