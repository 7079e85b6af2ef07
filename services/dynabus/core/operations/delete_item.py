"""DeleteItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html

Deleting what is not there changes nothing, so nothing is appended to the log; it costs one unit all the same.

What is refused, in this order. All are ValidationException and HTTP 400 where nothing else stands; what is found
before the table is looked for is enveloped (`single_writes`: "1 validation error detected: ...").

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    constraints of the service model                  Value ... failed to satisfy constraint: ...            2
    which parameters go together                      Can not use both expression and non-expression ...     2
                                                      ExpressionAttribute... can only be specified when ...
    values of the key                                 Number overflow ..., Input collection ...              2
    ReturnValues other than NONE and ALL_OLD          ReturnValues can only be ALL_OLD or NONE               2
    Expected                                          Value must be provided when Exists is ...              2
    ExpressionAttributeNames, -Values                 ... must not be empty, ... contains invalid key ...    2
    ConditionExpression                               Invalid ConditionExpression: ...                       2
    placeholders that are not used                    Value provided in ExpressionAttribute... unused ...    2
    no such table                                     ResourceNotFoundException                              2
    the key: other attributes, or of another type     The provided key element does not match the schema     2
        empty                                         The AttributeValue for a key attribute cannot ...      2
        more than 2048 bytes, sort keys 1024          Size of hashkey has exceeded ..., Aggregated size ...  1
    a condition that looks into a key                 Key attributes must be scalars; ...                    1
    the condition is false                            ConditionalCheckFailedException                        1

1 dynalite's recorded answers (test/deleteItem, validations/deleteItem); 2 paritysuite/dynamodb-conformance
(error-messages/deleteItem and valueLayers, October 2026).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dynabus.core.errors import ApiError
from dynabus.core.expressions import parse_condition
from dynabus.core.legacy import EXPECTED, as_expressions
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Call, Code, Context, Request, Steps
from dynabus.core.operations.items import (
    CONDITION,
    Conditional,
    detail_of,
    find_table,
    load,
    placeholders,
    refuse_nested_keys,
    refuse_new_values,
    settled,
    write_answer,
)
from dynabus.core.operations.shapes import (
    CAPACITY,
    KEY,
    METRICS,
    ON_FAILURE,
    RETURN_VALUES,
    TABLE_NAME,
    Member,
    check_parameters,
)
from dynabus.core.operations.single_writes import check_write, enveloped
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import live_row
from dynabus.core.values import Item, normalise_item

MEMBERS: dict[str, Member] = {
    "ReturnConsumedCapacity": CAPACITY,
    "TableName": TABLE_NAME,
    "ReturnValues": RETURN_VALUES,
    "ReturnItemCollectionMetrics": METRICS,
    **EXPECTED,
    "Key": KEY,
    "ReturnValuesOnConditionCheckFailure": ON_FAILURE,
    **CONDITION,
}
_LEGACY = tuple(EXPECTED)


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check_write(body, MEMBERS)
    try:
        delete = _read(request)
    except ApiError as error:
        raise enveloped(error, request) from error
    table = find_table(context, request["TableName"])
    key = table.schema.encode(delete.key)
    refuse_nested_keys(table, delete.nested)
    (reply,) = yield [Call(table, key, Code.DELETE, True, True, key, detail=delete.detail)]
    return write_answer(settled(reply), request, table, delete.key)


class _Delete(NamedTuple):
    """What a request says as far as no table is needed; `nested` are attributes into which its condition looks."""

    key: Item
    detail: bytes
    nested: set[str]


def _read(request: dict[str, Any]) -> _Delete:
    check_parameters(request, "ConditionExpression", legacy=_LEGACY)
    key = normalise_item(request["Key"])
    refuse_new_values(request)
    request = as_expressions(request)
    found = placeholders(request)
    nested: set[str] = set()
    if "ConditionExpression" in request:
        nested = parse_condition(request["ConditionExpression"], found).nested
    found.check_all_used()
    detail = detail_of(request, found, "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure")
    return _Delete(key, detail, nested)


def node(part: RequestPart) -> Evaluate:
    """The storage-node half."""
    condition = Conditional({**part, "detail": part["detail"] or b"{}"})
    wants_old = condition.detail.get("ReturnValues") == "ALL_OLD"
    parses = "ConditionExpression" in condition.detail

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if parses:
            row, item = load(old)
            refusal = condition.refusal(row, item, 0)
            if refusal is not None:
                return refusal
        else:
            row = live_row(old)
        if row is None:
            return Decision(False, None, Outcome())
        return Decision(True, None, Outcome(body=row.item_json if wants_old else b"", size=row.size))

    return evaluate
