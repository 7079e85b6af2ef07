"""What the operations on single items share: the table, conditions, the stored form, the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from dynabus.core.capacity import NOTHING, consumed, write_halves
from dynabus.core.errors import (
    ApiError,
    conditional_check_failed,
    internal_server_error,
    resource_not_found,
    validation_error,
)
from dynabus.core.expressions import Condition, Placeholders, parse_condition
from dynabus.core.global_indexes.charges import charges_of
from dynabus.core.limits import MAX_ITEM_BYTES
from dynabus.core.local_indexes import note_of
from dynabus.core.messages import ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.arns import table_name
from dynabus.core.operations.calls import Context, Reply
from dynabus.core.operations.shapes import NAMES, TEXT, Member
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.rows import Row, live_row
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.values import Item, check_item_size, in_older_words, item_size, normalise_value

if TYPE_CHECKING:
    from dynabus.core.published_table import Table

CONDITION: dict[str, Member] = {
    "ConditionExpression": TEXT,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": NAMES,
}

_GB = 1024**3

SERVING = frozenset({"ACTIVE", "UPDATING"})


ITEM_JSON_BYTES_MOST = MESSAGE_LIMIT_BYTES // 2 - 128 * 1024
"""Two images, a key and the record's own fields fit into one message."""


UNKNOWN_TABLE = "Requested resource not found"


def refuse_new_values(request: Mapping[str, Any]) -> None:
    """Writes that replace or delete whole items can return the old one only."""
    if request.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
        raise validation_error("ReturnValues can only be ALL_OLD or NONE")


def find_table(context: Context, name: str) -> Table:
    """The table by name or ARN; raises ApiError for other ARNs, and while it is not there to use."""
    table = context.view.tables.get(table_name(name, context))
    if table is None or table.status not in SERVING:
        raise resource_not_found(UNKNOWN_TABLE)
    return table


def is_unknown_table(error: ApiError) -> bool:
    """A table, or an index of one, was not found: it may be newer than what this router has heard."""
    return error.message == UNKNOWN_TABLE


def placeholders(request: Mapping[str, Any]) -> Placeholders:
    """Names and values of a request, values in normal form; raises ApiError."""
    values = request.get("ExpressionAttributeValues")
    if values is not None:
        values = {name: normalise_value(value) for name, value in values.items()}
    return Placeholders(request.get("ExpressionAttributeNames"), values)


def older_placeholders(request: Mapping[str, Any]) -> Placeholders:
    """The same as the older of DynamoDB's two layers (`values.faults`) words what is wrong."""
    values = request.get("ExpressionAttributeValues")
    if values is not None:
        values = {name: _older_value(name, value) for name, value in values.items()}
    return Placeholders(request.get("ExpressionAttributeNames"), values)


def _older_value(name: str, value: Any) -> Any:
    try:
        return normalise_value(value)
    except ApiError as error:
        if not error.type.endswith("ValidationException"):
            raise
        text = f"ExpressionAttributeValues contains invalid value: {in_older_words(error).message} for key {name}"
        raise validation_error(text) from error


def refuse_nested_keys(table: Table, *nested: set[str]) -> None:
    """Expressions may not look into attributes that are keys, of indexes too.

    Source: dynalite, db (validateKeyPaths) and its recorded tests of GetItem, Query and UpdateItem.
    """
    for names in nested:
        if names:
            _refuse_nested(table, names)


def _refuse_nested(table: Table, names: set[str]) -> None:
    keys = [("Key", name) for name in table.schema.names]
    keys += [("IndexKey", str(index.schema.range)) for index in table.indexes.all]
    keys += [("IndexKey", each.name) for index in table.global_indexes.all for each in index.elements]
    for what, name in keys:
        if name in names:
            raise validation_error(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                f"{what}: {name}"
            )


def bound(detail: Mapping[str, Any]) -> Placeholders:
    """The same at the storage node, where all is in normal form and checked."""
    return Placeholders(detail.get("ExpressionAttributeNames"), detail.get("ExpressionAttributeValues"))


def detail_of(request: Mapping[str, Any], found: Placeholders, *names: str) -> bytes:
    """The members that the storage node evaluates, as JSON; empty where there are none."""
    detail = {name: request[name] for name in names if name in request}
    if found.names:
        detail["ExpressionAttributeNames"] = found.names
    if found.values:
        detail["ExpressionAttributeValues"] = found.values
    return orjson.dumps(detail) if detail else b""


