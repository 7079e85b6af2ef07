"""UpdateItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html

Evaluated at the leader against the previous row; the log carries the new row, never the expression (I5).
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions import Updated, parse_condition, parse_update
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
    refused,
    settled,
    stored,
    write_answer,
)
from dynabus.core.operations.schema import KeySchema
from dynabus.core.operations.shapes import (
    CAPACITY,
    KEY,
    METRICS,
    ON_FAILURE,
    RETURN_VALUES,
    TABLE_NAME,
    TEXT,
    Member,
    check,
    check_parameters,
)
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import encode_row
from dynabus.core.values import Item, normalise_item

MEMBERS: dict[str, Member] = {
    "TableName": TABLE_NAME,
    "Key": KEY,
    "UpdateExpression": TEXT,
    "ReturnValues": RETURN_VALUES,
    "ReturnConsumedCapacity": CAPACITY,
    "ReturnItemCollectionMetrics": METRICS,
    "ReturnValuesOnConditionCheckFailure": ON_FAILURE,
    **CONDITION,
    **EXPECTED,
    "AttributeUpdates": ATTRIBUTE_UPDATES,
}

_SENT = ("UpdateExpression", "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure", "Legacy")
_LEGACY = ("AttributeUpdates", *EXPECTED)


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check(body, MEMBERS)
    check_parameters(body, "UpdateExpression", "ConditionExpression", legacy=_LEGACY)
    key_item = normalise_item(request["Key"])
    request = as_expressions(request)
    if "AttributeUpdates" in request:
        request["Legacy"] = True  # the node words one refusal differently then
    found = placeholders(request)
    written: set[str] = set()
    if "UpdateExpression" in request:
        written = parse_update(request["UpdateExpression"], found).attribute_names()
    if "ConditionExpression" in request:
        parse_condition(request["ConditionExpression"], found)
    found.check_all_used()
    table = find_table(context, request["TableName"])
    key = table.schema.encode(key_item)
    _refuse_key_changes(table.schema, written)
    detail = detail_of(request, found, *_SENT)
    # The key itself travels as the value: a new item begins with it.
    (reply,) = yield [Call(table, key, Code.UPDATE, True, True, key, orjson.dumps(key_item), detail=detail)]
    return write_answer(settled(reply), request, table, key_item)


def _refuse_key_changes(schema: KeySchema, written: set[str]) -> None:
    for name in schema.names:
        if name in written:
            raise validation_error(
                f"One or more parameter values were invalid: Cannot update attribute {name}. "
                "This attribute is part of the key"
            )


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
