"""One class for each operation: what is asked, in trees, and the body that says it to the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.model.expressions import Condition, Path
from tests.model.rendering import Text
from tests.model.updates import Update
from tests.model.values import Item, Value

Body = dict[str, Any]


@dataclass(frozen=True)
class Put:
    operation: ClassVar = "PutItem"
    table: str
    item: Item
    condition: Condition | None = None
    returns: str = "NONE"
    on_failure: str = "NONE"
    capacity: str = "NONE"
    legacy: Body | None = None

    def body(self) -> Body:
        return {"TableName": self.table, "Item": self.item, **_write(self, Text())}


@dataclass(frozen=True)
class Delete:
    operation: ClassVar = "DeleteItem"
    table: str
    key: Item
    condition: Condition | None = None
    returns: str = "NONE"
    on_failure: str = "NONE"
    capacity: str = "NONE"
    legacy: Body | None = None

    def body(self) -> Body:
        return {"TableName": self.table, "Key": self.key, **_write(self, Text())}


@dataclass(frozen=True)
class Change:
    """UpdateItem."""

    operation: ClassVar = "UpdateItem"
    table: str
    key: Item
    update: Update
    condition: Condition | None = None
    returns: str = "NONE"
    on_failure: str = "NONE"
    capacity: str = "NONE"
    legacy: Body | None = None

    def body(self) -> Body:
        text = Text()
        update = {"UpdateExpression": text.update(self.update)} if self.update else {}
        return {"TableName": self.table, "Key": self.key, **_said(self, update), **_write(self, text)}


def _write(request: Put | Delete | Change, text: Text) -> Body:
    body: Body = {
        "ReturnValues": request.returns,
        "ReturnValuesOnConditionCheckFailure": request.on_failure,
        "ReturnConsumedCapacity": request.capacity,
    }
    said: Body = {}
    if request.condition is not None:
        said["ConditionExpression"] = text.condition(request.condition)
    return {**body, **_said(request, {**said, **text.members()})}


def _said(request: Put | Delete | Change | Get | Query | Scan, expressions: Body) -> Body:
    """The members that say its trees: expressions, or in `legacy` the parameters of before them."""
    return expressions if request.legacy is None else request.legacy


@dataclass(frozen=True)
class Get:
    operation: ClassVar = "GetItem"
    table: str
    key: Item
    projection: list[Path] | None = None
    consistent: bool = True
    capacity: str = "NONE"
    legacy: Body | None = None

    def body(self) -> Body:
        text = Text()
        body: Body = {"TableName": self.table, "Key": self.key, "ConsistentRead": self.consistent}
        body["ReturnConsumedCapacity"] = self.capacity
        return {**body, **_said(self, {**_projected(self.projection, text), **text.members()})}


def _projected(paths: list[Path] | None, text: Text) -> Body:
    return {} if paths is None else {"ProjectionExpression": text.projection(paths)}


@dataclass(frozen=True)
class SortCondition:
    """On the sort key: =, <, <=, >, >=, BETWEEN or begins_with."""

    operator: str
    operands: tuple[Value, ...]


@dataclass(frozen=True)
class Query:
    operation: ClassVar = "Query"
    table: str
    partition: tuple[str, Value]
    """Name and value of the partition key."""
    sort: tuple[str, SortCondition] | None = None
    index: str | None = None
    forward: bool = True
    limit: int | None = None
    start: Item | None = None
    filter: Condition | None = None
    projection: list[Path] | None = None
    select: str | None = None
    consistent: bool = True
    capacity: str = "NONE"
    legacy: Body | None = None

    def body(self) -> Body:
        text = Text()
        name, value = self.partition
        condition = f"{text.name(name)} = {text.value(value)}"
        if self.sort is not None:
            condition += " AND " + _sort_text(text, *self.sort)
        said = {"KeyConditionExpression": condition, **_page_expressions(self, text)}
        return {**_page(self), **_said(self, {**said, **text.members()}), "ScanIndexForward": self.forward}


def _sort_text(text: Text, name: str, condition: SortCondition) -> str:
    shown, values = text.name(name), [text.value(value) for value in condition.operands]
    if condition.operator == "BETWEEN":
        return f"{shown} BETWEEN {values[0]} AND {values[1]}"
    if condition.operator == "begins_with":
        return f"begins_with({shown}, {values[0]})"
    return f"{shown} {condition.operator} {values[0]}"


@dataclass(frozen=True)
class Scan:
    operation: ClassVar = "Scan"
    table: str
    index: str | None = None
    limit: int | None = None
    start: Item | None = None
    filter: Condition | None = None
    projection: list[Path] | None = None
    select: str | None = None
    consistent: bool = True
    capacity: str = "NONE"
    segment: int | None = None
    segments: int | None = None
    legacy: Body | None = None

    def body(self) -> Body:
        text = Text()
        parallel = {} if self.segment is None else {"Segment": self.segment, "TotalSegments": self.segments}
        said = _page_expressions(self, text)
        return {**parallel, **_page(self), **_said(self, {**said, **text.members()})}


def _page_expressions(request: Query | Scan, text: Text) -> Body:
    filtered = {} if request.filter is None else {"FilterExpression": text.condition(request.filter)}
    return {**filtered, **_projected(request.projection, text)}


def _page(request: Query | Scan) -> Body:
    members = {
        "TableName": request.table,
        "IndexName": request.index,
        "Limit": request.limit,
        "ExclusiveStartKey": request.start,
        "Select": request.select,
        "ConsistentRead": request.consistent,
        "ReturnConsumedCapacity": request.capacity,
    }
    return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True)
class BatchWrite:
    operation: ClassVar = "BatchWriteItem"
    puts: list[tuple[str, Item]] = field(default_factory=list)
    deletes: list[tuple[str, Item]] = field(default_factory=list)
    capacity: str = "NONE"

    def body(self) -> Body:
        tables: dict[str, list[Any]] = {}
        for table, item in self.puts:
            tables.setdefault(table, []).append({"PutRequest": {"Item": item}})
        for table, key in self.deletes:
            tables.setdefault(table, []).append({"DeleteRequest": {"Key": key}})
        return {"RequestItems": tables, "ReturnConsumedCapacity": self.capacity}


@dataclass(frozen=True)
class TableKeys:
    """What a BatchGetItem wants of one table."""

    keys: list[Item]
    projection: list[Path] | None = None
    consistent: bool = True

    def body(self) -> Body:
        text = Text()
        body: Body = {"Keys": self.keys, "ConsistentRead": self.consistent}
        return {**body, **_projected(self.projection, text), **text.members()}


@dataclass(frozen=True)
class BatchGet:
    operation: ClassVar = "BatchGetItem"
    tables: dict[str, TableKeys]
    capacity: str = "NONE"

    def body(self) -> Body:
        tables = {name: wanted.body() for name, wanted in self.tables.items()}
        return {"RequestItems": tables, "ReturnConsumedCapacity": self.capacity}


Request = Put | Delete | Change | Get | Query | Scan | BatchWrite | BatchGet
