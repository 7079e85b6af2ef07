"""PutItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html

What is refused, in this order. All are ValidationException and HTTP 400 where nothing else stands; what is found
before the table is looked for is enveloped (`single_writes`: "1 validation error detected: ...").

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    constraints of the service model                  Value ... failed to satisfy constraint: ...            2
    which parameters go together                      Can not use both expression and non-expression ...     2
                                                      ExpressionAttribute... can only be specified when ...
    values of the item                                An string set  may not be empty, Number overflow ...   2
    ReturnValues other than NONE and ALL_OLD          ReturnValues can only be ALL_OLD or NONE               2
    more than 400 KB (never enveloped: ours)          Item size has exceeded the maximum allowed size        1
    Expected                                          Value must be provided when Exists is ...              2
    ExpressionAttributeNames, -Values                 ... must not be empty, ... contains invalid key ...    2
    ConditionExpression                               Invalid ConditionExpression: ...                       2
    placeholders that are not used                    Value provided in ExpressionAttribute... unused ...    2
    no such table                                     ResourceNotFoundException                              1
    the key: missing                                  Missing the key pk in the item                         1
        of another type                               Type mismatch for key pk expected: S actual: N         1
        empty                                         The AttributeValue for a key attribute cannot ...      2
        more than 2048 bytes, sort keys 1024          Size of hashkey has exceeded ..., Aggregated size ...  3
    keys of indexes: of another type, empty, long     `core.local_indexes`, `core.global_indexes`            2, 4
    a condition that looks into a key                 Key attributes must be scalars; ...                    1
    the condition is false                            ConditionalCheckFailedException                        1
    an item collection of more than 10 GB             ItemCollectionSizeLimitExceededException               5

1 dynalite's recorded answers (test/putItem, validations/putItem); 2 paritysuite/dynamodb-conformance
(error-messages/putItem and valueLayers, October 2026); 3 moto's tests against AWS (test_key_length_exceptions);
4 `core.local_indexes.leading` for both images together; 5 AWS, LSI item collections.
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
    stored,
    write_answer,
)
from dynabus.core.operations.shapes import (
    CAPACITY,
    ITEM,
    METRICS,
    ON_FAILURE,
    RETURN_VALUES,
    TABLE_NAME,
    Member,
    check_parameters,
)
from dynabus.core.operations.single_writes import check_write, enveloped
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import decode_row, encode_row
from dynabus.core.values import Item, normalise_item

MEMBERS: dict[str, Member] = {
    "ReturnConsumedCapacity": CAPACITY,
    "ReturnItemCollectionMetrics": METRICS,
    "ReturnValues": RETURN_VALUES,
    **EXPECTED,
    "TableName": TABLE_NAME,
    "Item": ITEM,
    "ReturnValuesOnConditionCheckFailure": ON_FAILURE,
    **CONDITION,
}
_LEGACY = tuple(EXPECTED)


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check_write(body, MEMBERS)
    try:
        put = _read(request)
    except ApiError as error:
        raise enveloped(error, request) from error
    table = find_table(context, request["TableName"])
    key = table.schema.encode_item(put.item)
    table.check_index_keys(put.item)
    refuse_nested_keys(table, put.nested)
    (reply,) = yield [Call(table, key, Code.PUT, True, True, key, put.item_json, put.size, put.detail)]
    return write_answer(settled(reply), request, table, put.item)


class _Put(NamedTuple):
    """What a request says as far as no table is needed; `nested` are attributes into which its condition looks."""

    item: Item
    item_json: bytes
    size: int
    detail: bytes
    nested: set[str]


def _read(request: dict[str, Any]) -> _Put:
    check_parameters(request, "ConditionExpression", legacy=_LEGACY)
    item = normalise_item(request["Item"])
    refuse_new_values(request)
    item_json, size = stored(item)
    request = as_expressions(request)
    found = placeholders(request)
    nested: set[str] = set()
    if "ConditionExpression" in request:
        nested = parse_condition(request["ConditionExpression"], found).nested
    found.check_all_used()
    detail = b""
    if "ConditionExpression" in request or request.get("ReturnValues") == "ALL_OLD":
        detail = detail_of(
            request, found, "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure"
        )
    return _Put(item, item_json, size, detail, nested)


def node(part: RequestPart) -> Evaluate:
    """The storage-node half; without condition and old image nothing is parsed."""
    item_json, size = part["value"], part["size"]
    if part["detail"]:
        return _conditional(Conditional(part), item_json, size)

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        largest = size if old is None else max(size, decode_row(old).size)
        return Decision(True, encode_row(item_json, size, wall_ms), Outcome(size=largest))

    return evaluate


def _conditional(condition: Conditional, item_json: bytes, size: int) -> Evaluate:
    wants_old = condition.detail.get("ReturnValues") == "ALL_OLD"

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        row, item = load(old)
        refusal = condition.refusal(row, item, size)
        if refusal is not None:
            return refusal
        body = row.item_json if row is not None and wants_old else b""
        largest = max(size, row.size if row is not None else 0)
        return Decision(True, encode_row(item_json, size, wall_ms), Outcome(body=body, size=largest))

    return evaluate
