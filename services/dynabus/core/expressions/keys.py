"""Key conditions: one `=` on the partition key, and perhaps one condition on the sort key.

Two steps, because DynamoDB looks for the table in between: what needs no key schema (`key_conditions`), and whether
these are conditions on this key (`on_key`). The messages are DynamoDB's as dynalite's tests recorded them; that some
have no prefix is DynamoDB's too. Those of too many conditions and of two on one key are newer, from the tests of
paritysuite/dynamodb-conformance (error-messages/queryKeyConditionOperands, validation-ordering/queryKeyCondition).
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.conditions import ORDERED_TYPES, check_bounds
from dynabus.core.expressions.operands import Binder, Bound
from dynabus.core.expressions.parsing import parse
from dynabus.core.expressions.placeholders import Placeholders
from dynabus.core.expressions.syntax import Between, Comparison, Function, In, Logical, Negation, Operand, Test
from dynabus.core.values import AttributeValue

KIND = "KeyConditionExpression"
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INVALID = "Invalid condition in KeyConditionExpression: "


class KeyCondition(NamedTuple):
    """`operator` is None without a condition on the sort key, else `= < <= > >= BETWEEN begins_with`.

    Of a key of several attributes (`on_keys`): `more_hashes` are the other partition key attributes, `equal` the sort
    key attributes before the one that the operator is about.
    """

    hash_value: AttributeValue
    operator: str | None
    operands: list[AttributeValue]
    more_hashes: tuple[AttributeValue, ...] = ()
    equal: tuple[AttributeValue, ...] = ()


class OnAttribute(NamedTuple):
    """A condition on one attribute."""

    name: str
    operator: str
    operands: list[AttributeValue]


def parse_key_condition(
    text: str, placeholders: Placeholders, hash_name: str, range_name: str | None
) -> KeyCondition:
    """Parse, check and bind for this key schema; raises ApiError with DynamoDB's message."""
    return on_key(key_conditions(text, placeholders), hash_name, range_name)


def key_conditions(text: str, placeholders: Placeholders) -> dict[str, OnAttribute]:
    """The conditions by attribute, as far as the text and its placeholders say; raises ApiError."""
    return _by_name(_conjuncts(parse(text, KIND)), Binder(placeholders, KIND))


def on_key(by_name: dict[str, OnAttribute], hash_name: str, range_name: str | None) -> KeyCondition:
    """The same for this key schema; raises ApiError."""
    check_count(by_name, range_name)
    of_hash = by_name.get(hash_name)
    if of_hash is None:
        raise missed(hash_name)
    if len(by_name) > 1 and range_name is not None and range_name not in by_name:
        raise missed(range_name)
    if of_hash.operator != "=":
        raise not_supported()
    if range_name is None or len(by_name) == 1:
        return KeyCondition(of_hash.operands[0], None, [])
    return KeyCondition(of_hash.operands[0], by_name[range_name].operator, by_name[range_name].operands)


def on_keys(by_name: Mapping[str, OnAttribute], hashes: Sequence[str], ranges: Sequence[str]) -> KeyCondition:
    """Conditions on the key of a global secondary index of several attributes; raises ApiError.

    All partition key attributes by equality; sort key attributes from the left without gaps, all but the last by
    equality. That is documented (GSI.DesignPattern.MultiAttributeKeys.html); the words are those of other keys.
    """
    names = [*hashes, *ranges]
    if len(by_name) > len(names):
        raise _too_many(len(by_name), len(names))
    given = [name for name in ranges if name in by_name]
    wanted = [*hashes, *ranges[: max((ranges.index(name) + 1 for name in given), default=0)]]
    for name in wanted if by_name.keys() <= set(names) else names:
        if name not in by_name:
            raise missed(name)
    if any(by_name[name].operator != "=" for name in (*hashes, *given[:-1])):
        raise not_supported()
    first, *more = (by_name[name].operands[0] for name in hashes)
    if not given:
        return KeyCondition(first, None, [], tuple(more))
    last = by_name[given[-1]]
    equal = tuple(by_name[name].operands[0] for name in given[:-1])
    return KeyCondition(first, last.operator, last.operands, tuple(more), equal)


