"""Made-up placeholders for the names and values of legacy parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import validation_error
from dynabus.core.values import AttributeValue

_EXPRESSIONS = ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")


class Substitutions:
    """Hands out `#0`, `#1`, … and `:0`, `:1`, …, and collects what they stand for.

    KeyConditions may stand beside a FilterExpression or ProjectionExpression. A placeholder that occurs in those, or
    among those that the request defines, is not handed out: nothing of the request changes its meaning.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names: dict[str, str] | None = request.get("ExpressionAttributeNames")
        self._values: dict[str, AttributeValue] | None = request.get("ExpressionAttributeValues")
        texts = [request.get(kind, "") for kind in _EXPRESSIONS]
        self._taken = " ".join([*texts, *(self._names or ()), *(self._values or ())])
        self._next = {"#": 0, ":": 0}
        self._added_names: dict[str, str] = {}
        self._added_values: dict[str, AttributeValue] = {}

    def name(self, attribute: str) -> str:
        """A placeholder for the name of a top-level attribute, whatever characters are in it."""
        if not attribute:
            raise validation_error("Empty attribute name")  # as for an item's attribute; wording ours in this place
        placeholder = self._placeholder("#")
        self._added_names[placeholder] = attribute
        return placeholder

    def value(self, value: AttributeValue) -> str:
        """A placeholder for a value in normal form."""
        placeholder = self._placeholder(":")
        self._added_values[placeholder] = value
        return placeholder

    def _placeholder(self, sign: str) -> str:
        number = self._next[sign]
        while self._taken and f"{sign}{number}" in self._taken:
            number += 1
        self._next[sign] = number + 1
        return f"{sign}{number}"

    def members(self) -> dict[str, Any]:
        """ExpressionAttributeNames and -Values of the request with expressions.

        An empty map that the request brought stays empty: it is refused as ever.
        """
        members: dict[str, Any] = {}
        if self._added_names and self._names != {}:
            members["ExpressionAttributeNames"] = {**(self._names or {}), **self._added_names}
        if self._added_values and self._values != {}:
            members["ExpressionAttributeValues"] = {**(self._values or {}), **self._added_values}
        return members
