"""Conditions and filters: bound into functions from item to bool.

A comparison with an attribute that is not there, or of another type, is false; only `<>` is true then.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from dynabus.core.expressions.documents import lookup, shown
from dynabus.core.expressions.grammar import parse
from dynabus.core.expressions.operands import Binder, Bound
from dynabus.core.expressions.placeholders import Placeholders
from dynabus.core.expressions.syntax import Between, Comparison, Function, Grouped, In, Logical, Negation, Test
from dynabus.core.values import AttributeValue, Item, compare, equal

CHOICES_MOST = 100
"""Operands of IN. Source: AWS, ServiceQuotas."""

ORDERED_TYPES = ("S", "N", "B")

TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")

Matches = Callable[[Item | None], bool]


class Condition:
    """A bound condition."""

    __slots__ = ("_names", "matches")

    def __init__(self, matches: Matches, names: set[str]) -> None:
        self.matches = matches
        """Whether an item (None: there is none) satisfies it."""
        self._names = names

    def paths(self) -> set[str]:
        """Top-level attribute names that occur in it."""
        return self._names


def parse_condition(text: str, placeholders: Placeholders, kind: str = "ConditionExpression") -> Condition:
    """Parse, check and bind; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, kind)
    tree: Test = parse(text, kind)
    if isinstance(tree, Grouped) and isinstance(tree.part, Grouped):
        raise binder.fault("The expression has redundant parentheses;")
    return Condition(_test(tree, binder), binder.names)


def _test(test: Test, binder: Binder) -> Matches:
    if isinstance(test, Grouped):
        if isinstance(test.part, Grouped):
            raise binder.fault("The expression has redundant parentheses;")
        return _test(test.part, binder)
    binder.count()
    if isinstance(test, Comparison):
        return _comparison(test, binder)
    if isinstance(test, Function):
        return _function(test, binder)
    if isinstance(test, Logical):
        return _logical(test, binder)
    if isinstance(test, Negation):
        part = _test(test.part, binder)
        return lambda item: not part(item)
    return _between(test, binder) if isinstance(test, Between) else _in(test, binder)


def _logical(test: Logical, binder: Binder) -> Matches:
    parts = [_test(part, binder) for part in test.parts]
    if test.operator == "AND":
        return lambda item: all(part(item) for part in parts)
    return lambda item: any(part(item) for part in parts)


_ORDER: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _comparison(test: Comparison, binder: Binder) -> Matches:
    operator = test.operator
    left, right = binder.operand(test.left), binder.operand(test.right)
    _need_distinct(operator, left, [right], binder)
    if operator in ("=", "<>"):
        wanted = operator == "="
        return lambda item: _equal(left.evaluate(item), right.evaluate(item)) is wanted
    for side in (left, right):
        binder.need_type(operator, side, ORDERED_TYPES)
    holds = _ORDER[operator]

    def matches(item: Item | None) -> bool:
        order = _order(left.evaluate(item), right.evaluate(item))
        return order is not None and holds(order)

    return matches


def _need_distinct(operator: str, first: Bound, others: list[Bound], binder: Binder) -> None:
    if first.path is not None and any(other.path == first.path for other in others):
        raise binder.fault(
            "The first operand must be distinct from the remaining operands for this operator or function; "
            f"operator: {operator}, first operand: {shown(first.path)}"
        )


def _equal(left: AttributeValue | None, right: AttributeValue | None) -> bool:
    return left is not None and right is not None and equal(left, right)


def _order(left: AttributeValue | None, right: AttributeValue | None) -> int | None:
    if left is None or right is None:
        return None
    kind = next(iter(left))
    return compare(left, right) if kind in right and kind in ORDERED_TYPES else None


def _between(test: Between, binder: Binder) -> Matches:
    operand, low, high = (binder.operand(each) for each in (test.operand, test.low, test.high))
    for side in (operand, low, high):
        binder.need_type("BETWEEN", side, ORDERED_TYPES)
    _need_distinct("BETWEEN", operand, [low, high], binder)
    if low.literal is not None and high.literal is not None:
        _check_bounds(low.literal, high.literal, binder)

    def matches(item: Item | None) -> bool:
        value = operand.evaluate(item)
        above, below = _order(value, low.evaluate(item)), _order(value, high.evaluate(item))
        return above is not None and below is not None and above >= 0 and below <= 0

    return matches


