"""The model itself: tables are dictionaries, and every operation is what its page in AWS's API reference says.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.model.capacity import Consumed, read_units
from tests.model.expressions import Condition, Path, holds, project
from tests.model.pages import Page, query_page
from tests.model.refusals import Refusal, invalid
from tests.model.requests import BatchGet, BatchWrite, Change, Delete, Get, Put, Query, Request
from tests.model.schema import Schema
from tests.model.updates import Update, removes_only, updated, written_kind
from tests.model.values import Item, item_size, kind_of, normal_item, rank, value_size

Answer = dict[str, Any]
ITEM_BYTES_MOST = 400 * 1024
SORT_KEY_BYTES_MOST = 1024


class Table:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.items: dict[tuple[Any, ...], Item] = {}

    def get(self, key: Item) -> Item:
        """The item with this key, or an empty one."""
        return self.items.get(self.schema.place(key), {})

    def put(self, item: Item) -> None:
        self.items[self.schema.place(item)] = item

    def delete(self, key: Item) -> None:
        self.items.pop(self.schema.place(key), None)


class Database:
    """`answer` says what DynamoDB answers, and changes what it changes. Scan is in `comparison`: it has no order."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self.tables = {schema.name: Table(schema) for schema in schemas}

    def answer(self, request: Request) -> Answer:
        """The answer's members; those of a refusal if there is one."""
        try:
            match request:
                case Put():
                    return self._put(request)
                case Delete():
                    return self._delete(request)
                case Change():
                    return self._update(request)
                case Get():
                    return self._get(request)
                case Query():
                    return self.query(request).answer(request)
                case BatchWrite():
                    return self._batch_write(request)
                case BatchGet():
                    return self._batch_get(request)
                case _:
                    raise NotImplementedError(request)
        except Refusal as refusal:
            return {"__type": refusal.type, "message": refusal.message, **refusal.extra}

    # -- one item ---------------------------------------------------------------------------------------------------

    def _put(self, request: Put) -> Answer:
        table, item = self.tables[request.table], normal_item(request.item)
        _check_size(item, "Item size has")
        _check_index_keys(table.schema, item, "Item size has")
        old = table.get(item)
        _check_condition(request.condition, old, request.on_failure)
        table.put(item)
        return _written(table, old, item, request, {"ALL_OLD": old})

    def _delete(self, request: Delete) -> Answer:
        table = self.tables[request.table]
        old = table.get(request.key)
        _check_condition(request.condition, old, request.on_failure)
        table.delete(request.key)
        return _written(table, old, {}, request, {"ALL_OLD": old})

    def _update(self, request: Change) -> Answer:
        table, key = self.tables[request.table], normal_item(request.key)
        old = table.get(key)
        _check_written_types(table.schema, request.update)
        _check_condition(request.condition, old, request.on_failure)
        if not old and request.update and removes_only(request.update):
            return _written(table, {}, {}, request, {})
        new = normal_item(updated(request.update, old, key))
        _check_size(new, "Item size to update has")
        _check_index_keys(table.schema, new, "Item size to update has")
        table.put(new)
        paths = [action.path for action in request.update]
        shown = {"ALL_OLD": old, "ALL_NEW": new}
        shown |= {"UPDATED_OLD": project(old, paths), "UPDATED_NEW": project(new, paths)}
        return _written(table, old, new, request, shown)

    def _get(self, request: Get) -> Answer:
        found = self.tables[request.table].get(request.key)
        consumed = Consumed(request.table)
        consumed.units = read_units(item_size(found), request.consistent)
        answer = {"Item": _projected(found, request.projection)} if found else {}
        return {**answer, **consumed.members(request.capacity)}

    # -- many items -------------------------------------------------------------------------------------------------

    def query(self, request: Query) -> Page:
        """One page."""
        table = self.tables[request.table]
        name, value = request.partition
        items = [item for item in table.items.values() if rank(item[name]) == rank(value)]
        return query_page(table.schema, items, request)

    def _batch_write(self, request: BatchWrite) -> Answer:
        puts = [(self.tables[name], normal_item(item)) for name, item in request.puts]
        for table, item in puts:
            _check_size(item, "Item size has")
            _check_index_keys(table.schema, item, "Item size has")
        consumed = {name: Consumed(name) for name, _ in request.puts + request.deletes}
        for table, item in puts:
            consumed[table.schema.name].add_write(table.schema, table.get(item), item)
            table.put(item)
        for name, key in request.deletes:
            table = self.tables[name]
            consumed[name].add_write(table.schema, table.get(key), {})
            table.delete(key)
        return {"UnprocessedItems": {}, **_consumed(consumed, request.capacity)}

    def _batch_get(self, request: BatchGet) -> Answer:
        responses: dict[str, list[Item]] = {}
        consumed = {name: Consumed(name) for name in request.tables}
        for name, wanted in request.tables.items():
            found = [self.tables[name].get(key) for key in wanted.keys]
            responses[name] = [_projected(item, wanted.projection) for item in found if item]
            consumed[name].units = sum(read_units(item_size(item), wanted.consistent) for item in found)
        return {"Responses": responses, "UnprocessedKeys": {}, **_consumed(consumed, request.capacity)}


def _consumed(consumed: dict[str, Consumed], wanted: str) -> Answer:
    if wanted == "NONE":
        return {}
    return {"ConsumedCapacity": [each.shown(wanted) for each in consumed.values()]}


def _projected(item: Item, paths: list[Path] | None) -> Item:
    return item if paths is None else project(item, paths)


def _check_condition(condition: Condition | None, old: Item, on_failure: str) -> None:
    if condition is not None and not holds(condition, old):
        extra = {"Item": old} if old and on_failure == "ALL_OLD" else {}
        raise Refusal("ConditionalCheckFailedException", "The conditional request failed", extra)


def _check_size(item: Item, what: str) -> None:
    _check_bytes(item_size(item), what)


def _check_bytes(size: int, what: str) -> None:
    if size > ITEM_BYTES_MOST:
        raise invalid(f"{what} exceeded the maximum allowed size")


def _check_index_keys(schema: Schema, item: Item, what: str) -> None:
    """An index key that is there has the index's type and 1 to 1024 bytes. The words differ by operation. With its
    entries the item has 400 KB at most."""
    for index in schema.indexes:
        value = item.get(index.sort)
        if value is not None and (
            kind_of(value) != index.sort_type or not 1 <= value_size(value) <= SORT_KEY_BYTES_MOST
        ):
            raise invalid(None)
    entries = [item_size(schema.projected(index, item)) for index in schema.indexes if index.sort in item]
    _check_bytes(item_size(item) + sum(entries), what)


def _check_written_types(schema: Schema, update: Update) -> None:
    """An index key may not be given another type, where that is seen without the item: before any condition."""
    for action in update:
        kind, index_kind = written_kind(action), schema.key_type(str(action.path[0]))
        if len(action.path) == 1 and kind is not None and index_kind not in (None, kind):
            raise invalid(None)


def _written(table: Table, old: Item, new: Item, request: Put | Delete | Change, shown: dict[str, Item]) -> Answer:
    consumed = Consumed(table.schema.name)
    consumed.add_write(table.schema, old, new)
    attributes = shown.get(request.returns)
    answer = {"Attributes": attributes} if attributes else {}
    return {**answer, **consumed.members(request.capacity)}
