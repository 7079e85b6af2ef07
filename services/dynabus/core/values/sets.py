"""Sets: the order of their members, and what is said of members that repeat.

DynamoDB answers a set in its own order, whatever it was sent in: SS and BS by bytes, NS by value.
Source: paritysuite/dynamodb-conformance, updateItem/basic (eu-west-2, 2026-10-09); that numbers ascend is ours.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dynabus.core.errors import ApiError
from dynabus.core.values.faults import ValueFault

_ORDER: dict[str, Callable[[str], Any] | None] = {"SS": None, "NS": Decimal, "BS": a2b_base64}
"""Python orders strings by code points, which is the order of their UTF-8."""

_INVALID = "One or more parameter values were invalid: "


def in_order(kind: str, members: list[str]) -> list[str]:
    """Members (in normal form) in DynamoDB's order; the same list if they are."""
    if len(members) == 1:
        return members
    ordered = sorted(members, key=_ORDER[kind])
    return members if ordered == members else ordered


def duplicates(kind: str, members: list[str]) -> ApiError:
    """The refusal of a set whose members repeat, as they were sent. Source: as `faults`."""
    if kind == "NS":
        return ValueFault(f"{_INVALID}Input collection contains duplicates.", "Input collection contains duplicates")
    separator, tail = (", ", " contains duplicates.") if kind == "SS" else (",", "of type BS contains duplicates.")
    quoted = separator.join(f'"{member}"' for member in _until_repeated(kind, members))
    return ValueFault(
        f"{_INVALID}Input collection [{quoted}]{tail}", f"{_INVALID}Input collection [{', '.join(members)}]{tail}"
    )


def _until_repeated(kind: str, members: list[str]) -> list[str]:
    """How the current layer lists them: those before the first repeat in order, the others as they were sent."""
    seen: set[str] = set()
    for number, member in enumerate(members):
        if member in seen:
            return in_order(kind, members[:number]) + members[number:]
        seen.add(member)
    return members
