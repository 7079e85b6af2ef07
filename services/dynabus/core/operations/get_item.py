"""GetItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html

The answer splices the stored bytes; only a projection parses the item.
"""

from __future__ import annotations

import orjson

from dynabus.core.capacity import consumed, read_halves
from dynabus.core.expressions import parse_projection
from dynabus.core.legacy import ATTRIBUTES_TO_GET, as_expressions
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Call, Code, Context, Request, Steps
from dynabus.core.operations.items import bound, detail_of, find_table, placeholders, settled
from dynabus.core.operations.shapes import (
    CAPACITY,
    FLAG,
    KEY,
    NAMES,
    TABLE_NAME,
    TEXT,
    Member,
    check,
    check_parameters,
)
from dynabus.core.replication.store import Outcome, Read, Reader
from dynabus.core.rows import decode_row
from dynabus.core.values import normalise_item

MEMBERS: dict[str, Member] = {
    "TableName": TABLE_NAME,
    "Key": KEY,
    "ConsistentRead": FLAG,
    "ReturnConsumedCapacity": CAPACITY,
    "AttributesToGet": ATTRIBUTES_TO_GET,
    "ProjectionExpression": TEXT,
    "ExpressionAttributeNames": NAMES,
}


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check(body, MEMBERS)
    check_parameters(body, "ProjectionExpression", legacy=("AttributesToGet",))
    key_item = normalise_item(request["Key"])
    request = as_expressions(request)
    detail = b""
    if "ProjectionExpression" in request:
        found = placeholders(request)
        parse_projection(request["ProjectionExpression"], found)
        found.check_all_used()
        detail = detail_of(request, found, "ProjectionExpression")
    table = find_table(context, request["TableName"])
    key = table.schema.encode(key_item)
    consistent = request.get("ConsistentRead", False)
    (reply,) = yield [Call(table, key, Code.GET, False, consistent, key, detail=detail)]
    done = settled(reply)
    members = [b'"Item":' + done["body"]] if done["count"] else []
    wanted = request.get("ReturnConsumedCapacity", "NONE")
    if wanted != "NONE":
        capacity = consumed(table.name, read_halves(done["size"], consistent), wanted)
        members.append(b'"ConsumedCapacity":' + orjson.dumps(capacity))
    return b"{" + b",".join(members) + b"}"


def node(part: RequestPart) -> Read:
    """The storage-node half."""
    key = part["key"]
    project = None
    if part["detail"]:
        detail = orjson.loads(part["detail"])
        project = parse_projection(detail["ProjectionExpression"], bound(detail))

    def read(store: Reader) -> Outcome:
        found = store.get(key)
        if found is None:
            return Outcome()
        row = decode_row(found)
        body = row.item_json if project is None else orjson.dumps(project.apply(orjson.loads(row.item_json)))
        return Outcome(body=body, size=row.size, count=1)

    return read
