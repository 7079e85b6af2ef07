"""Update expressions. Right-hand sides and list indexes mean the old item, whatever else the expression does.

What an update answers for UPDATED_OLD and UPDATED_NEW is its paths looked up in the old and in the new item, and no
more than that. So in lists, as in DynamoDB: an element that was appended (`SET l[9] = :x` on three elements) is not
answered, since there is no `l[9]`; and after `REMOVE l[1]` the element that moved up to `l[1]` is.

What is not there has nothing to remove: an update that only removes does not create an item, and its paths may lead
nowhere then. Both as in DynamoDB (scylladb/scylladb issue 5862; its test of nested paths of a missing item).

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.documents import NoSuchParent, PathTree, lookup, project, rewritten
from dynabus.core.expressions.operands import Binder, Bound, Evaluate
from dynabus.core.expressions.parsing import parse
from dynabus.core.expressions.paths import path_tree
from dynabus.core.expressions.placeholders import BoundPath, Placeholders
from dynabus.core.expressions.syntax import Action, Arithmetic, Function, Operand, Section
from dynabus.core.limits import MAX_ITEM_BYTES
from dynabus.core.values import (
    AttributeValue,
    Item,
    add_numbers,
    check_item_size,
    check_nesting,
    in_order,
    item_size,
    subtract_numbers,
    value_size,
)

KIND = "UpdateExpression"
_SETS = ("SS", "NS", "BS")
_LONG_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}


class Updated(NamedTuple):
    """The whole new item, and the touched paths as they were before and are now."""

    item: Item
    old: Item
    new: Item


Change = Callable[[Item | None], AttributeValue | None]
"""From the old item: the new value at a path, or None if what is there goes."""


class Update:
    """A bound update."""

    __slots__ = ("_changes", "_cost", "_paths", "_tree", "nested", "removes_only", "types")

    def __init__(self, actions: list[_Bound], tree: PathTree, nested: set[str]) -> None:
        self._paths = [action.path for action in actions]
        self._changes = [action.change for action in actions]
        self._tree = tree
        self._cost = UPDATE_BYTES + sum(action.cost for action in actions)
        self.removes_only = all(action.removes for action in actions)
        """Whether there is nothing but REMOVE and DELETE: such an update creates no item."""
        self.nested = nested
        """Attributes of which it reads or writes elements or members."""
        self.types = {str(action.path[0]): action.type for action in actions if action.type and len(action.path) == 1}
        """Types of what is written to whole attributes, where they are known without an item."""

    def attribute_names(self) -> set[str]:
        """Top-level names of what is written."""
        return {str(path[0]) for path in self._paths}

    def size(self, item: Item, size: int) -> int:
        """What counts for the limit of 400 KB: the item's size, or that of what is written and of its actions.

        Source: paritysuite/dynamodb-conformance, limits/itemSizeBySurface (measured, eu-west-2, August 2026). That an
        element which is removed counts as a write of its attribute is ours.
        """
        if size + self._cost <= MAX_ITEM_BYTES:
            return size  # what is written is part of the item
        written = {name: item[name] for name in self.attribute_names() if name in item}
        return max(size, item_size(written) + self._cost)

    def apply(self, item: Item | None, key: Item) -> Updated:
        """The item after the update; one that did not exist begins with its key. Raises ApiError, changes nothing.

        Where there is no item and `removes_only`, there is none afterwards either.
        """
        if item is None and self.removes_only:
            return Updated(key, {}, {})
        values = [change(item) for change in self._changes]
        _check_copies(values)
        try:
            new = rewritten(key if item is None else item, self._tree, values)
        except NoSuchParent as error:
            raise validation_error(
                "The document path provided in the update expression is invalid for update"
            ) from error
        for path, value in zip(self._paths, values, strict=True):
            if value is not None:
                check_nesting(value, len(path))
        return Updated(new, project(item or {}, self._tree), project(new, self._tree))


def _check_copies(values: list[AttributeValue | None]) -> None:
    """Refuse an update that copies containers to more than an item holds, before anybody walks through all of them.

    The size of the item is checked afterwards in any case, but 400 copies of a list of 400 KB take seconds to add up.
    """
    containers = [value for value in values if value is not None and ("L" in value or "M" in value)]
    size = 0
    if len(containers) > 1:
        for container in containers:
            size += value_size(container)
            check_item_size(size, update=True)


def parse_update(text: str, placeholders: Placeholders) -> Update:
    """Parse, check and bind; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, KIND)
    sections: tuple[Section, ...] = parse(text, KIND)
    actions = [action for section in sections for action in section.actions]
    paths = [binder.path(action.path) for action in actions]
    tree = path_tree(paths, binder)
    bound = [_bound(action, path, binder) for action, path in zip(actions, paths, strict=True)]
    return Update(bound, tree, binder.nested)


class _Bound(NamedTuple):
    """One action: where, what it does, the type of what it writes if that is known, what it costs as a request."""

    path: BoundPath
    change: Change
    type: str | None
    cost: int
    removes: bool


UPDATE_BYTES = 3
"""An update counts these and those of each of its actions, for the limit of 400 KB. Source: `Update.size`."""

_WRITE_BYTES, _REMOVE_BYTES, _INDEX_BYTES = 19, 2, 1
"""Of SET and ADD, of REMOVE and DELETE, and one more of a path that ends in a list index."""


