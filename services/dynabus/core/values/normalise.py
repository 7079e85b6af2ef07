"""Validation and normal form of attribute values that came in a request.

One pass over well-formed input checks and normalises at once; anything unusual about its JSON shape leaves the
fast path for `shape`. Normal form: numbers as `numbers` says, sets in DynamoDB's own order (`sets`), everything else
as it was sent.

Messages are DynamoDB's, with its spelling, in the wording of its current layer (`faults`). Some operations put
`1 validation error detected: ` or `ExpressionAttributeValues contains invalid value: ` around them; that is theirs to
add.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any

from dynabus.core.errors import ApiError, invalid_parameter, validation_error
from dynabus.core.limits import MAX_ATTRIBUTE_NAME_BYTES, MAX_NESTING
from dynabus.core.values.nesting import too_deep
from dynabus.core.values.numbers import normalise_number
from dynabus.core.values.sets import duplicates, in_order
from dynabus.core.values.shape import conform, conform_item

_EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)


class _Misshapen(Exception):
    """The JSON shape is not exactly one known member of the right type: let `shape` decide."""


def normalise_item(raw: Any) -> dict[str, dict[str, Any]]:
    """An item (or key, or expression attribute values) from its parsed JSON, validated and in normal form.

    Parts of `raw` that are in normal form already are used as they are, so `raw` must not be changed afterwards.
    Raises `ApiError`: SerializationException for a wrong JSON type, otherwise ValidationException. The item's
    size is not checked: see `sizes.check_item_size`.
    """
    try:
        return _attributes(raw, 1)
    except _Misshapen:
        return _attributes(conform_item(raw), 1)
    except ApiError:
        conform_item(raw)  # a wrong JSON type further on comes first
        raise


def normalise_value(raw: Any) -> dict[str, Any]:
    """One attribute value, under the rules of `normalise_item`."""
    try:
        return _value(raw, 1)
    except _Misshapen:
        return _value(conform(raw), 1)
    except ApiError:
        conform(raw)
        raise


def _attributes(raw: Any, level: int) -> dict[str, dict[str, Any]]:
    if raw.__class__ is not dict:
        raise _Misshapen
    normal = {}
    for name, value in raw.items():
        if not name or len(name) > MAX_ATTRIBUTE_NAME_BYTES // 4:
            _check_name(name)
        if value.__class__ is dict and len(value) == 1 and value.get("S").__class__ is str:
            normal[name] = value  # most attributes are strings: no call
        else:
            normal[name] = _value(value, level)
    return normal


def _check_name(name: str) -> None:
    if not name:
        raise validation_error("Empty attribute name")
    if len(name.encode()) > MAX_ATTRIBUTE_NAME_BYTES:
        raise validation_error("Attribute name is too large, must be less than 65536 bytes")


def _value(raw: Any, level: int) -> dict[str, Any]:
    if raw.__class__ is not dict:
        raise _Misshapen
    if len(raw) != 1:
        raise _not_exactly_one(raw, level)
    [(kind, value)] = raw.items()
    rule = _RULES.get(kind)
    if rule is None:
        raise _Misshapen
    normal = rule(value, level)
    return raw if normal is value else {kind: normal}


def _not_exactly_one(raw: dict[str, Any], level: int) -> Exception:
    """No member, or several: DynamoDB looks at each of them before it counts them."""
    if not raw:
        return validation_error(_EMPTY)
    for kind, value in raw.items():
        if kind not in _RULES or value is None:
            return _Misshapen()
        _RULES[kind](value, level)
    return validation_error(_SEVERAL)


def _string(value: Any, _level: int) -> str:
    if value.__class__ is not str:
        raise _Misshapen
    return value


def _number(value: Any, _level: int) -> str:
    if value.__class__ is not str:
        raise _Misshapen
    return normalise_number(value)


def _binary(value: Any, _level: int) -> str:
    try:
        if b2a_base64(a2b_base64(value), newline=False).decode() != value:
            raise _Misshapen
    except (Base64Error, ValueError, TypeError):
        raise _Misshapen from None
    return value  # type: ignore[no-any-return]


def _bool(value: Any, _level: int) -> bool:
    if value.__class__ is not bool:
        raise _Misshapen
    return value


def _null(value: Any, _level: int) -> bool:
    if value is False:
        raise invalid_parameter("Null attribute value types must have the value of true")
    if value is not True:
        raise _Misshapen
    return True


def _string_set(value: Any, _level: int) -> list[str]:
    members = _set_members(value, "An string set  may not be empty")
    if None in members:
        raise invalid_parameter("An string set may not have a null string as a member")
    if len(set(members)) != len(members):
        raise duplicates("SS", members)
    return in_order("SS", members)


def _number_set(value: Any, _level: int) -> list[str]:
    members = _set_members(value, "An number set  may not be empty")
    normal = [normalise_number(member or "") for member in members]
    if len(set(normal)) != len(normal):
        raise duplicates("NS", members)
    ordered = in_order("NS", normal)
    return members if ordered == members else ordered


def _binary_set(value: Any, level: int) -> list[str]:
    members = _set_members(value, "Binary sets should not be empty")
    if None in members:
        raise invalid_parameter("Binary sets may not contain null or empty values")
    for member in members:
        _binary(member, level)
    if len(set(members)) != len(members):
        raise duplicates("BS", members)
    return in_order("BS", members)


def _set_members(value: Any, if_empty: str) -> list[Any]:
    if value.__class__ is not list:
        raise _Misshapen
    if not value:
        raise invalid_parameter(if_empty)
    for member in value:
        if member.__class__ is not str and member is not None:
            raise _Misshapen
    return value


def _list(value: Any, level: int) -> list[dict[str, Any]]:
    if value.__class__ is not list:
        raise _Misshapen
    if level == MAX_NESTING and value:
        raise too_deep()
    return [_value({} if element is None else element, level + 1) for element in value]


def _map(value: Any, level: int) -> dict[str, dict[str, Any]]:
    if level == MAX_NESTING and value:
        raise too_deep()
    return _attributes(value, level + 1)


_RULES: dict[str, Callable[[Any, int], Any]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _bool,
    "NULL": _null,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
    "L": _list,
    "M": _map,
}
