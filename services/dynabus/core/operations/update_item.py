"""UpdateItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html

Evaluated at the leader against the previous row; the log carries the new row, never the expression (I5).

What is refused, in this order. All are ValidationException and HTTP 400 where nothing else stands; what is found
before the table is looked for is enveloped (`single_writes`: "1 validation error detected: ...").

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    constraints of the service model                  Value ... failed to satisfy constraint: ...            2
    which parameters go together                      Can not use both expression and non-expression ...     2
                                                      ExpressionAttribute... can only be specified when ...
    values of the key                                 Number overflow ..., Input collection ...              2
    AttributeUpdates, Expected                        ADD action is not supported for the type S, ...        1, 2
    ExpressionAttributeNames, -Values                 ... must not be empty, ... contains invalid key ...    2
    UpdateExpression, ConditionExpression             Invalid UpdateExpression: ...                          2
    placeholders that are not used                    Value provided in ExpressionAttribute... unused ...    2
    no such table                                     ResourceNotFoundException                              1
    the key: other attributes, or of another type     The provided key element does not match the schema     2
        empty, or too long                            as PutItem                                             2
    an attribute of the key is written                Cannot update attribute pk. This attribute is part ... 2
    a key of an index is given another type           Type mismatch for Index Key ...                        1, 4
    an update that looks into a key                   Key attributes must be scalars; ...                    1, 4
    a condition that looks into a key                 the same                                               ours
    the condition is false                            ConditionalCheckFailedException                        1
    operands and paths that the item does not have    The provided expression refers to an attribute ...     1
                                                      The document path provided in the update ...
                                                      An operand in the update expression has an incorrect ...
    more than 400 KB, or more than 400 KB written     Item size to update has exceeded the maximum ...       3
    a key of an index becomes one that is none        The update expression attempted to update ...          1, 2
    an item collection of more than 10 GB             ItemCollectionSizeLimitExceededException               5

1 dynalite's recorded answers (test/updateItem, actions/updateItem, db); 2 paritysuite/dynamodb-conformance
(error-messages/updateItem, valueLayers and indexKeyValues, October 2026); 3 the same, limits/itemSizeBySurface;
4 scylladb, Alternator (test_gsi, run against DynamoDB); 5 AWS, LSI item collections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from dynabus.core.errors import ApiError, invalid_parameter
from dynabus.core.expressions import Update, Updated, parse_condition, parse_update
from dynabus.core.legacy import ATTRIBUTE_UPDATES, EXPECTED, as_expressions, in_legacy_words
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
    refused,
    settled,
    stored,
    write_answer,
)
from dynabus.core.operations.shapes import (
    CAPACITY,
    KEY,
    METRICS,
    ON_FAILURE,
    RETURN_VALUES,
    TABLE_NAME,
    TEXT,
    Member,
    check_parameters,
)
from dynabus.core.operations.single_writes import check_write, enveloped
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import encode_row
from dynabus.core.values import Item, check_item_size, normalise_item

if TYPE_CHECKING:
    from dynabus.core.published_table import Table

MEMBERS: dict[str, Member] = {
    "ReturnConsumedCapacity": CAPACITY,
    "TableName": TABLE_NAME,
    "ReturnValues": RETURN_VALUES,
    "ReturnItemCollectionMetrics": METRICS,
    **EXPECTED,
    "Key": KEY,
    "AttributeUpdates": ATTRIBUTE_UPDATES,
    "UpdateExpression": TEXT,
    "ReturnValuesOnConditionCheckFailure": ON_FAILURE,
    **CONDITION,
}

_SENT = ("UpdateExpression", "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure", "Legacy")
_LEGACY = ("AttributeUpdates", *EXPECTED)


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check_write(body, MEMBERS, first="ReturnValues")
    try:
        asked = _read(request)
    except ApiError as error:
        raise enveloped(error, request) from error
    table = find_table(context, request["TableName"])
    key = table.schema.encode(asked.key)
    if asked.update is not None:
        _check_keys(table, asked.update)
    refuse_nested_keys(table, asked.nested)
    # The key itself travels as the value: a new item begins with it.
    (reply,) = yield [Call(table, key, Code.UPDATE, True, True, key, orjson.dumps(asked.key), detail=asked.detail)]
    return write_answer(settled(reply), request, table, asked.key)


class _Asked(NamedTuple):
    """What a request says as far as no table is needed; `nested` are attributes into which its condition looks."""

    key: Item
    update: Update | None
    detail: bytes
    nested: set[str]


def _read(request: dict[str, Any]) -> _Asked:
    check_parameters(request, "UpdateExpression", "ConditionExpression", legacy=_LEGACY)
    key = normalise_item(request["Key"])
    request = as_expressions(request)
    if "AttributeUpdates" in request:
        request["Legacy"] = True  # the node words one refusal differently then
    found = placeholders(request)
    update = parse_update(request["UpdateExpression"], found) if "UpdateExpression" in request else None
    nested: set[str] = set()
    if "ConditionExpression" in request:
        nested = parse_condition(request["ConditionExpression"], found).nested
    found.check_all_used()
    return _Asked(key, update, detail_of(request, found, *_SENT), nested)


def _check_keys(table: Table, update: Update) -> None:
    """The table's key may not change, and keys of indexes only to values of their types."""
    written = update.attribute_names()
    for name in table.schema.names:
        if name in written:
            raise invalid_parameter(f"Cannot update attribute {name}. This attribute is part of the key")
    table.indexes.check_types(update.types)
    table.global_indexes.check_types(update.types)
    refuse_nested_keys(table, update.nested)


def node(part: RequestPart) -> Evaluate:
    """The storage-node half."""
    condition = Conditional({**part, "detail": part["detail"] or b"{}"})
    detail = condition.detail
    text = detail.get("UpdateExpression")
    update = parse_update(text, condition.found) if text is not None else None
    key: Item = orjson.loads(part["value"])
    wanted = detail.get("ReturnValues", "NONE")

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        row, item = load(old)
        refusal = condition.refusal(row, item, 0)
        if refusal is not None:
            return refusal
        if item is None and update is not None and update.removes_only:
            # Nothing to take away: DynamoDB creates no item for it.
            return Decision(False, None, Outcome())
        old_size = row.size if row is not None else 0
        try:
            updated = Updated(item or key, {}, {}) if update is None else update.apply(item, key)
            item_json, size = stored(updated.item, update=True)
            if update is not None:
                check_item_size(update.size(updated.item, size), update=True)
        except ApiError as error:
            return refused(in_legacy_words(error) if "Legacy" in detail else error, old_size)
        body = _attributes(wanted, item, updated)
        outcome = Outcome(body=body, size=max(size, old_size))
        return Decision(True, encode_row(item_json, size, wall_ms), outcome)

    return evaluate


def _attributes(wanted: str, item: Item | None, updated: Updated) -> bytes:
    """The answer's Attributes; DynamoDB leaves the member out where there is nothing in it."""
    attributes = {
        "NONE": None,
        "ALL_OLD": item,
        "ALL_NEW": updated.item,
        "UPDATED_OLD": updated.old,
        "UPDATED_NEW": updated.new,
    }[wanted]
    return orjson.dumps(attributes) if attributes else b""
