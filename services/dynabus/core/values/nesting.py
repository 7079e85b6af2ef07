"""The limit on nesting: an item's attributes are level 1, what is in a list or map is a level further down."""

from __future__ import annotations

from typing import Any

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.limits import MAX_NESTING

_TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


def too_deep() -> ApiError:
    """The ValidationException for an item that nests deeper than 32 levels."""
    return validation_error(_TOO_DEEP)


def check_nesting(value: dict[str, Any], level: int) -> None:
    """Raise `too_deep` if a value that stands at this level nests too deep; an empty container is no level more.

    Goes no further down than the limit, and looks at nothing where the value is no list or map.
    """
    children = value.get("L")
    if children is None:
        members = value.get("M")
        if members is None:
            return
        children = members.values()
    if not children:
        return
    if level >= MAX_NESTING:
        raise too_deep()
    level += 1
    for child in children:
        if "L" in child or "M" in child:
            check_nesting(child, level)