def check_count(by_name: Mapping[str, object], range_name: str | None) -> None:
    """Refuse more conditions than there are key attributes."""
    keys = 1 if range_name is None else 2
    if len(by_name) > keys:
        raise _too_many(len(by_name), keys)


def _too_many(conditions: int, keys: int) -> ApiError:
    return validation_error(
        f"The number of query conditions ({conditions}) exceeds the number of key attributes defined in the "
        f"schema ({keys})"
    )


def missed(name: str) -> ApiError:
    """There is no condition on this attribute of the key."""
    return validation_error(f"Query condition missed key schema element: {name}")


def not_supported() -> ApiError:
    """What stands on the partition key is not `=`."""
    return validation_error("Query key condition not supported")


def _unsupported(operator: str) -> ApiError:
    return validation_error(f"Invalid operator used in KeyConditionExpression: {operator}")


def _conjuncts(test: Test) -> list[Test]:
    if isinstance(test, Negation):
        raise _unsupported("NOT")
    if not isinstance(test, Logical):
        return [test]
    if test.operator == "OR":
        raise _unsupported("OR")
    return [each for part in test.parts for each in _conjuncts(part)]


def _by_name(tests: list[Test], binder: Binder) -> dict[str, OnAttribute]:
    by_name: dict[str, OnAttribute] = {}
    for test in tests:
        one = _one(test, binder)
        if one.name in by_name:
            raise binder.fault("KeyConditionExpressions must only contain one condition per key")
        by_name[one.name] = one
    return by_name


def _one(test: Test, binder: Binder) -> OnAttribute:
    if isinstance(test, Comparison):
        return _comparison(test, binder)
    if isinstance(test, Between):
        return _between(test, binder)
    if isinstance(test, In):
        raise _unsupported("IN")
    assert isinstance(test, Function)  # _conjuncts took the rest apart
    if test.name != "begins_with":
        raise _unsupported(test.name)
    key, prefix = _bound(test.arguments, binder)
    binder.need_distinct("begins_with", key, prefix)
    for side in (key, prefix):
        binder.need_type("begins_with", side, ("S", "B"))
    return _condition("begins_with", key, prefix)


def _comparison(test: Comparison, binder: Binder) -> OnAttribute:
    if test.operator == "<>":
        raise _unsupported("<>")
    left, right = _bound((test.left, test.right), binder)
    binder.need_distinct(test.operator, left, right)
    if test.operator != "=":
        for side in (left, right):
            binder.need_type(test.operator, side, ORDERED_TYPES)
    if left.path is None and right.path is None:
        raise validation_error(f"{_INVALID}No key attribute specified")
    if left.path is None:
        return _condition(_MIRRORED[test.operator], right, left)
    return _condition(test.operator, left, right)


def _between(test: Between, binder: Binder) -> OnAttribute:
    key, low, high = _bound((test.operand, test.low, test.high), binder)
    binder.need_distinct("BETWEEN", key, low, high)
    for side in (key, low, high):
        binder.need_type("BETWEEN", side, ORDERED_TYPES)
    check_bounds(low, high, binder)
    return _condition("BETWEEN", key, low, high)


def _bound(operands: tuple[Operand, ...], binder: Binder) -> list[Bound]:
    if any(isinstance(operand, Function) for operand in operands):
        raise validation_error("KeyConditionExpressions cannot contain nested operations")
    return [binder.operand(operand) for operand in operands]


def _condition(operator: str, key: Bound, *values: Bound) -> OnAttribute:
    """Key attributes are top-level ones, and compared with values."""
    if key.path is None:
        raise validation_error(f"{_INVALID}{operator} operator must have the key attribute as its first operand")
    if any(value.path is not None and len(value.path) > 1 for value in (key, *values)):
        raise validation_error("KeyConditionExpressions cannot have conditions on nested attributes")
    literals = [value.literal for value in values if value.literal is not None]
    if len(literals) < len(values):
        raise validation_error(f"{_INVALID}Multiple attribute names used in one condition")
    return OnAttribute(str(key.path[0]), operator, literals)
