"""BatchGetItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html

Up to 100 keys, 16 MB of items: what goes beyond comes back as UnprocessedKeys, as does what nobody answered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from dynabus.core.capacity import consumed, read_halves
from dynabus.core.errors import internal_server_error, validation_error
from dynabus.core.expressions import parse_projection
from dynabus.core.legacy import ATTRIBUTES_TO_GET, as_expressions
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.calls import Call, Code, Context, Reply, Request, Steps
from dynabus.core.operations.items import Refused, detail_of, find_table, placeholders
from dynabus.core.operations.shapes import CAPACITY, FLAG, NAMES, TEXT, Member, check, check_parameters, detected
from dynabus.core.values import Item, normalise_item

KEYS_MOST = 100
ANSWER_BYTES_MOST = 16 * 1024 * 1024

MEMBERS: dict[str, Member] = {
    "RequestItems": Member("Map", required=True),
    "ReturnConsumedCapacity": CAPACITY,
}
TABLE_MEMBERS: dict[str, Member] = {
    "Keys": Member("List", required=True),
    "ConsistentRead": FLAG,
    "AttributesToGet": ATTRIBUTES_TO_GET,
    "ProjectionExpression": TEXT,
    "ExpressionAttributeNames": NAMES,
}


class Wanted(NamedTuple):
    """One key of one table."""

    table_name: str
    key: Item
    call: Call


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check(body, MEMBERS)
    wanted = [each for name, of in _tables(request).items() for each in _keys(name, of, context)]
    replies = yield [each.call for each in wanted]
    return _answer(request, wanted, replies)


def _tables(request: Request) -> dict[str, Request]:
    tables = request["RequestItems"]
    if not tables:
        raise validation_error("The requestItems parameter is required for BatchGetItem")
    checked = {name: check(of, TABLE_MEMBERS) for name, of in tables.items()}
    for name, of in checked.items():
        _check_count(name, len(of["Keys"]))
        check_parameters(tables[name], "ProjectionExpression", legacy=("AttributesToGet",))
    if sum(len(of["Keys"]) for of in checked.values()) > KEYS_MOST:
        raise validation_error("Too many items requested for the BatchGetItem call")
    return checked


def _check_count(name: str, count: int) -> None:
    """Source: nubo-db/dynamodb-conformance, error-messages/batchGetItem."""
    if 1 <= count <= KEYS_MOST:
        return
    bound = "less than or equal to 100" if count else "greater than or equal to 1"
    where = f"Value at 'RequestItems.{name}.member.Keys'"
    raise detected([f"{where} failed to satisfy constraint: Member must have length {bound}"])


def _keys(name: str, of: Request, context: Context) -> list[Wanted]:
    keys = [normalise_item(key) for key in of["Keys"]]
    of = as_expressions(of)
    found = placeholders(of)
    if "ProjectionExpression" in of:
        parse_projection(of["ProjectionExpression"], found)
    found.check_all_used()
    table = find_table(context, name)
    detail = detail_of(of, found, "ProjectionExpression") if "ProjectionExpression" in of else b""
    encoded = [table.schema.encode(key) for key in keys]
    if len(set(encoded)) < len(encoded):
        raise validation_error("Provided list of item keys contains duplicates")
    consistent = of.get("ConsistentRead", False)
    return [
        Wanted(name, key, Call(table, code, Code.GET, False, consistent, code, detail=detail))
        for key, code in zip(keys, encoded, strict=True)
    ]


def _answer(request: Request, wanted: list[Wanted], replies: list[Reply]) -> bytes:
    found: dict[str, list[bytes]] = {each.table_name: [] for each in wanted}
    halves: dict[str, int] = {}
    left: dict[str, Any] = {}
    size = 0
    for each, reply in zip(wanted, replies, strict=True):
        if reply is not None and reply["status"] == ReplyStatus.ERROR:
            raise Refused(reply["body"])
        if reply is None or size + reply["size"] > ANSWER_BYTES_MOST:
            _leave(left, request, each)
            continue
        size += reply["size"]
        name = each.call.table.name
        halves[name] = halves.get(name, 0) + read_halves(reply["size"], each.call.consistent)
        if reply["count"]:
            found[each.table_name].append(reply["body"])
    if all(reply is None for reply in replies):
        raise internal_server_error()
    responses = b",".join(orjson.dumps(name) + b":[" + b",".join(items) + b"]" for name, items in found.items())
    members = [b'"Responses":{' + responses + b"}", b'"UnprocessedKeys":' + orjson.dumps(left)]
    level = request.get("ReturnConsumedCapacity", "NONE")
    if level != "NONE":
        members.append(
            b'"ConsumedCapacity":' + orjson.dumps([consumed(name, units, level) for name, units in halves.items()])
        )
    return b"{" + b",".join(members) + b"}"


def _leave(left: dict[str, Any], request: Request, each: Wanted) -> None:
    of = request["RequestItems"][each.table_name]
    kept = left.setdefault(each.table_name, {**of, "Keys": []})
    kept["Keys"].append(each.key)
