"""AttributesToGet: names of top-level attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import invalid_parameter, validation_error
from dynabus.core.legacy.substitutions import Substitutions


def projection_text(names: list[str], request: Mapping[str, Any], substitutions: Substitutions) -> str:
    """ProjectionExpression; each name may occur once. Message: dynalite, validations/getItem."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise invalid_parameter(f"Duplicate value in attribute name: {name}")
        seen.add(name)
    return ",".join([substitutions.name(name) for name in names])


def check_select_of_names(request: Mapping[str, Any]) -> None:
    """Select beside AttributesToGet. Messages: moto's tests that are verified against AWS."""
    shown = {"COUNT": "only the Count"}
    select = request.get("Select", "SPECIFIC_ATTRIBUTES")
    if select != "SPECIFIC_ATTRIBUTES":
        raise validation_error(f"Cannot specify the AttributesToGet when choosing to get {shown.get(select, select)}")
