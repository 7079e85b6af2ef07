"""Query. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html

What is refused, in this order; all are ValidationException and HTTP 400 where nothing else stands.

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    ConditionalOperator                               Failed to satisfy constraint: ... [ALL, OR]            2
    Limit below 1                                     1 validation error detected: Value at 'Limit' ...      2
    constraints of the service model                  n validation errors detected: ...                      2
    which parameters go together                      Can not use both expression and non-expression ...     1
    Select beside projections and indexes             1 validation error detected: Cannot specify the ...    3
    values of ExclusiveStartKey                       The provided starting key is invalid: ...              1, 2
    QueryFilter, AttributesToGet, KeyConditions       Invalid number of argument(s) for the ...              1
    no key condition                                  Either the KeyConditions or KeyConditionExpression ... 1
    ExpressionAttributeNames, -Values                 ... must not be empty, ... contains invalid key ...    1
    KeyConditionExpression as a condition             Invalid KeyConditionExpression: ...                    2
    FilterExpression, ProjectionExpression            Invalid FilterExpression: ...                          1
    placeholders that are not used                    Value provided in ExpressionAttribute... unused ...    2
    KeyConditionExpression as one on keys             Invalid operator used in KeyConditionExpression: OR    1, 2
    no such table                                     ResourceNotFoundException                              1
    no such index                                     The table does not have the specified index: ...       1
    a global index, ConsistentRead                    Consistent reads are not supported on global ...       1
    ExclusiveStartKey: other attributes               The provided starting key is invalid                   1
    more conditions than key attributes               The number of query conditions (3) exceeds ...         2
    for the partition key, then the sort key:
        that of ExclusiveStartKey                     The provided key element does not match the schema     1
        no condition                                  Query condition missed key schema element: pk          1
        an operator that no key condition has         Attempted conditional constraint is not an ...         1
        another type                                  Condition parameter type does not match schema type    2
        not = on the partition key                    Query key condition not supported                      1
    ExclusiveStartKey: no key of the table            The provided starting key is invalid: ...              1
        another item collection                       The provided starting key is outside query ...         1
        outside the condition on the sort key         The provided starting key does not match the range ... 1
        inside, of another item collection            The query can return at most one row and ...           1
    a global index, what it does not project          Select type ALL_ATTRIBUTES is not supported for ...    1
    a projection that looks into a key                Key attributes must be scalars; ...                    1
    a filter on a key                                 Filter Expression can only contain non-primary ...     1
    a filter that looks into a key                    Key attributes must be scalars; ...                    1
    a filter on what its index does not project       Secondary index ... does not project one or more ...   4

1 dynalite's recorded answers (test/query, actions/query, validations/query); 2 paritysuite/dynamodb-conformance
(error-messages/query, queryKeyConditionOperands and valueLayers, validation-ordering/query and queryKeyCondition,
October 2026); 3 moto's tests against AWS (test_dynamodb_query) and ExtendDB's against us-east-1; 4 those of
`Target.check_filtered`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dynabus.core.errors import ApiError, invalid_parameter, validation_error
from dynabus.core.expressions import (
    KeyCondition,
    OnAttribute,
    Placeholders,
    key_conditions,
    on_key,
    on_keys,
    parse_condition,
)
from dynabus.core.expressions.keys import KIND, check_count, missed, not_supported
from dynabus.core.key_schema import Element, check_key_size
from dynabus.core.legacy import (
    ATTRIBUTES_TO_GET,
    CONDITIONAL_OPERATOR,
    FILTER,
    LegacyCondition,
    as_expressions,
    legacy_conditions,
)
from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.items import find_table, placeholders, refuse_nested_keys
from dynabus.core.operations.page_requests import (
    MEMBERS as PAGE_MEMBERS,
)
from dynabus.core.operations.page_requests import (
    Checked,
    check_expressions,
    check_select,
    invalid_start,
    page_detail,
    start_item,
    start_key,
)
from dynabus.core.operations.pages import gather, page_answer
from dynabus.core.operations.shapes import FLAG, TEXT, Member, check, check_parameters, detected, faults_of, read
from dynabus.core.operations.targets import Target, target
from dynabus.core.values import Item, equal

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
    asked = _read(_checked(body))
    request, start = asked.request, asked.start
    of = target(context, find_table(context, request["TableName"]), request)
    condition = _on_key(asked, of)
    wanted = of.bounds(condition)
    first = start_key(start, of)
    if start is not None and first is not None:
        _check_start(start, first, of, condition)
    _check_read(asked, of)
    detail = page_detail(request, asked.found, of, asked.checked.read, request.get("ScanIndexForward", True))
    page = yield from gather(context, of, request, detail, *wanted, first)
    return page_answer(page, of, request)


def _checked(body: Request) -> Request:
    present = read(body, MEMBERS)
    if present.get("ConditionalOperator", "AND") not in ("AND", "OR") and not _lacks_members(present):
        raise validation_error("Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]")
    if present.get("Limit", 1) < 1:
        constraint = "Member must have value greater than or equal to 1"
        raise detected([f"Value at 'Limit' failed to satisfy constraint: {constraint}"])
    request = check(body, MEMBERS)
    check_parameters(body, *_EXPRESSIONS, legacy=_LEGACY)
    try:
        check_select(request)
    except ApiError as error:
        raise detected([error.message]) from error
    return request


def _lacks_members(present: Request) -> bool:
    """Whether required members are missing: all faults are reported together then, as of single writes."""
    return any(text.endswith("must not be null") for text in faults_of(present, MEMBERS))


class _Asked(NamedTuple):
    """What a request says as far as no table is needed."""

    request: Request
    found: Placeholders
    checked: Checked
    start: Item | None
    conditions: dict[str, OnAttribute] | None
    """Those of KeyConditionExpression; None where there are KeyConditions."""


def _read(request: Request) -> _Asked:
    start = start_item(request)
    request = as_expressions(request)
    if "KeyConditionExpression" not in request:
        raise validation_error(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    found = placeholders(request)
    parse_condition(request["KeyConditionExpression"], found, KIND)
    checked = check_expressions(request, found)
    found.check_all_used()
    legacy = "KeyConditions" in request
    conditions = None if legacy else key_conditions(request["KeyConditionExpression"], found)
    return _Asked(request, found, checked, start, conditions)


def _on_key(asked: _Asked, of: Target) -> KeyCondition:
    """The conditions for the key of what is read; raises ApiError."""
    start = asked.start
    if start is not None and len(start) != len(of.names):
        raise invalid_start()
    conditions = _counted(asked, of)
    for element in of.elements:
        if start is not None:
            if element.name not in start:
                raise invalid_start()
            element.check(start)
        _check_condition(element, conditions, several=of.several is not None)
    by_name = asked.conditions
    if by_name is None:
        by_name = key_conditions(asked.request["KeyConditionExpression"], asked.found)
    if of.several is not None:
        names = [[each.name for each in each_role] for each_role in (of.several.hashes, of.several.ranges)]
        return on_keys(by_name, *names)
    return on_key(by_name, of.schema.hash, of.schema.range)


def _counted(asked: _Asked, of: Target) -> Mapping[str, OnAttribute | LegacyCondition]:
    """The conditions by attribute, unless there are too many for this key."""
    if asked.conditions is not None:
        if of.several is None:
            check_count(asked.conditions, of.schema.range)
        return asked.conditions
    conditions = legacy_conditions(asked.request)
    if of.schema.range is None and len(conditions) > 1:
        raise not_supported()
    return conditions


def _check_condition(
    element: Element, conditions: Mapping[str, OnAttribute | LegacyCondition], *, several: bool
) -> None:
    """`several`: which attributes need one is judged by `on_keys`."""
    condition = conditions.get(element.name)
    if condition is None:
        if several:
            return
        if not element.sort or len(conditions) > 1:
            raise missed(element.name)
        return
    if condition.operator is None:
        raise validation_error("Attempted conditional constraint is not an indexable operation")
    for operand in condition.operands:
        if element.type not in operand:
            raise invalid_parameter("Condition parameter type does not match schema type")
        check_key_size(element.name, operand, element.sort)
    if not element.sort and condition.operator != "=":
        raise not_supported()


def _check_start(start: Item, first: bytes, of: Target, condition: KeyCondition) -> None:
    """The start key must lie in the item collection and within the sort key's condition."""
    if of.several is not None:
        if not _within(first, of.bounds(condition)):
            raise validation_error(
                "The provided starting key is outside query boundaries based on provided conditions"
            )
        return
    hash_value = start[of.schema.hash]
    same = equal(hash_value, condition.hash_value)
    if condition.operator is None:
        if not same:
            raise validation_error(
                "The provided starting key is outside query boundaries based on provided conditions"
            )
        return
    if not _within(first, of.bounds(condition._replace(hash_value=hash_value))):
        raise validation_error("The provided starting key does not match the range key predicate")
    if not same:
        raise validation_error("The query can return at most one row and cannot be restarted")


def _within(key: bytes, bounds: Bounds) -> bool:
    lower, upper = bounds
    return lower <= key and (upper is None or key < upper)


def _check_read(asked: _Asked, of: Target) -> None:
    """Filter and projection against the key."""
    checked = asked.checked
    of.check_projected(asked.request, checked.shown)
    refuse_nested_keys(of.table, checked.nested_in_projection)
    _refuse_keys(
        "QueryFilter" if "QueryFilter" in asked.request else "Filter Expression", checked.filtered, of.elements
    )
    refuse_nested_keys(of.table, checked.nested_in_filter)
    of.check_filtered(checked.filtered)


def _refuse_keys(what: str, filtered: set[str], elements: Sequence[Element]) -> None:
    for element in elements:
        if element.name in filtered:
            raise validation_error(
                f"{what} can only contain non-primary key attributes: Primary key attribute: {element.name}"
            )
