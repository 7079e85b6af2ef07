"""DeleteItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html

Deleting what is not there changes nothing, so nothing is appended to the log; it costs one unit all the same.
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
    check,
    check_parameters,
)
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import decode_row
from dynabus.core.values import normalise_item

MEMBERS: dict[str, Member] = {
    "TableName": TABLE_NAME,
    "Key": KEY,
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
    key_item = normalise_item(request["Key"])
    refuse_new_values(request)
    request = as_expressions(request)
    found = placeholders(request)
    if "ConditionExpression" in request:
        parse_condition(request["ConditionExpression"], found)
    found.check_all_used()
    table = find_table(context, request["TableName"])
    key = table.schema.encode(key_item)
    detail = detail_of(request, found, "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure")
    (reply,) = yield [Call(table, key, Code.DELETE, True, True, key, detail=detail)]
    return write_answer(settled(reply), request, table, key_item)


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
            row = None if old is None else decode_row(old)
        if row is None:
            return Decision(False, None, Outcome())
        return Decision(True, None, Outcome(body=row.item_json if wants_old else b"", size=row.size))

    return evaluate
