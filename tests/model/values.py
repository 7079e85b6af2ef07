"""Attribute values as DynamoDB documents them, in the form in which they travel: `{"S": "x"}`, `{"N": "12"}`.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

from base64 import b64decode
from decimal import Context, Decimal
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]

EXACT = Context(prec=400)
"""Digits enough for any sum of two numbers of DynamoDB's range."""

SETS = ("SS", "NS", "BS")
ORDERED = ("S", "N", "B")


def kind_of(value: Value) -> str:
    """Its type: S, N, B, BOOL, NULL, SS, NS, BS, L or M."""
    return next(iter(value))


def plain(number: Decimal) -> str:
    """A number as it is answered: no exponent, no zeros that mean nothing."""
    text = format(EXACT.normalize(number), "f")
    return "0" if text in ("-0", "0") else text


def normal(value: Value) -> Value:
    """The value as it is answered, with the members of sets in an order of their own."""
    kind, content = kind_of(value), next(iter(value.values()))
    if kind == "N":
        return {"N": plain(Decimal(content))}
    if kind == "NS":
        return {"NS": sorted(plain(Decimal(member)) for member in content)}
    if kind in SETS:
        return {kind: sorted(content)}
    if kind == "L":
        return {"L": [normal(element) for element in content]}
    if kind == "M":
        return {"M": normal_item(content)}
    return {kind: content}


def normal_item(item: Item) -> Item:
    return {name: normal(value) for name, value in item.items()}


def equal(left: Value, right: Value) -> bool:
    return normal(left) == normal(right)


def rank(value: Value) -> Any:
    """Where a string (by UTF-8 bytes), a number or a binary value stands among those of its own type."""
    kind, content = kind_of(value), next(iter(value.values()))
    if kind == "S":
        return content.encode()
    return Decimal(content) if kind == "N" else b64decode(content)


def item_size(item: Item) -> int:
    """Bytes: the names in UTF-8 and the values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """Bytes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    kind, content = kind_of(value), next(iter(value.values()))
    if kind in SETS:
        return sum(value_size({kind[0]: member}) for member in content)
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(b64decode(content))
    if kind == "N":
        return number_size(Decimal(content))
    if kind == "L":
        return 3 + sum(1 + value_size(element) for element in content)
    if kind == "M":
        return 3 + len(content) + item_size(content)
    return 1


def number_size(number: Decimal) -> int:
    """Bytes. "Approximately 1 byte for each two significant digits, and 1" is all that AWS says.

    The digits before and behind the point are paired apart, and a minus sign counts 1: what Dynabus says that it
    does, worked out from the digits here.
    """
    if number == 0:
        return 1
    sign, digits, exponent = EXACT.normalize(number).as_tuple()
    assert isinstance(exponent, int)
    behind = min(len(digits), max(0, -exponent))
    before = len(digits) - behind
    return 1 + sign + (before + 1) // 2 + (behind + 1) // 2
