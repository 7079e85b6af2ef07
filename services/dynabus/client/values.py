"""Attribute values as Python's, both ways.

| DynamoDB | Python          | DynamoDB | Python     |
|----------|-----------------|----------|------------|
| S        | str             | L        | list       |
| N        | decimal.Decimal | M        | dict       |
| B        | bytes           | SS       | set[str]   |
| BOOL     | bool            | NS       | set[Decimal] |
| NULL     | None            | BS       | set[bytes] |

The same types as boto3's resources give, but for B, which is bytes there only inside of a wrapper. What is written
may be int for N, any other bytes-like object for B, tuple for L, any mapping for M, and frozenset.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
"""Attributes by name, as Python values."""


def item_of(image: Mapping[str, Any]) -> Item:
    """An item in DynamoDB's JSON as Python values."""
    return {name: value_of(each) for name, each in image.items()}


def value_of(value: Mapping[str, Any]) -> Any:
    """One attribute value."""
    [(kind, content)] = value.items()
    return _READERS[kind](content)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": Decimal,
    "B": b64decode,
    "BOOL": bool,
    "NULL": lambda _: None,
    "L": lambda content: [value_of(each) for each in content],
    "M": item_of,
    "SS": set,
    "NS": lambda content: {Decimal(each) for each in content},
    "BS": lambda content: {b64decode(each) for each in content},
}


def image_of(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """An item in DynamoDB's JSON. Raises TypeError for what DynamoDB has no type for, and for names that are none.

    What DynamoDB refuses of a value (38 digits, empty sets …) is not refused here: its own words say it.
    """
    for name in item:
        if not isinstance(name, str):
            raise TypeError(f"an attribute's name is a str, not {name!r}")
    return {name: _written(each) for name, each in item.items()}


def _written(value: Any) -> dict[str, Any]:
    for types, write in _WRITERS:
        if isinstance(value, types):
            return write(value)
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a binary fraction, which DynamoDB has not; pass decimal.Decimal or int")
    raise TypeError(f"DynamoDB has no type for {type(value).__name__} ({value!r})")


def _set(values: Collection[Any]) -> dict[str, Any]:
    """Of one type; an empty one is sent as a set of strings, and refused."""
    written = [_written(each) for each in values]
    kinds = {next(iter(each)) for each in written} or {"S"}
    if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
        raise TypeError("a set has strings, or numbers, or bytes, and nothing else")
    [kind] = kinds
    return {f"{kind}S": [each[kind] for each in written]}


_WRITERS: tuple[tuple[Any, Callable[[Any], dict[str, Any]]], ...] = (
    (str, lambda value: {"S": value}),
    (bool, lambda value: {"BOOL": value}),
    ((int, Decimal), lambda value: {"N": str(value)}),
    (type(None), lambda _: {"NULL": True}),
    (Mapping, lambda value: {"M": image_of(value)}),
    ((list, tuple), lambda value: {"L": [_written(each) for each in value]}),
    ((bytes, bytearray, memoryview), lambda value: {"B": b64encode(value).decode()}),
    ((set, frozenset), _set),
)
"""In this order: bool is an int in Python."""


def as_it_is(item: Item) -> Item:
    """What `parse` makes of an item where nobody wants anything else."""
    return item
