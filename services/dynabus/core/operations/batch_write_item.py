"""BatchWriteItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html

Up to 25 puts and deletes, each on its own: what was throttled, or nobody answered in time, comes back as
UnprocessedItems. Repeating those is harmless, since a put or delete that was applied after all comes to the same.

What is refused, in this order; all are ValidationException and HTTP 400 where nothing else stands.

    what                                              message, or its beginning                              source
    a wrong JSON type, anywhere                       SerializationException                                 1
    enums: together                                   n validation errors detected: ...                      2
    no tables                                         The requestItems parameter is required for ...         2
    names of tables, missing items or keys: together  Value '{...}' at 'requestItems' failed to satisfy ...  2, 1
    no writes, or more than 25 to one table           the same                                               2
    a write that is neither a put nor a delete, or    Supplied AttributeValue has more than one datatypes    1, ours
        both                                          set, ...
    values of items and keys                          Number overflow ..., Input collection ...              2
    an item of more than 400 KB                       Item size has exceeded the maximum allowed size        1, 3
    more than 25 writes                               Too many items requested for the BatchWriteItem call   1
    no such table                                     ResourceNotFoundException                              2
    a key: missing, or of another type                The provided key element does not match the schema     2
        empty, or too long                            as PutItem                                             2
    keys of indexes                                   as PutItem                                             2
    a key twice, of one table by its name and its     Provided list of item keys contains duplicates         2, ours
        ARN too

It reads values by the older of DynamoDB's two layers (`values.faults`).

1 dynalite's recorded answers (test/batchWriteItem, validations/batchWriteItem); 2 paritysuite/dynamodb-conformance
(error-messages/batchWriteItem, indexKeyValues and valueLayers, validation-ordering/batchOperations, October 2026);
3 the same, limits/itemSizeBySurface.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from dynabus.core.capacity import consumed
from dynabus.core.errors import ApiError, validation_error
from dynabus.core.keys import encode_partition_key
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.batches import as_java, name_faults, refuse_duplicates, refuse_unprocessed
from dynabus.core.operations.calls import Call, Code, Context, Reply, Request, Steps
from dynabus.core.operations.items import Refused, Written, collection_metrics, find_table, stored
from dynabus.core.operations.shapes import CAPACITY, METRICS, Member, detected, fault, faults_of, read
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.values import Item, in_older_words, normalise_item

if TYPE_CHECKING:
    from dynabus.core.published_table import Table

WRITES_MOST = 25

MEMBERS: dict[str, Member] = {
    "RequestItems": Member("Map", required=True),
    "ReturnConsumedCapacity": CAPACITY,
    "ReturnItemCollectionMetrics": METRICS,
}
WRITE_MEMBERS: dict[str, Member] = {"PutRequest": Member("Map"), "DeleteRequest": Member("Map")}
PUT_MEMBERS: dict[str, Member] = {"Item": Member("Map", required=True)}
DELETE_MEMBERS: dict[str, Member] = {"Key": Member("Map", required=True)}


_WRITES: dict[str, dict[str, Member]] = {"PutRequest": PUT_MEMBERS, "DeleteRequest": DELETE_MEMBERS}


class Wanted(NamedTuple):
    """One put or delete, as it was asked for and as it is sent."""

    table_name: str
    asked: Request
    call: Call


class Write(NamedTuple):
    """One put or delete in normal form; a put has its item as JSON and its size."""

    asked: Request
    item_json: bytes = b""
    size: int = 0


def route(body: Request, context: Context) -> Steps:
    """The router half."""
    request = read(body, MEMBERS)
    tables = {name: [_write(write) for write in writes] for name, writes in _checked(request).items()}
    if sum(map(len, tables.values())) > WRITES_MOST:
        raise validation_error("Too many items requested for the BatchWriteItem call")
    found = [(find_table(context, name), name, writes) for name, writes in tables.items()]
    wanted = [Wanted(name, write.asked, _call(table, write)) for table, name, writes in found for write in writes]
    refuse_duplicates([(each.call.table.id, each.call.key) for each in wanted])
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
    """The writes by table, as far as the shape of the request goes."""
    asked: dict[str, Any] = request.get("RequestItems", {})
    read_of = {name: [_shaped(write) for write in _listed(writes)] for name, writes in asked.items()}
    faults = faults_of(request, MEMBERS)
    if faults:
        raise detected(faults)
    if not asked:
        raise validation_error("The requestItems parameter is required for BatchWriteItem")
    for name, writes in read_of.items():
        for number, write in enumerate(writes, 1):
            faults += _write_faults(f"requestItems.{name}.member.{number}.member.", write)
    faults += name_faults(asked, as_java)
    if any(not 1 <= len(writes) <= WRITES_MOST for writes in read_of.values()):
        faults.append(fault(as_java(asked), "requestItems", _LENGTHS))
    if faults:
        raise detected(faults)
    return read_of


_LENGTHS = (
    "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
    "Member must have length greater than or equal to 1]"
)


def _listed(writes: Any) -> list[Any]:
    shape = {"writes": Member("List", required=True)}
    return read({"writes": writes}, shape).get("writes", [])  # type: ignore[no-any-return]


def _shaped(write: Any) -> Request:
    return {name: read(each, _WRITES[name]) for name, each in read(write, WRITE_MEMBERS).items()}


def _write_faults(path: str, write: Request) -> list[str]:
    return [
        text
        for name, each in write.items()
        for text in faults_of(each, _WRITES[name], f"{path}{name[0].lower()}{name[1:]}.")
    ]


def _write(write: Request) -> Write:
    """In normal form. Raises ApiError."""
    if len(write) != 1:
        raise validation_error(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
            "datatypes"
        )
    try:
        if "DeleteRequest" in write:
            return Write({"DeleteRequest": {"Key": normalise_item(write["DeleteRequest"]["Key"])}})
        item = normalise_item(write["PutRequest"]["Item"])
    except ApiError as error:
        raise in_older_words(error) from error
    return Write({"PutRequest": {"Item": item}}, *stored(item))


def _call(table: Table, write: Write) -> Call:
    if "DeleteRequest" in write.asked:
        key = table.schema.encode(write.asked["DeleteRequest"]["Key"])
        return Call(table, key, Code.DELETE, True, True, key)
    item = write.asked["PutRequest"]["Item"]
    key = _key_of(table, item)
    table.check_index_keys(item)
    return Call(table, key, Code.PUT, True, True, key, write.item_json, write.size)


def _key_of(table: Table, item: Item) -> bytes:
    """What PutItem words by attribute, a batch words as a whole."""
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
        self.of_global: Counter[str] = Counter()
        self.collections: dict[bytes, dict[str, Any]] = {}

    def add(self, reply: ReplyPart, wanted: Wanted) -> None:
        table = wanted.call.table
        written = Written(reply, table)
        self.halves += written.halves
        self.of_indexes.update(written.of_indexes)
        self.of_global.update(written.of_global)
        if table.indexes.all:
            [asked] = wanted.asked.values()
            key = asked.get("Item") or asked["Key"]
            collection = encode_partition_key(key[table.schema.hash])
            self.collections[collection] = collection_metrics(written.collection, table, key)


def _answer(request: Request, wanted: list[Wanted], replies: list[Reply]) -> bytes:
    left: dict[str, list[Request]] = {}
    spent: dict[str, Spent] = {}
    for each, reply in zip(wanted, replies, strict=True):
        if reply is None or reply["status"] == ReplyStatus.THROTTLED:
            left.setdefault(each.table_name, []).append(each.asked)
        elif reply["status"] == ReplyStatus.ERROR:
            raise Refused(reply["body"])
        else:
            spent.setdefault(each.call.table.name, Spent()).add(reply, each)
    refuse_unprocessed(replies)
    answer: dict[str, Any] = {"UnprocessedItems": left}
    level = request.get("ReturnConsumedCapacity", "NONE")
    if level != "NONE":
        answer["ConsumedCapacity"] = [
            consumed(name, each.halves, level, each.of_indexes, each.of_global) for name, each in spent.items()
        ]
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        metrics = {name: list(each.collections.values()) for name, each in spent.items()}
        answer["ItemCollectionMetrics"] = {name: listed for name, listed in metrics.items() if listed}
    return orjson.dumps(answer)
