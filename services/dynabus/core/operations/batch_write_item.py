"""BatchWriteItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html

Up to 25 puts and deletes, each on its own: what nobody answered in time comes back as UnprocessedItems. Repeating
those is harmless, since a put or delete that was applied after all comes to the same.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from dynabus.core.capacity import consumed
from dynabus.core.errors import internal_server_error, validation_error
from dynabus.core.keys import encode_partition_key
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Code, Context, Reply, Request, Steps
from dynabus.core.operations.items import Refused, Written, collection_metrics, find_table, stored
from dynabus.core.operations.shapes import CAPACITY, METRICS, Member, check, detected, fault
from dynabus.core.topics import MESSAGE_LIMIT_BYTES
from dynabus.core.values import Item, normalise_item

if TYPE_CHECKING:
    from dynabus.core.cluster_view import Table

WRITES_MOST = 25

MEMBERS: dict[str, Member] = {
    "RequestItems": Member("Map", required=True),
    "ReturnConsumedCapacity": CAPACITY,
    "ReturnItemCollectionMetrics": METRICS,
}
WRITE_MEMBERS: dict[str, Member] = {"PutRequest": Member("Map"), "DeleteRequest": Member("Map")}
PUT_MEMBERS: dict[str, Member] = {"Item": Member("Map", required=True)}
DELETE_MEMBERS: dict[str, Member] = {"Key": Member("Map", required=True)}


class Wanted(NamedTuple):
    """One put or delete, as it was asked for and as it is sent."""

    table_name: str
    asked: Request
    call: Call


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = check(body, MEMBERS)
    tables = _checked(request)
    wanted: list[Wanted] = []
    for name, writes in tables.items():
        table = find_table(context, name)
        calls = [Wanted(name, write, _call(table, write)) for write in writes]
        if len({each.call.key for each in calls}) < len(calls):
            raise validation_error("Provided list of item keys contains duplicates")
        wanted += calls
    sent = _fitting(wanted)
    replies = yield [each.call for each in wanted[:sent]]
    return _answer(request, wanted, [*replies, *[None] * (len(wanted) - sent)])


def _fitting(wanted: list[Wanted]) -> int:
    """How many of the writes are sent: a request has 16 MB at most, and items can be larger in normal form."""
    size = 0
    for count, each in enumerate(wanted):
        size += len(each.call.value)
        if count and size > MESSAGE_LIMIT_BYTES:
            return count
    return len(wanted)


def _checked(request: Request) -> dict[str, list[Request]]:
    tables = request["RequestItems"]
    if not tables:
        raise validation_error("The requestItems parameter is required for BatchWriteItem")
    shape = Member("List", required=True)
    checked: dict[str, list[Request]] = {}
    for name, writes in tables.items():
        listed = check({"writes": writes}, {"writes": shape})["writes"]
        if not 1 <= len(listed) <= WRITES_MOST:
            raise detected([fault("{" + name + "=[...]}", "requestItems", _LENGTHS)])
        checked[name] = [_one(check(write, WRITE_MEMBERS)) for write in listed]
    if sum(map(len, checked.values())) > WRITES_MOST:
        raise validation_error("Too many items requested for the BatchWriteItem call")
    return checked


_LENGTHS = (
    "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
    "Member must have length greater than or equal to 1]"
)


def _one(write: Request) -> Request:
    if len(write) != 1:
        raise validation_error(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
            if write
            else "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    if "PutRequest" in write:
        return {"PutRequest": {"Item": normalise_item(check(write["PutRequest"], PUT_MEMBERS)["Item"])}}
    return {"DeleteRequest": {"Key": normalise_item(check(write["DeleteRequest"], DELETE_MEMBERS)["Key"])}}


def _call(table: Table, write: Request) -> Call:
    if "DeleteRequest" in write:
        key = table.schema.encode(write["DeleteRequest"]["Key"])
        return Call(table, key, Code.DELETE, True, True, key)
    item = write["PutRequest"]["Item"]
    key = _key_of(table, item)
    table.indexes.check(item)
    item_json, size = stored(item)
    return Call(table, key, Code.PUT, True, True, key, item_json, size)


def _key_of(table: Table, item: Item) -> bytes:
    """What PutItem words by attribute, a batch words as a whole. Source: dynalite's recorded answers."""
    schema = table.schema
    types = ((schema.hash, schema.hash_type), (schema.range, schema.range_type))
    if any(name is not None and kind not in item.get(name, {}) for name, kind in types):
        raise validation_error("The provided key element does not match the schema")
    return schema.encode_item(item)


class Spent:
    """What the writes of one table took: half units, and the metrics of each item collection once."""

    def __init__(self) -> None:
        self.halves = 0
        self.of_indexes: Counter[str] = Counter()
        self.collections: dict[bytes, dict[str, Any]] = {}

    def add(self, reply: ReplyPart, wanted: Wanted) -> None:
        table = wanted.call.table
        written = Written(reply, table)
        self.halves += written.halves
        self.of_indexes.update(written.of_indexes)
        if table.indexes.all:
            [asked] = wanted.asked.values()
            key = asked.get("Item") or asked["Key"]
            collection = encode_partition_key(key[table.schema.hash])
            self.collections[collection] = collection_metrics(written.collection, table, key)


def _answer(request: Request, wanted: list[Wanted], replies: list[Reply]) -> bytes:
    left: dict[str, list[Request]] = {}
    spent: dict[str, Spent] = {}
    for each, reply in zip(wanted, replies, strict=True):
        if reply is None:
            left.setdefault(each.table_name, []).append(each.asked)
        elif reply["status"] == ReplyStatus.ERROR:
            raise Refused(reply["body"])
        else:
            spent.setdefault(each.call.table.name, Spent()).add(reply, each)
    if all(reply is None for reply in replies):
        raise internal_server_error()
    answer: dict[str, Any] = {"UnprocessedItems": left}
    level = request.get("ReturnConsumedCapacity", "NONE")
    if level != "NONE":
        answer["ConsumedCapacity"] = [
            consumed(name, each.halves, level, each.of_indexes) for name, each in spent.items()
        ]
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        metrics = {name: list(each.collections.values()) for name, each in spent.items()}
        answer["ItemCollectionMetrics"] = {name: listed for name, listed in metrics.items() if listed}
    return orjson.dumps(answer)
