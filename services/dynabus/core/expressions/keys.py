"""Key conditions: one `=` on the partition key, and perhaps one condition on the sort key.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
"""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.grammar import parse
from dynabus.core.expressions.operands import Binder, Bound
from dynabus.core.expressions.placeholders import Placeholders
from dynabus.core.expressions.syntax import (
    Between,
    Comparison,
    Function,
    Grouped,
    In,
    Logical,
    Negation,
    Operand,
    Test,
)
from dynabus.core.values import AttributeValue

KIND = "KeyConditionExpression"
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class KeyCondition(NamedTuple):
    """`operator` is None without a condition on the sort key, else `= < <= > >= BETWEEN begins_with`."""

    hash_value: AttributeValue
    operator: str | None
    operands: list[AttributeValue]


class _One(NamedTuple):
    """A condition on one attribute."""

    name: str
    operator: str
    operands: list[AttributeValue]


def parse_key_condition(
    text: str, placeholders: Placeholders, hash_name: str, range_name: str | None
) -> KeyCondition:
    """Parse, check and bind for this key schema; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, KIND)
    ones = [_one(test, binder) for test in _conjuncts(parse(text, KIND), binder)]
    if len(ones) > 2:
        raise validation_error("Conditions can be of length 1 or 2 only")
    by_name = {one.name: one for one in ones}
    if len(by_name) < len(ones):
        raise validation_error("KeyConditionExpressions must only contain one condition per key")
    of_hash = by_name.pop(hash_name, None)
    if of_hash is None:
        raise _missed(hash_name)
    if of_hash.operator != "=":
        raise validation_error("Query key condition not supported")
    if not by_name:
        return KeyCondition(of_hash.operands[0], None, [])
    of_range = by_name.get(range_name) if range_name is not None else None
    if of_range is None:
        if range_name is None:
            raise validation_error("Query key condition not supported")
        raise _missed(range_name)
    return KeyCondition(of_hash.operands[0], of_range.operator, of_range.operands)


def _missed(name: str) -> ApiError:
    return validation_error(f"Query condition missed key schema element: {name}")


def _unsupported(operator: str) -> ApiError:
    return validation_error(f"Invalid operator used in KeyConditionExpression: {operator}")


def _conjuncts(test: Test, binder: Binder) -> list[Test]:
    if isinstance(test, Grouped):
        if isinstance(test.part, Grouped):
            raise binder.fault("The expression has redundant parentheses;")
        return _conjuncts(test.part, binder)
    if isinstance(test, Logical):
        if test.operator == "OR":
            raise _unsupported("OR")
        return [each for part in test.parts for each in _conjuncts(part, binder)]
    if isinstance(test, Negation):
        raise _unsupported("NOT")
    return [test]


def _one(test: Test, binder: Binder) -> _One:
    binder.count()
    if isinstance(test, Comparison):
        return _comparison(test, binder)
    if isinstance(test, Between):
        name = _name(binder.operand(test.operand), binder)
        return _One(name, "BETWEEN", [_literal(test.low, binder), _literal(test.high, binder)])
    if isinstance(test, In):
        raise _unsupported("IN")
    if not isinstance(test, Function) or test.name != "begins_with":
        raise _unsupported(test.name if isinstance(test, Function) else "NOT")
    path, prefix = binder.arguments(test, 2)
    binder.need_type("begins_with", prefix, ("S", "B"))
    return _One(_name(path, binder), "begins_with", [_need_literal(prefix, binder)])


def _comparison(test: Comparison, binder: Binder) -> _One:
    if test.operator == "<>":
        raise _unsupported("<>")
    left, right = binder.operand(test.left), binder.operand(test.right)
    if left.path is None and right.path is not None:
        return _One(_name(right, binder), _MIRRORED[test.operator], [_need_literal(left, binder)])
    return _One(_name(left, binder), test.operator, [_need_literal(right, binder)])


def _name(bound: Bound, binder: Binder) -> str:
    """Key attributes are top-level ones."""
    if bound.path is None or len(bound.path) > 1:
        raise binder.fault("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(bound.path[0])


def _literal(operand: Operand, binder: Binder) -> AttributeValue:
    return _need_literal(binder.operand(operand), binder)


def _need_literal(bound: Bound, binder: Binder) -> AttributeValue:
    if bound.literal is None:
        raise binder.fault("The expression must compare key attributes with values")
    return bound.literal
