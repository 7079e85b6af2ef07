"""The JSON shape of attribute values, as coral, the framework in front of DynamoDB, reads it.

Coral reads the whole request before DynamoDB looks at any value, so a wrong JSON type anywhere is a
SerializationException even if an earlier value breaks a rule. Members that are null or unknown are as good as
absent. Only the slow path comes here: `normalise` accepts the right shape in passing.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any

from dynabus.core.errors import ApiError, serialization_error

_VALUE_CLASS = "com.amazonaws.dynamodb.v20120810.AttributeValue"
_NOT_A_STRUCTURE = "Start of structure or map found where not expected"


def conform(raw: Any) -> dict[str, Any]:
    """An attribute value of the right shape: null and unknown members dropped, nothing else checked.

    Works through nested values in document order, without recursion, since a request may nest as deep as its JSON
    parser allows.
    """
    conformed: list[Any] = [None]
    pending: list[tuple[Any, Any, Any]] = [(conformed, 0, raw)]
    while pending:
        parent, slot, value = pending.pop()
        parent[slot] = members = _members(value)
        for kind, nested in members.items():
            if kind == "L":
                members[kind] = elements = list(nested)
                pending.extend((elements, index, nested[index]) for index in reversed(range(len(nested))))
            elif kind == "M":
                members[kind] = attributes = dict(nested)
                pending.extend((attributes, name, nested[name]) for name in reversed(nested))
    return conformed[0]  # type: ignore[no-any-return]


def conform_item(raw: Any) -> dict[str, dict[str, Any]]:
    """A map from names to attribute values of the right shape."""
    if raw.__class__ is not dict:
        _map(raw)
    return {name: conform(value) for name, value in raw.items()}


def _members(value: Any) -> dict[str, Any]:
    """One attribute value: its known members, their own JSON types checked."""
    if value is None:
        return {}
    if value.__class__ is list:
        raise serialization_error(f"Unrecognized collection type class {_VALUE_CLASS}")
    if value.__class__ is not dict:
        raise serialization_error("Unexpected value type in payload")
    members = {kind: member for kind, member in value.items() if kind in _READERS and member is not None}
    for kind, member in members.items():
        _READERS[kind](member)
    return members


def read_string(value: Any) -> None:
    if value.__class__ is not str:
        raise not_convertible(value, "String")


def read_boolean(value: Any) -> None:
    if value.__class__ is str:
        raise serialization_error("Unexpected token received from parser")
    if value.__class__ is not bool:
        raise not_convertible(value, "Boolean")


def _blob(value: Any) -> None:
    if value.__class__ is dict:
        raise serialization_error(_NOT_A_STRUCTURE)
    if value.__class__ is list:
        raise serialization_error("Unrecognized collection type class java.nio.ByteBuffer")
    if value.__class__ is not str:
        raise serialization_error("only base-64-encoded strings are convertible to bytes")
    if len(value) % 4:
        raise serialization_error(f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(value)}")
    if not is_base64(value):
        raise serialization_error(_base64_fault(value))


def is_base64(text: str) -> bool:
    """Whether a string is standard base64, padded, and the only encoding of its bytes."""
    try:
        return b2a_base64(a2b_base64(text), newline=False) == text.encode()
    except (Base64Error, ValueError):
        return False


def _base64_fault(text: str) -> str:
    for character in text:
        if not (character.isascii() and (character.isalnum() or character in "+/=")):
            return f"Invalid Base64 character: '{character}'"
    return "Invalid last non-pad Base64 character dectected"  # DynamoDB's own spelling


def read_list(value: Any) -> None:
    if value.__class__ is dict:
        raise serialization_error(_NOT_A_STRUCTURE)
    if value.__class__ is not list:
        raise serialization_error("Unexpected field type")


def _map(value: Any) -> None:
    if value.__class__ is list:
        raise serialization_error(f"Unrecognized collection type java.util.Map<java.lang.String, {_VALUE_CLASS}>")
    if value.__class__ is not dict:
        raise serialization_error("Unexpected field type")


def _list_of(read: Callable[[Any], None]) -> Callable[[Any], None]:
    def read_elements(value: Any) -> None:
        read_list(value)
        for member in value:
            if member is not None:
                read(member)

    return read_elements


def not_convertible(value: Any, target: str) -> ApiError:
    """Coral's refusal of a JSON value where it wants a `java.lang` String, Boolean or Integer."""
    if value.__class__ is dict:
        return serialization_error(_NOT_A_STRUCTURE)
    if value.__class__ is list:
        return serialization_error(f"Unrecognized collection type class java.lang.{target}")
    if value.__class__ is bool:
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        token = "DECIMAL_VALUE" if value.__class__ is float else "NUMBER_VALUE"
    return serialization_error(f"{token} cannot be converted to {target}")


_READERS: dict[str, Callable[[Any], None]] = {
    "S": read_string,
    "N": read_string,
    "B": _blob,
    "BOOL": read_boolean,
    "NULL": read_boolean,
    "SS": _list_of(read_string),
    "NS": _list_of(read_string),
    "BS": _list_of(_blob),
    "L": read_list,
    "M": _map,
}
