"""AttributeUpdates: PUT, ADD and DELETE on top-level attributes.

ADD appends to a list, which ADD in an expression cannot; list_append says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import ApiError, invalid_parameter, validation_error
from dynabus.core.legacy.substitutions import Substitutions
from dynabus.core.values import AttributeValue, normalise_value

_SETS = ("SS", "NS", "BS")
_ADDED = ("N", "L", *_SETS)
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


def updates_text(updates: Mapping[str, Any], request: Mapping[str, Any], substitutions: Substitutions) -> str:
    """UpdateExpression; empty if there are no updates."""
    sections: dict[str, list[str]] = {clause: [] for clause in _CLAUSES}
    for name, update in updates.items():
        action = update.get("Action", "PUT")
        value = normalise_value(update["Value"]) if "Value" in update else None
        _check(action, value)
        clause, text = _action(action, substitutions.name(name), value, substitutions)
        sections[clause].append(text)
    return " ".join(f"{clause} {','.join(texts)}" for clause, texts in sections.items() if texts)


def _check(action: str, value: AttributeValue | None) -> None:
    """Messages and order: dynalite, test/updateItem."""
    if value is None:
        if action != "DELETE":
            raise invalid_parameter("Only DELETE action is allowed when no attribute value is specified")
        return
    kind = next(iter(value))
    if action == "DELETE" and kind not in _SETS:
        raise invalid_parameter(f"DELETE action with value is not supported for the type {kind}")
    if action == "ADD" and kind not in _ADDED:
        raise invalid_parameter(f"ADD action is not supported for the type {kind}")


def _action(action: str, name: str, value: AttributeValue | None, substitutions: Substitutions) -> tuple[str, str]:
    """Its clause, and its text there."""
    if value is None:
        return "REMOVE", name
    placeholder = substitutions.value(value)
    if action == "PUT":
        return "SET", f"{name}={placeholder}"
    if "L" in value:
        empty = substitutions.value({"L": []})
        return "SET", f"{name}=list_append(if_not_exists({name},{empty}),{placeholder})"
    return action, f"{name} {placeholder}"


def in_legacy_words(error: ApiError) -> ApiError:
    """What an update's evaluation raised, as AttributeUpdates words it. Message: dynalite, actions/updateItem."""
    if error.message == "An operand in the update expression has an incorrect data type":
        return validation_error("Type mismatch for attribute to update")
    return error
