"""ExpressionAttributeNames and ExpressionAttributeValues of one request, and which of them were used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import serialization_error, validation_error
from dynabus.core.expressions.reserved import RESERVED
from dynabus.core.expressions.syntax import Path
from dynabus.core.values import AttributeValue

KEY_BYTES_MOST = 255
SUBSTITUTION_BYTES_MOST = 2 * 1024 * 1024
_NAME = re.compile(r"#[A-Za-z0-9_]+\Z")
_VALUE = re.compile(r":[A-Za-z0-9_]+\Z")

BoundPath = tuple[str | int, ...]
"""A path with its names resolved."""


class Placeholders:
    """Resolves `#x` and `:x`, notes each use. Values are in normal form. Raises ApiError on bad keys."""

    __slots__ = ("_used", "names", "values")

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, AttributeValue] | None) -> None:
        self.names: Mapping[str, str] = names if names is not None else {}
        self.values: Mapping[str, AttributeValue] = values if values is not None else {}
        self._used: set[str] = set()
        if names is not None:
            _check_keys(names, "ExpressionAttributeNames", _NAME)
            for name in names.values():
                if name.__class__ is not str:
                    raise serialization_error("Unexpected value type in payload")
        if values is not None:
            _check_keys(values, "ExpressionAttributeValues", _VALUE)

    def path(self, path: Path, kind: str) -> BoundPath:
        """The path with its placeholders replaced; reserved words may stand in it only as placeholders."""
        return tuple(
            element if element.__class__ is int else self._name(str(element), kind) for element in path.elements
        )

    def _name(self, element: str, kind: str) -> str:
        if element[0] == "#":
            found = self.names.get(element)
            if found is None:
                raise validation_error(
                    f"Invalid {kind}: An expression attribute name used in the document path is not defined; "
                    f"attribute name: {element}"
                )
            self._used.add(element)
            return found
        if element.upper() in RESERVED:
            raise validation_error(
                f"Invalid {kind}: Attribute name is a reserved keyword; reserved keyword: {element}"
            )
        return element

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
        """Whatever was given must be used by some expression of the request."""
        for member, given in (("Values", self.values), ("Names", self.names)):
            unused = [name for name in given if name not in self._used]
            if unused:
                raise validation_error(
                    f"Value provided in ExpressionAttribute{member} unused in expressions: keys: "
                    f"{{{', '.join(unused)}}}"
                )


def _check_keys(given: Mapping[str, Any], member: str, form: re.Pattern[str]) -> None:
    if not given:
        raise validation_error(f"{member} must not be empty")
    for name in given:
        if not form.match(name):
            raise validation_error(f'{member} contains invalid key: Syntax error; key: "{name}"')
        if len(name) > KEY_BYTES_MOST:
            raise validation_error(f'{member} contains invalid key: Key is too long; key: "{name[:64]}"')
