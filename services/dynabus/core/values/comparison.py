"""Order and equality of normalised attribute values.

Only S, N and B have an order, and only among their own type: S by its UTF-8 bytes (which is the order of code
points), B by unsigned bytes, N by value. Equality is deep; sets are equal if their members are, in any order.
"""

from __future__ import annotations

from binascii import a2b_base64
from decimal import Decimal
from typing import Any

ORDERED_TYPES = frozenset(("S", "N", "B"))


def compare(left: dict[str, Any], right: dict[str, Any]) -> int:
    """Negative, zero or positive as left is before, equal to or after right: two S, two N or two B."""
    [(kind, a)] = left.items()
    b = right[kind]
    if kind == "N":
        a, b = Decimal(a), Decimal(b)
    elif kind == "B":
        a, b = a2b_base64(a), a2b_base64(b)
    return int(a > b) - int(a < b)


def equal(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two normalised values are equal; values of different types never are."""
    if left == right:
        return True
    [(kind, a)] = left.items()
    if kind not in right:
        return False
    b = right[kind]
    if len(kind) == 2:  # SS, NS, BS: normal form is unique, members do not repeat
        return len(a) == len(b) and set(a) == set(b)
    if kind == "L":
        return len(a) == len(b) and all(map(equal, a, b))
    if kind == "M":
        return a.keys() == b.keys() and all(equal(value, b[name]) for name, value in a.items())
    return False