class Conditional:
    """The storage-node half of a write's condition: what it is, and what a failure answers."""

    __slots__ = ("_condition", "_return_old", "detail", "found")

    def __init__(self, part: RequestPart) -> None:
        self.detail: dict[str, Any] = orjson.loads(part["detail"])
        self.found = bound(self.detail)
        text = self.detail.get("ConditionExpression")
        self._condition: Condition | None = parse_condition(text, self.found) if text is not None else None
        self._return_old = self.detail.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"

    def refusal(self, row: Row | None, item: Item | None, size: int) -> Decision | None:
        """The decision if the condition fails, else None. A failed condition is charged like a write."""
        if self._condition is None or self._condition.matches(item):
            return None
        extra = {"Item": item} if self._return_old and item is not None else None
        body = orjson.dumps(conditional_check_failed(extra).body())
        return Decision(False, None, Outcome(ReplyStatus.ERROR, body, max(size, row.size if row else 0)))


def load(row: bytes | None) -> tuple[Row | None, Item | None]:
    """The decoded row and its item."""
    decoded = live_row(row)
    return (None, None) if decoded is None else (decoded, orjson.loads(decoded.item_json))


def refused(error: ApiError, size: int = 0) -> Decision:
    """An evaluation that raised."""
    return Decision(False, None, Outcome(ReplyStatus.ERROR, orjson.dumps(error.body()), size))


def stored(item: Item, update: bool = False) -> tuple[bytes, int]:
    """(JSON, item size) of an item in normal form; raises ApiError where it is too large.

    DynamoDB's 400 KB can be more as JSON: 3.7 MB if it is all empty strings, and without bound if it is all numbers
    like 1E125. A log record holds the old and the new item in one message, which bounds it here.
    """
    size = item_size(item)
    check_item_size(size, update=update)
    item_json = orjson.dumps(item)
    if len(item_json) > ITEM_JSON_BYTES_MOST:
        check_item_size(MAX_ITEM_BYTES + 1, update=update)
    return item_json, size


REFUSALS = frozenset({ReplyStatus.ERROR, ReplyStatus.THROTTLED})
"""Replies whose body is the JSON of an error."""


class Refused(Exception):
    """A storage node, or admission, answered with an API error: its JSON goes to the client as it is."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.body = body


def settled(reply: Reply) -> Any:
    """The reply, once it is an answer; raises Refused, or the HTTP 500 of a fate that is unknown."""
    if reply is None:
        raise internal_server_error()
    if reply["status"] in REFUSALS:
        raise Refused(reply["body"])
    return reply


def write_answer(reply: ReplyPart, request: Mapping[str, Any], table: Table, key: Item) -> bytes:
    """`{"Attributes": ..., "ConsumedCapacity": ..., "ItemCollectionMetrics": ...}` with what is wanted of it.

    `key` is the item or its key.
    """
    written = Written(reply, table)
    members = [b'"Attributes":' + written.attributes] if written.attributes else []
    wanted = request.get("ReturnConsumedCapacity", "NONE")
    if wanted != "NONE":
        capacity = consumed(table.name, written.halves, wanted, written.of_indexes, written.of_global)
        members.append(b'"ConsumedCapacity":' + orjson.dumps(capacity))
    if request.get("ReturnItemCollectionMetrics") == "SIZE" and table.indexes.all:
        metrics = collection_metrics(written.collection, table, key)
        members.append(b'"ItemCollectionMetrics":' + orjson.dumps(metrics))
    return b"{" + b",".join(members) + b"}"


class Written:
    """What a storage node answered to a write: Attributes as JSON, half write units (of the table, of its local and
    its global indexes), the collection's bytes."""

    __slots__ = ("attributes", "collection", "halves", "of_global", "of_indexes")

    def __init__(self, reply: ReplyPart, table: Table) -> None:
        self.of_global, self.attributes = charges_of(reply["body"])
        self.halves = write_halves(reply["size"])
        self.of_indexes: Mapping[str, int] = NOTHING
        self.collection = 0
        if table.indexes.all:
            note, self.attributes = note_of(self.attributes)
            self.of_indexes, self.collection = note.get("halves", NOTHING), note.get("collection", 0)


def collection_metrics(size: int, table: Table, key: Item) -> dict[str, Any]:
    """An ItemCollectionMetrics. DynamoDB's estimate is a range in GB; ours is the whole GB around what was counted.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ItemCollectionMetrics.html
    """
    whole = size // _GB
    name = table.schema.hash
    return {"ItemCollectionKey": {name: key[name]}, "SizeEstimateRangeGB": [float(whole), float(whole + 1)]}
