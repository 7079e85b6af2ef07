"""Trees of update expressions, and what they do to an item.

All right-hand sides, and all list indexes, mean the item as it was before.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from tests.model.expressions import At, Literal, Path, lookup
from tests.model.refusals import invalid
from tests.model.values import EXACT, Item, Value, equal, kind_of, plain

WRONG_TYPE = "An operand in the update expression has an incorrect data type"
NOT_THERE = "The provided expression refers to an attribute that does not exist in the item"
NO_PARENT = "The document path provided in the update expression is invalid for update"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
DIGITS_MOST = 38


@dataclass(frozen=True)
class Sum:
    operator: str
    left: Source
    right: Source


@dataclass(frozen=True)
class IfNotExists:
    path: Path
    otherwise: Source


@dataclass(frozen=True)
class ListAppend:
    left: Source
    right: Source


Source: TypeAlias = At | Literal | Sum | IfNotExists | ListAppend


@dataclass(frozen=True)
class Set:
    path: Path
    source: Source


@dataclass(frozen=True)
class Remove:
    path: Path


@dataclass(frozen=True)
class Add:
    path: Path
    value: Value


@dataclass(frozen=True)
class Delete:
    path: Path
    value: Value


Action = Set | Remove | Add | Delete
Update = tuple[Action, ...]


def clash(one: Path, two: Path) -> bool:
    """Whether two paths may not stand in one update or projection: one leads through the other, or they take the
    same thing for a map and for a list."""
    for left, right in zip(one, two, strict=False):
        if isinstance(left, str) is not isinstance(right, str):
            return True
        if left != right:
            return False
    return True


def removes_only(update: Update) -> bool:
    return all(isinstance(action, Remove | Delete) for action in update)


def written_kind(action: Action) -> str | None:
    """The type of what an action writes, if it is seen without the item."""
    match action:
        case Set(_, Literal(value)) | Add(_, value):
            return kind_of(value)
        case Set(_, Sum()):
            return "N"
        case Set(_, ListAppend()):
            return "L"
        case _:
            return None


def updated(update: Update, item: Item, key: Item) -> Item:
    """The new item; `item` is empty if there was none. Raises Refusal.

    First what is set where something is, then what is appended to lists in the order of the indexes, then what is
    removed, from the back: so an index always finds what stood there before.
    """
    new: Item = deepcopy(item or key)
    values = {action.path: _value(action, item) for action in update}
    for path in values:
        if path[:-1] and not _can_hold(lookup(item or key, path[:-1]), path[-1]):
            raise invalid(NO_PARENT)
    there = [path for path in values if lookup(item, path) is not None]
    later = [path for path in values if lookup(item, path) is None]
    for path in there + sorted(later, key=_order):
        value = values[path]
        if value is not None:
            _put(new, path, value)
    for path in sorted(there, key=_order, reverse=True):
        if values[path] is None:
            _take(new, path)
    return new


def _can_hold(container: Value | None, step: str | int) -> bool:
    return container is not None and kind_of(container) == ("M" if isinstance(step, str) else "L")


def _order(path: Path) -> list[tuple[bool, str | int]]:
    return [(isinstance(step, str), step) for step in path]


def _put(item: Item, path: Path, value: Value) -> None:
    content, step = _content(item, path), path[-1]
    if isinstance(step, str) or step < len(content):
        content[step] = deepcopy(value)
    else:
        content.append(deepcopy(value))


def _take(item: Item, path: Path) -> None:
    del _content(item, path)[path[-1]]


def _content(item: Item, path: Path) -> Any:
    """The map or list in which a path ends."""
    parent = lookup(item, path[:-1])
    assert parent is not None
    return parent["M" if isinstance(path[-1], str) else "L"]


def _value(action: Action, item: Item) -> Value | None:
    """What stands at the action's path afterwards; None for nothing."""
    match action:
        case Set(_, source):
            return _sourced(source, item)
        case Remove():
            return None
        case Add(path, value):
            old = lookup(item, path)
            return value if old is None else _added(old, value)
        case Delete(path, value):
            old = lookup(item, path)
            return None if old is None else _deleted(old, value)


def _sourced(source: Source, item: Item) -> Value:
    match source:
        case Literal(value):
            return value
        case At(path):
            found = lookup(item, path)
            if found is None:
                raise invalid(NOT_THERE)
            return found
        case IfNotExists(path, otherwise):
            return lookup(item, path) or _sourced(otherwise, item)
        case Sum(operator, left, right):
            one, two = _sourced(left, item), _sourced(right, item)
            return _summed(one, two if operator == "+" else _negative(two))
        case ListAppend(left, right):
            one, two = _sourced(left, item), _sourced(right, item)
            if kind_of(one) != "L" or kind_of(two) != "L":
                raise invalid(WRONG_TYPE)
            return {"L": one["L"] + two["L"]}


def _negative(value: Value) -> Value:
    return {"N": plain(Decimal(value["N"]).copy_negate())} if kind_of(value) == "N" else value


def _summed(one: Value, two: Value) -> Value:
    if kind_of(one) != "N" or kind_of(two) != "N":
        raise invalid(WRONG_TYPE)
    total = EXACT.normalize(EXACT.add(Decimal(one["N"]), Decimal(two["N"])))
    if len(total.as_tuple().digits) > DIGITS_MOST or total.adjusted() > 125:
        raise invalid(OVERFLOW)
    if total and total.adjusted() < -130:
        raise invalid(UNDERFLOW)
    return {"N": plain(total)}


def _added(old: Value, value: Value) -> Value:
    if kind_of(old) != kind_of(value):
        raise invalid(WRONG_TYPE)
    kind = kind_of(value)
    if kind == "N":
        return _summed(old, value)
    return {kind: old[kind] + [each for each in value[kind] if not _member(each, kind, old)]}


def _deleted(old: Value, value: Value) -> Value | None:
    if kind_of(old) != kind_of(value):
        raise invalid(WRONG_TYPE)
    kind = kind_of(value)
    left = [each for each in old[kind] if not _member(each, kind, value)]
    return {kind: left} if left else None


def _member(member: str, kind: str, of: Value) -> bool:
    return any(equal({kind[0]: member}, {kind[0]: each}) for each in of[kind])
