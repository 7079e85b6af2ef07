"""PutItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html

Checked in this order: shapes and constraints; which parameters go together; the item's values; ReturnValues; the
item's size; the expressions; the table; the key.
"""

from __future__ import annotations

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
    check,
    check_parameters,
)
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import decode_row, encode_row
from dynabus.core.values import normalise_item

MEMBERS: dict[str, Member] = {
    "TableName": TABLE_NAME,
    "Item": ITEM,
    "ReturnValues": RETURN_VALUES,
    "ReturnConsumedCapacity": CAPACITY,
    "ReturnItemCollectionMetrics": METRICS,
    "ReturnValuesOnConditionCheckFailure": ON_FAILURE,
    **CONDITION,
    **EXPECTED,
}
_LEGACY = tuple(EXPECTED)


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check(body, MEMBERS)
    check_parameters(body, "ConditionExpression", legacy=_LEGACY)
    item = normalise_item(request["Item"])
    refuse_new_values(request)
    item_json, size = stored(item)
    request = as_expressions(request)
    found = placeholders(request)
    if "ConditionExpression" in request:
        parse_condition(request["ConditionExpression"], found)
    found.check_all_used()
    table = find_table(context, request["TableName"])
    key = table.schema.encode_item(item)
    table.indexes.check(item)
    detail = b""
    if "ConditionExpression" in request or request.get("ReturnValues") == "ALL_OLD":
        detail = detail_of(
            request, found, "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure"
        )
    (reply,) = yield [Call(table, key, Code.PUT, True, True, key, item_json, size, detail)]
    return write_answer(settled(reply), request, table, item)


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
