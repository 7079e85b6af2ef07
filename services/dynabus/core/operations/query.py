"""Query. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""

from __future__ import annotations

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions import KeyCondition, parse_key_condition
from dynabus.core.keys import partition_key_bounds
from dynabus.core.legacy import (
    ATTRIBUTES_TO_GET,
    CONDITIONAL_OPERATOR,
    FILTER,
    as_expressions,
    check_key_conditions,
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
from dynabus.core.operations.schema import KeySchema, check_key_size
from dynabus.core.operations.shapes import FLAG, TEXT, Member, check, check_parameters, detected, read
from dynabus.core.operations.targets import Target, target
from dynabus.core.values import AttributeValue, compare

Bounds = tuple[bytes, bytes | None]
MEMBERS: dict[str, Member] = {
    **PAGE_MEMBERS,
    "KeyConditionExpression": TEXT,
    "ScanIndexForward": FLAG,
    "AttributesToGet": ATTRIBUTES_TO_GET,
    "QueryFilter": FILTER,
    "ConditionalOperator": CONDITIONAL_OPERATOR,
    "KeyConditions": FILTER,
}
_EXPRESSIONS = ("ProjectionExpression", "FilterExpression", "KeyConditionExpression")
_LEGACY = ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions")


def route(body: Request, context: Context) -> Steps:
    """The router half; the storage-node half is that of a page."""
    request = _checked(body)
    found = placeholders(request)
    checked = check_expressions(request, found)
    of = target(find_table(context, request["TableName"]), request)
    schema = of.schema
    if "KeyConditions" in request:
        check_key_conditions(request["KeyConditions"], schema.hash, schema.range)
    condition = parse_key_condition(request["KeyConditionExpression"], found, schema.hash, schema.range)
    found.check_all_used()
    _refuse_keys_in_filter(
        "QueryFilter" if "QueryFilter" in request else "Filter Expression", checked.filtered, schema
    )
    _check_types(schema, condition)
    collection = partition_key_bounds(condition.hash_value)
    wanted = collection
    if condition.operator is not None:
        _check_order(condition)
        wanted = of.bounds(condition.hash_value, condition.operator, tuple(condition.operands))
    start = _start(request, of, collection, wanted)
    detail = page_detail(request, found, of, checked.read, request.get("ScanIndexForward", True))
    page = yield from gather(of, request, detail, *wanted, start)
    return page_answer(page, of, request)


def _checked(body: Request) -> Request:
    present = read(body, MEMBERS)
    if present.get("Limit", 1) < 1:
        # Of all operations only Query words it so. Source: nubo-db/dynamodb-conformance, error-messages/query.
        constraint = "Member must have value greater than or equal to 1"
        raise detected([f"Value at 'Limit' failed to satisfy constraint: {constraint}"])
    request = check(body, MEMBERS)
    check_parameters(body, *_EXPRESSIONS, legacy=_LEGACY)
    try:
        check_select(request)
    except ApiError as error:
        raise detected([error.message]) from error
    request = as_expressions(request)
    if "KeyConditionExpression" not in request:
        raise validation_error(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    return request


def _refuse_keys_in_filter(what: str, filtered: set[str], schema: KeySchema) -> None:
    for name in schema.names:
        if name in filtered:
            raise validation_error(
                f"{what} can only contain non-primary key attributes: Primary key attribute: {name}"
            )


def _check_types(schema: KeySchema, condition: KeyCondition) -> None:
    _check_value(schema.hash, schema.hash_type, condition.hash_value, sort=False)
    for operand in condition.operands:
        _check_value(str(schema.range), str(schema.range_type), operand, sort=True)


def _check_value(name: str, kind: str, value: AttributeValue, sort: bool) -> None:
    if kind not in value:
        raise validation_error(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )
    check_key_size(name, value, sort)


def _check_order(condition: KeyCondition) -> None:
    if condition.operator == "BETWEEN" and compare(*condition.operands) > 0:
        low, high = (_java(operand) for operand in condition.operands)
        raise validation_error(
            "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal "
            f"to lower bound; lower bound operand: AttributeValue: {low}, upper bound operand: AttributeValue: {high}"
        )


def _java(value: AttributeValue) -> str:
    [(kind, content)] = value.items()
    return f"{{{kind}:{content}}}"


def _start(request: Request, of: Target, collection: Bounds, wanted: Bounds) -> bytes | None:
    """The start key must lie in the item collection and within the sort key's condition."""
    if "ExclusiveStartKey" not in request:
        return None
    if set(request["ExclusiveStartKey"]) != set(of.names):
        raise validation_error("The provided starting key is invalid")
    found = start_key(request, of)
    assert found is not None
    if not _within(found, collection):
        raise validation_error("The provided starting key is outside query boundaries based on provided conditions")
    if not _within(found, wanted):
        raise validation_error("The provided starting key does not match the range key predicate")
    return found


def _within(key: bytes, bounds: Bounds) -> bool:
    lower, upper = bounds
    return lower <= key and (upper is None or key < upper)