def _check_bounds(low: AttributeValue, high: AttributeValue, binder: Binder) -> None:
    bounds = f"lower bound operand: {_shown_value(low)}, upper bound operand: {_shown_value(high)}"
    order = _order(low, high)
    if order is None:
        raise binder.fault(f"The BETWEEN operator requires same data type for lower and upper bounds; {bounds}")
    if order > 0:
        raise binder.fault(
            f"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {bounds}"
        )


def _shown_value(value: AttributeValue) -> str:
    ((kind, content),) = value.items()
    return f"AttributeValue: {{{kind}:{content}}}"


def _in(test: In, binder: Binder) -> Matches:
    if len(test.choices) > CHOICES_MOST:
        raise binder.fault(
            "Incorrect number of operands for operator or function; "
            f"operator or function: IN, number of operands: {len(test.choices) + 1}"
        )
    operand = binder.operand(test.operand)
    choices = [binder.operand(choice) for choice in test.choices]
    _need_distinct("IN", operand, choices, binder)

    def matches(item: Item | None) -> bool:
        value = operand.evaluate(item)
        return any(_equal(value, choice.evaluate(item)) for choice in choices)

    return matches


# -- functions ----------------------------------------------------------------------------------------------------


def _function(function: Function, binder: Binder) -> Matches:
    make = _FUNCTIONS.get(function.name)
    if make is None:
        raise binder.misplaced(function.name)
    return make(function, binder)


def _attribute_exists(function: Function, binder: Binder) -> Matches:
    (argument,) = binder.arguments(function, 1)
    path = binder.need_path(function, argument)
    return lambda item: lookup(item, path) is not None


def _attribute_not_exists(function: Function, binder: Binder) -> Matches:
    exists = _attribute_exists(function, binder)
    return lambda item: not exists(item)


def _attribute_type(function: Function, binder: Binder) -> Matches:
    argument, wanted = binder.arguments(function, 2)
    path = binder.need_path(function, argument)
    binder.need_type(function.name, wanted, ("S",))
    name = wanted.literal["S"] if wanted.literal is not None else None
    if name is not None and name not in TYPES:
        raise binder.fault(f"Invalid attribute type name found; type: {name}, valid types: {{{','.join(TYPES)}}}")

    def matches(item: Item | None) -> bool:
        value, kind = lookup(item, path), wanted.evaluate(item)
        return value is not None and kind is not None and kind.get("S") in value

    return matches


def _begins_with(function: Function, binder: Binder) -> Matches:
    argument, prefix = binder.arguments(function, 2)
    for side in (argument, prefix):
        binder.need_type(function.name, side, ("S", "B"))
    _need_distinct(function.name, argument, [prefix], binder)

    def matches(item: Item | None) -> bool:
        value, start = argument.evaluate(item), prefix.evaluate(item)
        if value is None or start is None:
            return False
        if "S" in value and "S" in start:
            return bool(value["S"].startswith(start["S"]))
        return "B" in value and "B" in start and b64decode(value["B"]).startswith(b64decode(start["B"]))

    return matches


_SET_OF = {"S": "SS", "N": "NS", "B": "BS"}


def _contains(function: Function, binder: Binder) -> Matches:
    argument, part = binder.arguments(function, 2)
    _need_distinct(function.name, argument, [part], binder)
    return lambda item: _holds(argument.evaluate(item), part.evaluate(item))


def _holds(value: AttributeValue | None, part: AttributeValue | None) -> bool:
    if value is None or part is None:
        return False
    ((kind, content),) = part.items()
    if "L" in value:
        return any(equal(element, part) for element in value["L"])
    if _SET_OF.get(kind) in value:
        return content in value[_SET_OF[kind]]
    if kind == "S" and "S" in value:
        return content in value["S"]
    return kind == "B" and "B" in value and b64decode(content) in b64decode(value["B"])


_FUNCTIONS: dict[str, Callable[[Function, Binder], Matches]] = {
    "attribute_exists": _attribute_exists,
    "attribute_not_exists": _attribute_not_exists,
    "attribute_type": _attribute_type,
    "begins_with": _begins_with,
    "contains": _contains,
}
