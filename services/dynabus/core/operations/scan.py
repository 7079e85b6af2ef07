"""Scan. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html

In hash order. Segments of a parallel scan divide the space of the 8-byte hashes evenly.

What is refused, in this order; all are ValidationException and HTTP 400 where nothing else stands.

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    constraints of the service model                  n validation errors detected: ...                      2
    which parameters go together                      Can not use both expression and non-expression ...     1
    Select beside projections and indexes             Cannot specify the ProjectionExpression when ...       3
    ScanFilter, AttributesToGet                       Invalid number of argument(s) for the ...              1
    values of ExclusiveStartKey                       The provided starting key is invalid: ...              1
    Segment, TotalSegments                            The TotalSegments parameter is required but was ...    2
    ExpressionAttributeNames, -Values                 ExpressionAttributeValues contains invalid value: ...  2
    FilterExpression, ProjectionExpression            Invalid FilterExpression: ...                          2
    placeholders that are not used                    Value provided in ExpressionAttribute... unused ...    2
    no such table                                     ResourceNotFoundException                              2
    no such index                                     The table does not have the specified index: ...       1
    a global index, ConsistentRead                    Consistent reads are not supported on global ...       1
        with an ExclusiveStartKey                     The provided starting key is invalid                   1
    ExclusiveStartKey of a table: no key of it        The provided starting key is invalid: ...              2
        of an index: other attributes                 The provided starting key is invalid                   1
        of an index: no key of it                     The provided key element does not match the schema     1
        of an index: no key of the table              The provided starting key is invalid: ...              1
        of another segment                            The provided starting key is invalid: Invalid ...      1
    a global index, what it does not project          Select type ALL_ATTRIBUTES is not supported for ...    1
    a projection or filter that looks into a key      Key attributes must be scalars; ...                    1

Scan reads values by the older of DynamoDB's two layers (`values.faults`).

1 dynalite's recorded answers (test/scan, actions/scan, validations/scan); 2 paritysuite/dynamodb-conformance
(error-messages/scan and valueLayers); 3 the same, and ExtendDB's tests against us-east-1 (no envelope here).
"""

from __future__ import annotations

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.legacy import (
    ATTRIBUTES_TO_GET,
    CONDITIONAL_OPERATOR,
    FILTER,
    as_expressions,
)
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.items import find_table, older_placeholders, refuse_nested_keys
from dynabus.core.operations.page_requests import (
    MEMBERS as PAGE_MEMBERS,
)
from dynabus.core.operations.page_requests import (
    check_expressions,
    check_select,
    invalid_start,
    page_detail,
    start_item,
    start_key,
)
from dynabus.core.operations.pages import gather, page_answer
from dynabus.core.operations.shapes import Member, check, check_parameters
from dynabus.core.operations.targets import Target, target
from dynabus.core.values import Item, in_older_words

SEGMENTS_MOST = 1_000_000
_HASH_SPACE = 1 << 64

MEMBERS: dict[str, Member] = {
    **PAGE_MEMBERS,
    "AttributesToGet": ATTRIBUTES_TO_GET,
    "ScanFilter": FILTER,
    "ConditionalOperator": CONDITIONAL_OPERATOR,
    "Segment": Member("Integer", least=0, most=SEGMENTS_MOST - 1),
    "TotalSegments": Member("Integer", least=1, most=SEGMENTS_MOST),
}

_LEGACY = ("AttributesToGet", "ScanFilter", "ConditionalOperator")


def route(body: Request, context: Context) -> Steps:
    """The router half; the storage-node half is that of a page."""
    request = check(body, MEMBERS)
    check_parameters(body, "ProjectionExpression", "FilterExpression", legacy=_LEGACY)
    check_select(request)
    try:
        request = as_expressions(request)
        start = start_item(request)
    except ApiError as error:
        raise in_older_words(error) from error
    lower, upper = _segment(request)
    found = older_placeholders(request)
    checked = check_expressions(request, found)
    found.check_all_used()
    table = find_table(context, request["TableName"])
    if start is not None and "IndexName" in request and not table.has_index(request["IndexName"]):
        raise invalid_start()
    of = target(context, table, request)
    first = _first(start, of)
    if first is not None and (first < lower or (upper is not None and first >= upper)):
        raise invalid_start(
            "Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: "
            f"{request.get('TotalSegments', 1)} Segment: {request.get('Segment', 0)}"
        )
    of.check_projected(request, checked.shown)
    refuse_nested_keys(table, checked.nested_in_projection, checked.nested_in_filter)
    detail = page_detail(request, found, of, checked.read, forward=True)
    page = yield from gather(context, of, request, detail, lower, upper, first)
    return page_answer(page, of, request)


def _first(start: Item | None, of: Target) -> bytes | None:
    """The start key, encoded; that of an index has its attributes."""
    if start is not None and of.index is not None:
        if len(start) != len(of.names) or any(element.name not in start for element in of.elements):
            raise invalid_start()
        for element in of.elements:
            element.check(start)
    return start_key(start, of)


def _segment(request: Request) -> tuple[bytes, bytes | None]:
    """The half-open range of encoded keys of this segment, or everything."""
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is None and total is None:
        return b"", None
    if total is None:
        raise validation_error(
            "The TotalSegments parameter is required but was not present in the request when "
            "Segment parameter is present"
        )
    if segment is None:
        raise validation_error(
            "The Segment parameter is required but was not present in the request when parameter "
            "TotalSegments is present"
        )
    if segment >= total:
        raise validation_error(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    lower, upper = segment * _HASH_SPACE // total, (segment + 1) * _HASH_SPACE // total
    return (lower.to_bytes(8, "big") if segment else b""), (upper.to_bytes(8, "big") if segment + 1 < total else None)
