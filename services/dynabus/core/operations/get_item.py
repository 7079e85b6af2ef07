"""GetItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html

The answer splices the stored bytes; only a projection parses the item.

What is refused, in this order; all are ValidationException and HTTP 400 where nothing else stands.

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    constraints of the service model                  n validation errors detected: ...                      1
    which parameters go together                      Can not use both expression and non-expression ...     1
    values of the key                                 Number overflow ..., Input collection ...              2
    AttributesToGet                                   Duplicate value in attribute name: a                   1
    ExpressionAttributeNames                          ... must not be empty, ... contains invalid key ...    1
    ProjectionExpression                              Invalid ProjectionExpression: ...                      2
    placeholders that are not used                    Value provided in ExpressionAttributeNames unused ...  1
    no such table                                     ResourceNotFoundException                              1
    the key: other attributes, or of another type     The provided key element does not match the schema     2
        empty                                         The AttributeValue for a key attribute cannot ...      2
        more than 2048 bytes, sort keys 1024          Size of hashkey has exceeded ..., Aggregated size ...  1
    a projection that looks into a key                Key attributes must be scalars; ...                    1

1 dynalite's recorded answers (test/getItem, validations/getItem); 2 paritysuite/dynamodb-conformance
(captures/cross-region-latest, error-messages/valueLayers, October 2026).
"""

from __future__ import annotations

import orjson

from dynabus.core.capacity import consumed, read_halves
from dynabus.core.expressions import parse_projection
from dynabus.core.legacy import ATTRIBUTES_TO_GET, as_expressions
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Call, Code, Context, Request, Steps
from dynabus.core.operations.items import bound, detail_of, find_table, placeholders, refuse_nested_keys, settled
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
from dynabus.core.rows import live_row
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
    detail, nested = b"", set[str]()
    if "ProjectionExpression" in request:
        found = placeholders(request)
        nested = parse_projection(request["ProjectionExpression"], found).nested()
        found.check_all_used()
        detail = detail_of(request, found, "ProjectionExpression")
    table = find_table(context, request["TableName"])
    key = table.schema.encode(key_item)
    refuse_nested_keys(table, nested)
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
        row = live_row(store.get(key))
        if row is None:
            return Outcome()
        body = row.item_json if project is None else orjson.dumps(project.apply(orjson.loads(row.item_json)))
        return Outcome(body=body, size=row.size, count=1)

    return read
