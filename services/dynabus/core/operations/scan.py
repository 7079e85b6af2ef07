"""Scan. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html

In hash order. Segments of a parallel scan divide the space of the 8-byte hashes evenly.
"""

from __future__ import annotations

from dynabus.core.errors import validation_error
from dynabus.core.legacy import (
    ATTRIBUTES_TO_GET,
    CONDITIONAL_OPERATOR,
    FILTER,
    as_expressions,
)
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.items import find_table, placeholders
from dynabus.core.operations.pages import (
    MEMBERS as PAGE_MEMBERS,
)
from dynabus.core.operations.pages import (
    check_expressions,
    check_select,
    gather,
    page_answer,
    page_detail,
    start_key,
)
from dynabus.core.operations.shapes import Member, check, check_parameters
from dynabus.core.operations.targets import target

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
    request = as_expressions(request)
    lower, upper = _segment(request)
    found = placeholders(request)
    checked = check_expressions(request, found)
    found.check_all_used()
    of = target(find_table(context, request["TableName"]), request)
    start = start_key(request, of)
    if start is not None and (start < lower or (upper is not None and start >= upper)):
        raise validation_error(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
            "ExclusiveStartKey with correct Segment. TotalSegments: "
            f"{request.get('TotalSegments', 1)} Segment: {request.get('Segment', 0)}"
        )
    detail = page_detail(request, found, of, checked.read, forward=True)
    page = yield from gather(of, request, detail, lower, upper, start)
    return page_answer(page, of, request)


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