def _bound(action: Action, path: BoundPath, binder: Binder) -> _Bound:
    change, kind = _ACTIONS[action.clause](action, path, binder)
    removes = action.clause in ("REMOVE", "DELETE")
    cost = (_REMOVE_BYTES if removes else _WRITE_BYTES) + (path[-1].__class__ is int and not removes) * _INDEX_BYTES
    return _Bound(path, change, kind, cost, removes)


# -- actions ------------------------------------------------------------------------------------------------------


_Action = tuple[Change, str | None]


def _set(action: Action, path: BoundPath, binder: Binder) -> _Action:
    assert action.operand is not None
    value = _value(action.operand, binder)
    evaluate = value.evaluate
    return lambda item: _present(evaluate(item)), value.type


def _remove(action: Action, path: BoundPath, binder: Binder) -> _Action:
    return lambda _: None, None


def _add(action: Action, path: BoundPath, binder: Binder) -> _Action:
    value = _literal(action, binder, ("N", *_SETS), "ADD")
    ((kind, content),) = value.items()

    def change(item: Item | None) -> AttributeValue:
        old = lookup(item, path)
        if old is None:
            return value
        if kind not in old:
            raise _wrong_type()
        if kind == "N":
            return {"N": add_numbers(old["N"], content)}
        members = set(old[kind])
        return {kind: in_order(kind, [*old[kind], *(member for member in content if member not in members)])}

    return change, kind


def _delete(action: Action, path: BoundPath, binder: Binder) -> _Action:
    value = _literal(action, binder, _SETS, "DELETE")
    ((kind, content),) = value.items()
    members = set(content)

    def change(item: Item | None) -> AttributeValue | None:
        old = lookup(item, path)
        if old is None:
            return None
        if kind not in old:
            raise _wrong_type()
        left = [member for member in old[kind] if member not in members]
        return {kind: left} if left else None  # there is no empty set

    return change, kind


def _literal(action: Action, binder: Binder, allowed: tuple[str, ...], clause: str) -> AttributeValue:
    assert action.operand is not None
    bound = binder.operand(action.operand)
    assert bound.literal is not None
    if bound.type not in allowed:
        raise binder.fault(
            f"Incorrect operand type for operator or function; operator: {clause}, operand type: "
            f"{_LONG_NAMES[str(bound.type)]}, typeSet: ALLOWED_FOR_{clause}_OPERAND"
        )
    return bound.literal


_ACTIONS: dict[str, Callable[[Action, BoundPath, Binder], _Action]] = {
    "SET": _set,
    "REMOVE": _remove,
    "ADD": _add,
    "DELETE": _delete,
}


# -- right-hand sides ---------------------------------------------------------------------------------------------


def _value(operand: Operand, binder: Binder) -> Bound:
    """What SET allows: paths, values, two functions, one plus or minus. The check of the text admits nothing else."""
    if isinstance(operand, Arithmetic):
        return _arithmetic(operand, binder)
    if isinstance(operand, Function):
        first, second = operand.arguments
        return _FUNCTIONS[operand.name](_value(first, binder), _value(second, binder), binder)
    return binder.operand(operand)


def _arithmetic(sum_: Arithmetic, binder: Binder) -> Bound:
    left, right = _value(sum_.left, binder), _value(sum_.right, binder)
    for side in (left, right):
        binder.need_type(sum_.operator, side, ("N",))
    combine = add_numbers if sum_.operator == "+" else subtract_numbers

    def evaluate(item: Item | None) -> AttributeValue:
        one, two = _present(left.evaluate(item)), _present(right.evaluate(item))
        if "N" not in one or "N" not in two:
            raise _wrong_type()
        return {"N": combine(one["N"], two["N"])}

    return Bound(evaluate, "N")


def _if_not_exists(first: Bound, second: Bound, binder: Binder) -> Bound:
    path, other = binder.need_path("if_not_exists", first), second.evaluate
    binder.need_distinct("if_not_exists", first, second)

    def evaluate(item: Item | None) -> AttributeValue | None:
        found = lookup(item, path)
        return found if found is not None else other(item)

    return Bound(evaluate)


def _list_append(first: Bound, second: Bound, binder: Binder) -> Bound:
    for side in (first, second):
        binder.need_type("list_append", side, ("L",))
    return Bound(_appended(first.evaluate, second.evaluate), "L")


def _appended(first: Evaluate, second: Evaluate) -> Evaluate:
    def evaluate(item: Item | None) -> AttributeValue:
        one, two = _present(first(item)), _present(second(item))
        if "L" not in one or "L" not in two:
            raise _wrong_type()
        if len(one["L"]) + len(two["L"]) > MAX_ITEM_BYTES:  # an element counts at least one byte
            check_item_size(MAX_ITEM_BYTES + 1, update=True)  # now, not after a tower of appends has copied it over
        return {"L": [*one["L"], *two["L"]]}

    return evaluate


_FUNCTIONS: dict[str, Callable[[Bound, Bound, Binder], Bound]] = {
    "if_not_exists": _if_not_exists,
    "list_append": _list_append,
}


def _present(value: AttributeValue | None) -> AttributeValue:
    if value is None:
        raise validation_error("The provided expression refers to an attribute that does not exist in the item")
    return value


def _wrong_type() -> ApiError:
    return validation_error("An operand in the update expression has an incorrect data type")
