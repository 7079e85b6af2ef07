"""ExpressionAttributeNames and ExpressionAttributeValues of one request, and which of them were used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import serialization_error, validation_error
from dynabus.core.expressions.syntax import Path
from dynabus.core.values import AttributeValue, value_size

KEY_BYTES_MOST = 255
"""Of `#name` or `:name`. Source: AWS, ServiceQuotas, expression parameters."""

SUBSTITUTION_BYTES_MOST = 2 * 1024 * 1024
"""Of all names and values that placeholders stand for (not of `#x` and `:x` themselves). Source: as above."""

_NAME = re.compile(r"#[A-Za-z0-9_]+")
_VALUE = re.compile(r":[A-Za-z0-9_]+")

BoundPath = tuple[str | int, ...]
"""A path with its names resolved."""


class Placeholders:
    """Resolves `#x` and `:x`, notes each use. Values are in normal form. Raises ApiError on bad keys."""

    __slots__ = ("_used", "names", "values")

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, AttributeValue] | None) -> None:
        self.names: Mapping[str, str] = names if names is not None else {}
        self.values: Mapping[str, AttributeValue] = values if values is not None else {}
        self._used: set[str] = set()
        size = 0
        if names is not None:
            _check_keys(names, "ExpressionAttributeNames", _NAME)
            size += _size_of_names(names)
        if values is not None:
            _check_keys(values, "ExpressionAttributeValues", _VALUE)
            size += sum(map(value_size, values.values()))
        if size > SUBSTITUTION_BYTES_MOST:
            # Wording ours: what DynamoDB says is not known.
            raise validation_error(
                "Expression attribute names and values have exceeded the maximum allowed size; "
                f"size of names and values: {size}"
            )

    def path(self, path: Path, kind: str) -> BoundPath:
        """The path with its placeholders replaced. The check of the text saw to reserved words."""
        return tuple(
            [self._name(element, kind) if element.__class__ is str else element for element in path.elements]
        )

    def _name(self, element: Any, kind: str) -> str:
        if element[0] != "#":
            return element  # type: ignore[no-any-return]  # a name
        found = self.names.get(element)
        if found is None:
            raise validation_error(
                f"Invalid {kind}: An expression attribute name used in the document path is not defined; "
                f"attribute name: {element}"
            )
        self._used.add(element)
        return found

    def value(self, name: str, kind: str) -> AttributeValue:
        """The value of `:x`."""
        found = self.values.get(name)
        if found is None:
            raise validation_error(
                f"Invalid {kind}: An expression attribute value used in expression is not defined; "
                f"attribute value: {name}"
            )
        self._used.add(name)
        return found

    def check_all_used(self) -> None:
        """Whatever was given must be used by some expression of the request; names are looked at first."""
        for member, given in (("Names", self.names), ("Values", self.values)):
            unused = [name for name in given if name not in self._used]
            if unused:
                raise validation_error(
                    f"Value provided in ExpressionAttribute{member} unused in expressions: keys: "
                    f"{{{', '.join(unused)}}}"
                )


def _check_keys(given: Mapping[str, Any], member: str, form: re.Pattern[str]) -> None:
    if not given:
        raise validation_error(f"{member} must not be empty")
    for key in given:
        size = len(key) if key.isascii() else len(key.encode("utf-8", "surrogatepass"))
        if size > KEY_BYTES_MOST:
            # Only of a name's key does DynamoDB tell the size.
            tail = f" size of key: {size}" if form is _NAME else ""
            raise validation_error(
                f"{member} contains invalid key: The expression attribute map contains a key that is too long;{tail}"
            )
        if not form.fullmatch(key):
            raise validation_error(f'{member} contains invalid key: Syntax error; key: "{key}"')


def _size_of_names(names: Mapping[str, Any]) -> int:
    size = 0
    for key, name in names.items():
        if name.__class__ is not str:
            raise serialization_error("Unexpected value type in payload")
        if not name:
            raise validation_error(
                f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}"
            )
        size += len(name) if name.isascii() else len(name.encode("utf-8", "surrogatepass"))
    return size
