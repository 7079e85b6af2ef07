"""Conditions and filters: bound into functions from item to bool.

A comparison with an attribute that is not there, or of another type, is false; only `<>` is true then.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from dynabus.core.expressions.operands import Binder, Bound
from dynabus.core.expressions.parsing import parse
from dynabus.core.expressions.placeholders import Placeholders
from dynabus.core.expressions.syntax import Between, Comparison, Function, In, Logical, Negation, Test
from dynabus.core.values import AttributeValue, Item, compare, equal

ORDERED_TYPES = ("S", "N", "B")

TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")
"""In the order in which DynamoDB's message lists them."""

_ANY_TYPE = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
"""How DynamoDB shows the type of an operand of which it knows none."""

Matches = Callable[[Item | None], bool]


class Condition:
    """A bound condition."""

    __slots__ = ("_names", "matches", "nested")

    def __init__(self, matches: Matches, names: set[str], nested: set[str]) -> None:
        self.matches = matches
        """Whether an item (None: there is none) satisfies it."""
        self._names = names
        self.nested = nested
        """Those of `paths` whose elements or members it looks at."""

    def paths(self) -> set[str]:
        """Top-level attribute names that occur in it."""
        return self._names


def parse_condition(text: str, placeholders: Placeholders, kind: str = "ConditionExpression") -> Condition:
    """Parse, check and bind; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, kind)
    return Condition(_test(parse(text, kind), binder), binder.names, binder.nested)


def _test(test: Test, binder: Binder) -> Matches:
    return _TESTS[test.__class__](test, binder)


def _negation(test: Negation, binder: Binder) -> Matches:
    part = _test(test.part, binder)
    return lambda item: not part(item)


def _logical(test: Logical, binder: Binder) -> Matches:
    parts = []
    for part in test.parts:
        parts.append(_test(part, binder))  # noqa: PERF401  # a comprehension is one more frame in each nested level
    stop = test.operator == "OR"

    def matches(item: Item | None) -> bool:
        for part in parts:
            if part(item) is stop:
                return stop
        return not stop

    return matches


_ORDER: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _comparison(test: Comparison, binder: Binder) -> Matches:
    operator = test.operator
    left, right = binder.operand(test.left), binder.operand(test.right)
    binder.need_distinct(operator, left, right)
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


def _equal(left: AttributeValue | None, right: AttributeValue | None) -> bool:
    return left is not None and right is not None and equal(left, right)


def _order(left: AttributeValue | None, right: AttributeValue | None) -> int | None:
    if left is None or right is None:
        return None
    kind = next(iter(left))
    return compare(left, right) if kind in right and kind in ORDERED_TYPES else None


def _between(test: Between, binder: Binder) -> Matches:
    operand, low, high = (binder.operand(each) for each in (test.operand, test.low, test.high))
    binder.need_distinct("BETWEEN", operand, low, high)
    for side in (operand, low, high):
        binder.need_type("BETWEEN", side, ORDERED_TYPES)
    check_bounds(low, high, binder)

    def matches(item: Item | None) -> bool:
        value = operand.evaluate(item)
        above, below = _order(value, low.evaluate(item)), _order(value, high.evaluate(item))
        return above is not None and below is not None and above >= 0 and below <= 0

    return matches


def check_bounds(low: Bound, high: Bound, binder: Binder) -> None:
    """Refuse bounds of BETWEEN that are values of different types, or the wrong way round."""
    if low.literal is None or high.literal is None:
        return
    bounds = f"lower bound operand: {_shown_value(low.literal)}, upper bound operand: {_shown_value(high.literal)}"
    order = _order(low.literal, high.literal)
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
    operand = binder.operand(test.operand)
    choices = [binder.operand(choice) for choice in test.choices]
    binder.need_distinct("IN", operand, *choices)

    def matches(item: Item | None) -> bool:
        value = operand.evaluate(item)
        return any(_equal(value, choice.evaluate(item)) for choice in choices)

    return matches


# -- functions ----------------------------------------------------------------------------------------------------


def _function(function: Function, binder: Binder) -> Matches:
    """The check of the text saw to names, places and numbers of operands."""
    return _FUNCTIONS[function.name](*(binder.operand(argument) for argument in function.arguments), binder)


def _attribute_exists(argument: Bound, binder: Binder) -> Matches:
    binder.need_path("attribute_exists", argument)
    evaluate = argument.evaluate
    return lambda item: evaluate(item) is not None


def _attribute_not_exists(argument: Bound, binder: Binder) -> Matches:
    binder.need_path("attribute_not_exists", argument)
    evaluate = argument.evaluate
    return lambda item: evaluate(item) is None


def _attribute_type(argument: Bound, wanted: Bound, binder: Binder) -> Matches:
    """The documentation asks for a path; DynamoDB takes any operand, as Alternator's tests against it show."""
    if wanted.literal is None:
        raise binder.wrong_type("attribute_type", wanted.type or _ANY_TYPE)
    binder.need_type("attribute_type", wanted, ("S",))
    name = wanted.literal["S"]
    if name not in TYPES:
        raise binder.fault(f"Invalid attribute type name found; type: {name}, valid types: {{{','.join(TYPES)}}}")

    def matches(item: Item | None) -> bool:
        value = argument.evaluate(item)
        return value is not None and name in value

    return matches


def _begins_with(argument: Bound, prefix: Bound, binder: Binder) -> Matches:
    binder.need_distinct("begins_with", argument, prefix)
    for side in (argument, prefix):
        binder.need_type("begins_with", side, ("S", "B"))

    def matches(item: Item | None) -> bool:
        value, start = argument.evaluate(item), prefix.evaluate(item)
        if value is None or start is None:
            return False
        if "S" in value and "S" in start:
            return bool(value["S"].startswith(start["S"]))
        return "B" in value and "B" in start and b64decode(value["B"]).startswith(b64decode(start["B"]))

    return matches


_SET_OF = {"S": "SS", "N": "NS", "B": "BS"}


def _contains(argument: Bound, part: Bound, binder: Binder) -> Matches:
    binder.need_distinct("contains", argument, part)
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


_FUNCTIONS: dict[str, Callable[..., Matches]] = {
    "attribute_exists": _attribute_exists,
    "attribute_not_exists": _attribute_not_exists,
    "attribute_type": _attribute_type,
    "begins_with": _begins_with,
    "contains": _contains,
}

_TESTS: dict[type[Test], Callable[..., Matches]] = {
    Comparison: _comparison,
    Between: _between,
    In: _in,
    Function: _function,
    Logical: _logical,
    Negation: _negation,
}
