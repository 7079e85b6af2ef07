"""Pages of Query and Scan over the items of the model.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from tests.model.capacity import READ_BYTES, Consumed, read_units
from tests.model.expressions import (
    And,
    At,
    Between,
    Compare,
    Condition,
    In,
    Literal,
    Not,
    Or,
    Path,
    Size,
    begins_with,
    compares,
    holds,
    project,
)
from tests.model.requests import Query, Scan, SortCondition
from tests.model.schema import Index, Schema, value_of_type
from tests.model.values import Item, item_size, rank

PAGE_BYTES = 1024 * 1024


@dataclass
class Page:
    """What was looked at: all of `seen`, of which `found` pass the filter. `more` is where the next one starts."""

    schema: Schema
    index: Index | None
    seen: list[Item]
    found: list[Item]
    more: Item | None

    def answer(self, request: Query | Scan) -> dict[str, Any]:
        answer: dict[str, Any] = {"Count": len(self.found), "ScannedCount": len(self.seen)}
        if request.select != "COUNT":
            answer["Items"] = [shown(self.schema, self.index, item, request) for item in self.found]
        if self.more is not None:
            answer["LastEvaluatedKey"] = self.more
        return {**answer, **consumed(self.schema, self.index, self.seen, request)}


def query_page(schema: Schema, items: list[Item], request: Query) -> Page:
    """`items` are the item collection."""
    index = schema.index(request.index)
    ordered = in_order(schema, index, items)
    if request.sort is not None:
        name, condition = request.sort
        ordered = [item for item in ordered if _fits(condition, item, name)]
    if not request.forward:
        ordered.reverse()
    if request.start is not None:
        ordered = [item for item in ordered if _is_behind(schema, index, item, request.start, request.forward)]
    seen, ended = _looked_at(schema, index, ordered, request.limit)
    found = [item for item in seen if request.filter is None or holds(request.filter, item)]
    more = {name: seen[-1][name] for name in schema.start_names(index)} if ended else None
    return Page(schema, index, seen, found, more)


def in_order(schema: Schema, index: Index | None, items: list[Item]) -> list[Item]:
    """Of one collection, those that the index has."""
    if index is not None:
        items = [item for item in items if value_of_type(item.get(index.sort), index.sort_type)]
    return sorted(items, key=lambda item: _order(schema, index, item))


def _order(schema: Schema, index: Index | None, item: Item) -> tuple[Any, ...]:
    """Items with equal index keys stand in the order of the table's sort key (AWS names none)."""
    names = ([index.sort] if index is not None else []) + ([schema.sort] if schema.sort is not None else [])
    return tuple(rank(item[name]) for name in names)


def _is_behind(schema: Schema, index: Index | None, item: Item, start: Item, forward: bool) -> bool:
    here, there = _order(schema, index, item), _order(schema, index, start)
    return here > there if forward else here < there


def _fits(condition: SortCondition, item: Item, name: str) -> bool:
    value, operands = item[name], condition.operands
    if condition.operator == "BETWEEN":
        return compares(">=", value, operands[0]) and compares("<=", value, operands[1])
    if condition.operator == "begins_with":
        return begins_with(value, operands[0])
    return compares(condition.operator, value, operands[0])


def _looked_at(
    schema: Schema, index: Index | None, ordered: list[Item], limit: int | None
) -> tuple[list[Item], bool]:
    """The items of one page, and whether Limit or 1 MB ended it; the item that crosses 1 MB belongs to it."""
    size = 0
    for count, item in enumerate(ordered, 1):
        size += _entry_size(schema, index, item)
        if count == limit or size >= PAGE_BYTES:
            return ordered[:count], True
    return ordered, False


def _entry_size(schema: Schema, index: Index | None, item: Item) -> int:
    return item_size(item if index is None else schema.projected(index, item))


def shown(schema: Schema, index: Index | None, item: Item, request: Query | Scan) -> Item:
    """What is answered of an item: what is asked for, or what the index projects."""
    if request.projection is not None:
        return project(item, request.projection)
    if index is None or request.select == "ALL_ATTRIBUTES":
        return item
    return schema.projected(index, item)


def consumed(schema: Schema, index: Index | None, seen: list[Item], request: Query | Scan) -> dict[str, Any]:
    """Of a page: what was looked at together, and each item that an index had to fetch from the table alone."""
    units = Consumed(schema.name)
    of_page = read_units(sum(_entry_size(schema, index, item) for item in seen), request.consistent)
    if index is None:
        units.units = of_page
    else:
        units.of_indexes[index.name] = of_page
        if fetches(schema, index, request):
            halves = sum(max(1, ceil(item_size(item) / READ_BYTES)) for item in seen)
            units.units = halves * (1.0 if request.consistent else 0.5)
    return units.members(request.capacity)


def fetches(schema: Schema, index: Index, request: Query | Scan) -> bool:
    """Whether something is asked for that the index does not project."""
    if index.projection == "ALL":
        return False
    read = {path[0] for path in request.projection or []} | names_of(request.filter)
    return request.select == "ALL_ATTRIBUTES" or not projects(schema, index, read)


def projects(schema: Schema, index: Index | None, names: set[str | int]) -> bool:
    return index is None or index.projection == "ALL" or names <= {*schema.names, index.sort, *index.included}


def names_of(condition: Condition | None) -> set[str | int]:
    """Top-level names that a condition looks at."""
    match condition:
        case None:
            return set()
        case And(parts) | Or(parts):
            return {name for part in parts for name in names_of(part)}
        case Not(part):
            return names_of(part)
        case Compare(_, left, right):
            return _names(left, right)
        case Between(operand, low, high):
            return _names(operand, low, high)
        case In(operand, choices):
            return _names(operand, *choices)
        case _:
            operands = [getattr(condition, name) for name in ("start", "part") if hasattr(condition, name)]
            return {condition.path[0]} | _names(*operands)


def _names(*operands: At | Size | Literal) -> set[str | int]:
    paths: list[Path] = [operand.path for operand in operands if not isinstance(operand, Literal)]
    return {path[0] for path in paths}
