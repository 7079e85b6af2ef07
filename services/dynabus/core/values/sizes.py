"""Sizes of items as DynamoDB counts them: for the 400 KB limit, for pages of 1 MB and for capacity units.

    what            bytes
    attribute name  UTF-8
    S               UTF-8
    N               `numbers.number_size`
    B               the decoded bytes
    BOOL, NULL      1
    SS, NS, BS      the sum of the members
    L, M            3, and for each element its size (in a map also its name's) and 1

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynabus.core.errors import validation_error
from dynabus.core.limits import MAX_ITEM_BYTES
from dynabus.core.values.numbers import number_size

_COLLECTION_BYTES = 3
_ELEMENT_BYTES = 1


def item_size(item: dict[str, dict[str, Any]]) -> int:
    """Bytes of a normalised item: its attributes' names and values."""
    size = 0
    for name, value in item.items():
        size += len(name) if name.isascii() else len(name.encode())
        for kind, content in value.items():
            if kind == "S":
                size += len(content) if content.isascii() else len(content.encode())
            else:
                size += _SIZES[kind](content)
    return size


def value_size(value: dict[str, Any]) -> int:
    """Bytes of one normalised attribute value."""
    [(kind, content)] = value.items()
    return _SIZES[kind](content)


def check_item_size(size: int, update: bool = False) -> None:
    """Raise the ValidationException for an item of more than 400 KB; UpdateItem words it otherwise."""
    if size > MAX_ITEM_BYTES:
        what = "Item size to update has" if update else "Item size has"
        raise validation_error(f"{what} exceeded the maximum allowed size")


def _string_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _binary_size(text: str) -> int:
    return len(text) // 4 * 3 - text.count("=", -2)


def _list_size(elements: list[dict[str, Any]]) -> int:
    return _COLLECTION_BYTES + sum(map(value_size, elements)) + _ELEMENT_BYTES * len(elements)


def _map_size(attributes: dict[str, dict[str, Any]]) -> int:
    return _COLLECTION_BYTES + item_size(attributes) + _ELEMENT_BYTES * len(attributes)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": _string_size,
    "N": number_size,
    "B": _binary_size,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda members: sum(map(_string_size, members)),
    "NS": lambda members: sum(map(number_size, members)),
    "BS": lambda members: sum(map(_binary_size, members)),
    "L": _list_size,
    "M": _map_size,
}
