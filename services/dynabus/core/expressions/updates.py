"""Update expressions. Right-hand sides and list indexes mean the old item, whatever else the expression does.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.documents import NoSuchParent, lookup, project, with_value, without
from dynabus.core.expressions.grammar import parse
from dynabus.core.expressions.operands import Binder, Bound, Evaluate
from dynabus.core.expressions.paths import check_paths
from dynabus.core.expressions.placeholders import BoundPath, Placeholders
from dynabus.core.expressions.syntax import Action, Arithmetic, Function, Operand
from dynabus.core.values import AttributeValue, Item, add_numbers, subtract_numbers

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


Change = Callable[[Item | None], tuple[BoundPath, AttributeValue | None]]
"""From the old item: which path gets which value (None: it goes)."""


class Update:
    """A bound update."""

    __slots__ = ("_changes", "_paths")

    def __init__(self, changes: list[Change], paths: list[BoundPath]) -> None:
        self._changes, self._paths = changes, paths

    def attribute_names(self) -> set[str]:
        """Top-level names of what is written."""
        return {str(path[0]) for path in self._paths}

    def apply(self, item: Item | None, key: Item) -> Updated:
        """The item after the update; one that did not exist begins with its key. Raises ApiError, changes nothing."""
        changes = [change(item) for change in self._changes]
        new = key if item is None else item
        try:
            for path, value in sorted((each for each in changes if each[1] is not None), key=_by_index):
                new = with_value(new, path, value)  # type: ignore[arg-type]  # those without value were left out
            # Indexes mean the old list, so later elements go first.
            for path, _ in sorted((each for each in changes if each[1] is None), key=_by_index, reverse=True):
                new = without(new, path)
        except NoSuchParent as error:
            raise validation_error(
                "The document path provided in the update expression is invalid for update"
            ) from error
        return Updated(new, project(item or {}, self._paths), project(new, self._paths))


def _by_index(change: tuple[BoundPath, Any]) -> tuple[tuple[int, str | int], ...]:
    return tuple((0, element) if element.__class__ is int else (1, element) for element in change[0])


def parse_update(text: str, placeholders: Placeholders) -> Update:
    """Parse, check and bind; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, KIND)
    sections: tuple[tuple[str, tuple[Action, ...]], ...] = parse(text, KIND)
    seen: set[str] = set()
    for clause, _ in sections:
        if clause in seen:
            raise binder.fault(f'The "{clause}" section can only be used once in an update expression;')
        seen.add(clause)
    actions = [action for _, listed in sections for action in listed]
    paths = [binder.path(action.path) for action in actions]
    changes = [_ACTIONS[action.clause](action, path, binder) for action, path in zip(actions, paths, strict=True)]
    check_paths(paths, binder)
    return Update(changes, paths)


# -- actions ------------------------------------------------------------------------------------------------------


def _set(action: Action, path: BoundPath, binder: Binder) -> Change:
    assert action.operand is not None
    value = _value(action.operand, binder).evaluate
    return lambda item: (path, _present(value(item)))


def _remove(action: Action, path: BoundPath, binder: Binder) -> Change:
    binder.count()
    return lambda _: (path, None)


def _add(action: Action, path: BoundPath, binder: Binder) -> Change:
    value = _literal(action, binder, ("N", *_SETS), "ADD")
    ((kind, content),) = value.items()

    def change(item: Item | None) -> tuple[BoundPath, AttributeValue]:
        old = lookup(item, path)
        if old is None:
            return path, value
        if kind not in old:
            raise _wrong_type()
        if kind == "N":
            return path, {"N": add_numbers(old["N"], content)}
        return path, {kind: [*old[kind], *(element for element in content if element not in old[kind])]}

    return change


def _delete(action: Action, path: BoundPath, binder: Binder) -> Change:
    value = _literal(action, binder, _SETS, "DELETE")
    ((kind, content),) = value.items()

    def change(item: Item | None) -> tuple[BoundPath, AttributeValue | None]:
        old = lookup(item, path)
        if old is None:
            return path, None
        if kind not in old:
            raise _wrong_type()
        left = [element for element in old[kind] if element not in content]
        return path, ({kind: left} if left else None)

    return change


def _literal(action: Action, binder: Binder, allowed: tuple[str, ...], clause: str) -> AttributeValue:
    binder.count()
    assert action.operand is not None
    bound = binder.operand(action.operand)
    assert bound.literal is not None
    if bound.type not in allowed:
        raise binder.fault(
            f"Incorrect operand type for operator or function; operator: {clause}, operand type: "
            f"{_LONG_NAMES[str(bound.type)]}, typeSet: ALLOWED_FOR_{clause}_OPERAND"
        )
    return bound.literal


_ACTIONS: dict[str, Callable[[Action, BoundPath, Binder], Change]] = {
    "SET": _set,
    "REMOVE": _remove,
    "ADD": _add,
    "DELETE": _delete,
}


# -- right-hand sides ---------------------------------------------------------------------------------------------


def _value(operand: Operand, binder: Binder) -> Bound:
    """What SET allows: paths, values, two functions, one plus or minus."""
    if isinstance(operand, Arithmetic):
        return _arithmetic(operand, binder)
    if isinstance(operand, Function):
        make = _FUNCTIONS.get(operand.name)
        if make is None:
            raise binder.misplaced(operand.name)
        binder.count()
        return make(operand, binder)
    return binder.operand(operand)


def _arithmetic(sum_: Arithmetic, binder: Binder) -> Bound:
    binder.count()
    left, right = _value(sum_.left, binder), _value(sum_.right, binder)
    for side in (left, right):
        binder.need_type(sum_.operator, side, ("N",))
    combine = add_numbers if sum_.operator == "+" else subtract_numbers

    def evaluate(item: Item | None) -> AttributeValue:
        one, two = _present(left.evaluate(item)), _present(right.evaluate(item))
        if "N" not in one or "N" not in two:
            raise _wrong_type()
        return {"N": combine(one["N"], two["N"])}

    return Bound(evaluate)


def _if_not_exists(function: Function, binder: Binder) -> Bound:
    _need_two(function, binder)
    first = _value(function.arguments[0], binder)
    path, other = binder.need_path(function, first), _value(function.arguments[1], binder).evaluate

    def evaluate(item: Item | None) -> AttributeValue | None:
        found = lookup(item, path)
        return found if found is not None else other(item)

    return Bound(evaluate)


def _list_append(function: Function, binder: Binder) -> Bound:
    _need_two(function, binder)
    first, second = (_value(argument, binder) for argument in function.arguments)
    for side in (first, second):
        binder.need_type(function.name, side, ("L",))
    return Bound(_appended(first.evaluate, second.evaluate))


def _appended(first: Evaluate, second: Evaluate) -> Evaluate:
    def evaluate(item: Item | None) -> AttributeValue:
        one, two = _present(first(item)), _present(second(item))
        if "L" not in one or "L" not in two:
            raise _wrong_type()
        return {"L": [*one["L"], *two["L"]]}

    return evaluate


def _need_two(function: Function, binder: Binder) -> None:
    if len(function.arguments) != 2:
        raise binder.fault(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {function.name}, number of operands: {len(function.arguments)}"
        )


_FUNCTIONS: dict[str, Callable[[Function, Binder], Bound]] = {
    "if_not_exists": _if_not_exists,
    "list_append": _list_append,
}


def _present(value: AttributeValue | None) -> AttributeValue:
    if value is None:
        raise validation_error("The provided expression refers to an attribute that does not exist in the item")
    return value


def _wrong_type() -> ApiError:
    return validation_error("An operand in the update expression has an incorrect data type")
