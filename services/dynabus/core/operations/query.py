"""Query. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""

from __future__ import annotations

from dynabus.core.errors import validation_error
from dynabus.core.expressions import parse_key_condition
from dynabus.core.keys import partition_key_bounds, range_bounds
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
from dynabus.core.operations.schema import KeySchema, check_key_size
from dynabus.core.operations.shapes import FLAG, TEXT, Member, check, refuse_unbuilt
from dynabus.core.values import AttributeValue

MEMBERS: dict[str, Member] = {**PAGE_MEMBERS, "KeyConditionExpression": TEXT, "ScanIndexForward": FLAG}


def route(body: Request, context: Context) -> Steps:
    """The router half; the storage-node half is that of a page."""
    request = check(body, MEMBERS)
    refuse_unbuilt(body)
    check_select(request)
    if "KeyConditionExpression" not in request:
        raise validation_error(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    table = find_table(context, request["TableName"])
    schema, found = table.schema, placeholders(request)
    condition = parse_key_condition(request["KeyConditionExpression"], found, schema.hash, schema.range)
    check_expressions(request, found, set(schema.names))
    found.check_all_used()
    _check_type(schema.hash, schema.hash_type, condition.hash_value)
    check_key_size(schema.hash, condition.hash_value, sort=False)
    lower, upper = partition_key_bounds(condition.hash_value)
    if condition.operator is not None:
        _check_range(schema, condition.operands)
        lower, upper = range_bounds(condition.hash_value, condition.operator, condition.operands)
    start = start_key(request, schema)
    forward = request.get("ScanIndexForward", True)
    _check_start(start, condition.hash_value)
    detail = page_detail(request, found, schema, forward)
    page = yield from gather(table, request, detail, lower, upper, start)
    return page_answer(page, table, request)


def _check_range(schema: KeySchema, operands: list[AttributeValue]) -> None:
    for operand in operands:
        assert schema.range is not None
        assert schema.range_type is not None
        _check_type(schema.range, schema.range_type, operand)
        check_key_size(schema.range, operand, sort=True)


def _check_type(name: str, kind: str, value: AttributeValue) -> None:
    if kind not in value:
        raise validation_error(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )


def _check_start(start: bytes | None, hash_value: AttributeValue) -> None:
    """The start key must lie in the item collection that is queried."""
    if start is None:
        return
    lower, upper = partition_key_bounds(hash_value)
    if not lower <= start or (upper is not None and start >= upper):
        raise validation_error("The provided starting key is outside query boundaries based on provided conditions")
