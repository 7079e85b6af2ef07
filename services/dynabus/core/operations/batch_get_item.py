"""BatchGetItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html

Up to 100 keys, 16 MB of items: what goes beyond comes back as UnprocessedKeys, as does what was throttled or nobody
answered.

What is refused, in this order; all are ValidationException and HTTP 400 where nothing else stands.

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    no tables                                         Value at 'RequestItems' failed to satisfy ...          2
    names of tables, enums, missing Keys: together    n validation errors detected: ...                      2, 1
    no keys, or more than 100 of one table            Value at 'RequestItems.tab.member.Keys' failed to ...  2
    which parameters go together, in all tables       Can not use both expression and non-expression ...     2
    table by table:
        ExpressionAttributeNames, projections         Invalid ProjectionExpression: ...                      2
        placeholders that are not used                Value provided in ExpressionAttributeNames unused ...  1
        values of keys                                Number overflow ..., Input collection ...              2
        a key twice                                   Provided list of item keys contains duplicates         1, 2
    more than 100 keys                                Too many items requested for the BatchGetItem call     1
    no such table                                     ResourceNotFoundException                              2
    a key: other attributes, or of another type       The provided key element does not match the schema     1, 2
        empty, or too long                            as GetItem                                             2
    a projection that looks into a key                Key attributes must be scalars; ...                    ours
    one table by its name and its ARN, a key twice    Provided list of item keys contains duplicates         ours

1 dynalite's recorded answers (test/batchGetItem, validations/batchGetItem); 2 paritysuite/dynamodb-conformance
(error-messages/batchGetItem and valueLayers, validation-ordering/batchOperations, October 2026).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from dynabus.core.capacity import consumed, read_halves
from dynabus.core.errors import validation_error
from dynabus.core.expressions import parse_projection
from dynabus.core.legacy import ATTRIBUTES_TO_GET, as_expressions
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.batches import (
    as_json,
    duplicate_keys,
    name_faults,
    refuse_duplicates,
    refuse_unprocessed,
)
from dynabus.core.operations.calls import Call, Code, Context, Reply, Request, Steps
from dynabus.core.operations.items import Refused, detail_of, find_table, placeholders, refuse_nested_keys
from dynabus.core.operations.shapes import (
    CAPACITY,
    FLAG,
    NAMES,
    TEXT,
    Member,
    check_parameters,
    detected,
    faults_of,
    read,
)
from dynabus.core.values import Item, normalise_item

KEYS_MOST = 100
ANSWER_BYTES_MOST = 16_000_000
"""16 MB, decimal: AWS's own example (API_BatchGetItem) answers 52 of 100 items of 300 KB."""

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
    request = read(body, MEMBERS)
    tables = _tables(request)
    asked = [_read(name, of) for name, of in tables.items()]
    if sum(len(of.keys) for of in asked) > KEYS_MOST:
        raise validation_error("Too many items requested for the BatchGetItem call")
    wanted = [each for of in asked for each in _keys(of, context)]
    refuse_duplicates([(each.call.table.id, each.call.key) for each in wanted])
    replies = yield [each.call for each in wanted]
    return _answer(request, wanted, replies)


def _tables(request: Request) -> dict[str, Request]:
    """What is asked of each table, as far as the shape of the request goes."""
    asked: dict[str, Request] = request.get("RequestItems", {})
    if not asked and "RequestItems" in request:
        raise detected([_length("RequestItems", "greater than or equal to 1")])
    tables = {name: read(of, TABLE_MEMBERS) for name, of in asked.items()}
    faults = name_faults(asked, as_json) + faults_of(request, MEMBERS)
    for name, of in tables.items():
        faults += faults_of(of, TABLE_MEMBERS, f"requestItems.{name}.member.")
    for name, of in tables.items() if not faults else ():
        faults += _count_faults(name, len(of["Keys"]))
    if faults:
        raise detected(faults)
    _check_parameters(tables)
    return tables


def _length(path: str, bound: str) -> str:
    return f"Value at '{path}' failed to satisfy constraint: Member must have length {bound}"


def _count_faults(name: str, count: int) -> list[str]:
    if 1 <= count <= KEYS_MOST:
        return []
    bound = f"less than or equal to {KEYS_MOST}" if count else "greater than or equal to 1"
    return [_length(f"RequestItems.{name}.member.Keys", bound)]


def _check_parameters(tables: dict[str, Request]) -> None:
    """Which go together, in one table and in all of them: one with a projection forbids AttributesToGet to others."""
    for of in tables.values():
        check_parameters(of, "ProjectionExpression", legacy=("AttributesToGet",))
    together = {name: value for of in tables.values() for name, value in of.items() if name in _PROJECTIONS}
    check_parameters(together, "ProjectionExpression", legacy=("AttributesToGet",))


_PROJECTIONS = ("ProjectionExpression", "AttributesToGet")


class _Asked(NamedTuple):
    """What is asked of one table, as far as the table is not needed; `nested` as `Projection.nested`."""

    name: str
    keys: list[Item]
    consistent: bool
    detail: bytes
    nested: set[str]


def _read(name: str, of: Request) -> _Asked:
    of = as_expressions(of)
    found = placeholders(of)
    detail, nested = b"", set[str]()
    if "ProjectionExpression" in of:
        nested = parse_projection(of["ProjectionExpression"], found).nested()
        detail = detail_of(of, found, "ProjectionExpression")
    found.check_all_used()
    keys = [normalise_item(key) for key in of["Keys"]]
    if len({orjson.dumps(key, option=orjson.OPT_SORT_KEYS) for key in keys}) < len(keys):
        raise duplicate_keys()
    return _Asked(name, keys, of.get("ConsistentRead", False), detail, nested)


def _keys(of: _Asked, context: Context) -> list[Wanted]:
    table = find_table(context, of.name)
    encoded = [table.schema.encode(key) for key in of.keys]
    refuse_nested_keys(table, of.nested)
    return [
        Wanted(of.name, key, Call(table, code, Code.GET, False, of.consistent, code, detail=of.detail))
        for key, code in zip(of.keys, encoded, strict=True)
    ]


def _answer(request: Request, wanted: list[Wanted], replies: list[Reply]) -> bytes:
    found: dict[str, list[bytes]] = {each.table_name: [] for each in wanted}
    halves: dict[str, int] = {}
    left: dict[str, Any] = {}
    size = 0
    for each, reply in zip(wanted, replies, strict=True):
        if reply is not None and reply["status"] == ReplyStatus.ERROR:
            raise Refused(reply["body"])
        if reply is None or reply["status"] == ReplyStatus.THROTTLED or size + reply["size"] > ANSWER_BYTES_MOST:
            _leave(left, request, each)
            continue
        size += reply["size"]
        name = each.call.table.name
        halves[name] = halves.get(name, 0) + read_halves(reply["size"], each.call.consistent)
        if reply["count"]:
            found[each.table_name].append(reply["body"])
    refuse_unprocessed(replies)
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
