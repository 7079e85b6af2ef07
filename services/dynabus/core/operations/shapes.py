"""The shape of requests: JSON types first, then constraints, as coral checks them before DynamoDB looks.

A wrong JSON type is a SerializationException at once. Broken constraints are collected, all members of the request
together, in one ValidationException ("2 validation errors detected: ..."). Members that are null count as absent,
unknown ones are ignored. Sources: botocore's service model for constraints; the messages are those of DynamoDB as
published test suites record them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dynabus.core.errors import ApiError, serialization_error, validation_error
from dynabus.core.values.shape import conform, not_convertible, read_boolean, read_list, read_string

_CLASSES = "com.amazonaws.dynamodb.v20120810."
_NOT_A_LIST = "Start of list found where not expected"


class Structure(NamedTuple):
    """A structure of the service model: its name there and its members."""

    name: str
    members: Mapping[str, Member]


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a request: its JSON type and what its value must satisfy."""

    type: str
    of: Structure | None = None
    """What the values of a map are, if not attribute values or strings."""
    required: bool = False
    values: tuple[str, ...] = ()
    shortest: int | None = None
    longest: int | None = None
    pattern: str | None = None
    least: int | None = None
    most: int | None = None
    arn: bool = False
    constrained: bool = field(init=False)

    def __post_init__(self) -> None:
        limits = (self.shortest, self.longest, self.pattern, self.least, self.most)
        constrained = bool(self.values) or self.of is not None or any(limit is not None for limit in limits)
        object.__setattr__(self, "constrained", constrained)


NAME_PATTERN = "[a-zA-Z0-9_.-]+"
TABLE_NAME = Member("String", required=True, shortest=1, longest=255, pattern=NAME_PATTERN, arn=True)
"""Of a table that exists: its name or its ARN; only names are held against the constraints."""

NEW_TABLE_NAME = Member("String", required=True, shortest=3, longest=255, pattern=NAME_PATTERN)
INDEX_NAME = Member("String", shortest=3, longest=255, pattern=NAME_PATTERN)
TEXT = Member("String")
FLAG = Member("Boolean")
NAMES = Member("Map")
ITEM = Member("Map", required=True)
KEY = Member("Map", required=True)
CAPACITY = Member("String", values=("INDEXES", "TOTAL", "NONE"))
METRICS = Member("String", values=("SIZE", "NONE"))
ON_FAILURE = Member("String", values=("ALL_OLD", "NONE"))
RETURN_VALUES = Member("String", values=("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"))

EXPRESSIONS: dict[str, Member] = {"ExpressionAttributeNames": NAMES, "ExpressionAttributeValues": NAMES}
FAULTS_MOST = 10
"""DynamoDB looks no further."""


def check(body: Any, members: Mapping[str, Member]) -> dict[str, Any]:
    """The known, non-null members of a request. Raises ApiError."""
    present = read(body, members)
    faults = faults_of(present, members)
    if faults:
        raise detected(faults)
    return present


def read(body: Any, members: Mapping[str, Member]) -> dict[str, Any]:
    """The same without their constraints: a structure whose members have the right JSON types."""
    if body.__class__ is not dict:
        raise serialization_error(_NOT_A_LIST if body.__class__ is list else "Unexpected value type in payload")
    present = {name: body[name] for name in members if body.get(name) is not None}
    for name, value in present.items():
        member = members[name]
        _TYPES[member.type](value)
        if member.of is not None:
            present[name] = {key: _structure(each, member.of) for key, each in value.items()}
    return present


def _structure(value: Any, structure: Structure) -> dict[str, Any]:
    """A structure in a map, as `read` gives it; null counts as an empty one (ours)."""
    if value.__class__ is list:
        raise serialization_error(f"Unrecognized collection type class {_CLASSES}{structure.name}")
    return read({} if value is None else value, structure.members)


def faults_of(present: Mapping[str, Any], members: Mapping[str, Member], path: str = "") -> list[str]:
    """The constraints that a structure breaks; `path` leads to it and ends with a dot."""
    faults: list[str] = []
    for name, member in members.items():
        value = present.get(name)
        if value is None:
            if member.required:
                faults.append(fault(None, _place(path, name), "Member must not be null"))
        elif member.constrained:
            place = _place(path, name)
            faults += [fault(value, place, constraint) for constraint in _broken(member, value)]
            if member.of is not None:
                for key, each in value.items():
                    faults += faults_of(each, member.of.members, f"{place}.{key}.member.")
    return faults


def _place(path: str, name: str) -> str:
    return f"{path}{name[0].lower()}{name[1:]}"


def detected(faults: list[str]) -> ApiError:
    """The ValidationException that lists broken constraints."""
    shown = faults[:FAULTS_MOST]
    noun = "error" if len(shown) == 1 else "errors"
    return validation_error(f"{len(shown)} validation {noun} detected: {'; '.join(shown)}")


def check_parameters(body: Mapping[str, Any], *expressions: str, legacy: tuple[str, ...] = ()) -> None:
    """Which parameters go together: `expressions` are the members of this operation that hold expressions.

    `legacy` are those of before expressions existed, in the order in which DynamoDB names them. KeyConditions alone
    go with other expressions. Source: ExtendDB's tests against DynamoDB (legacy ConditionalOperator and mixing).
    """
    given = [name for name in expressions if body.get(name) is not None]
    old = [name for name in legacy if body.get(name) is not None]
    if old:
        if given:
            _refuse_mixture(old, given)
        _check_conditional_operator(body, old)
    if not given and body.get("ExpressionAttributeNames") is not None:
        raise validation_error("ExpressionAttributeNames can only be specified when using expressions")
    if body.get("ExpressionAttributeValues") is not None:
        _check_values_wanted([name for name in expressions if name != "ProjectionExpression"], given)


def _refuse_mixture(legacy: list[str], expressions: list[str]) -> None:
    if "KeyConditionExpression" not in expressions:
        legacy = [name for name in legacy if name != "KeyConditions"]
    if legacy:
        raise validation_error(
            "Can not use both expression and non-expression parameters in the same request: Non-expression "
            f"parameters: {{{', '.join(legacy)}}} Expression parameters: {{{', '.join(expressions)}}}"
        )


def _check_conditional_operator(body: Mapping[str, Any], legacy: list[str]) -> None:
    """It joins at least two conditions. Messages: as `check_parameters`."""
    if "ConditionalOperator" not in legacy:
        return
    conditions = max((len(body[name]) for name in legacy if name in _CONDITIONS), default=0)
    if conditions == 0:
        raise validation_error("ConditionalOperator cannot be used without Filter or Expected")
    if conditions == 1:
        raise validation_error(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        )


_CONDITIONS = ("Expected", "QueryFilter", "ScanFilter")


def _check_values_wanted(expressions: list[str], given: list[str]) -> None:
    """Single-item writes do not say which ones are null. Source: paritysuite/dynamodb-conformance, deleteItem."""
    if expressions and not set(expressions) & set(given):
        verb = "is" if len(expressions) == 1 else "are"
        which = f": {' and '.join(expressions)} {verb} null" if "FilterExpression" in expressions else ""
        raise validation_error(f"ExpressionAttributeValues can only be specified when using expressions{which}")


def refuse_unbuilt(body: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Members of features that are not built yet are refused by name, never accepted and ignored (wording ours)."""
    for name in names:
        if body.get(name) is not None:
            raise validation_error(f"{name} is not supported by this version of Dynabus")


def fault(value: Any, path: str, constraint: str) -> str:
    """One broken constraint in DynamoDB's words. `path` is in lower camel case."""
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _broken(member: Member, value: Any) -> list[str]:
    broken: list[str] = []
    if member.arn and value.startswith("arn:"):
        return broken
    if (
        member.arn and not value
    ):  # one constraint alone: paritysuite/dynamodb-conformance, validation-ordering/updateItem
        return ["Member must have length greater than or equal to 1"]
    if member.values and value not in member.values:
        broken.append(f"Member must satisfy enum value set: [{', '.join(member.values)}]")
    if member.pattern is not None and not re.fullmatch(member.pattern, value):
        broken.append(f"Member must satisfy regular expression pattern: {member.pattern}")
    if member.shortest is not None and len(value) < member.shortest:
        broken.append(f"Member must have length greater than or equal to {member.shortest}")
    if member.longest is not None and len(value) > member.longest:
        broken.append(f"Member must have length less than or equal to {member.longest}")
    if member.least is not None and value < member.least:
        broken.append(f"Member must have value greater than or equal to {member.least}")
    if member.most is not None and value > member.most:
        broken.append(f"Member must have value less than or equal to {member.most}")
    return broken


def _integer(value: Any) -> None:
    if value.__class__ is str:
        raise serialization_error("STRING_VALUE cannot be converted to Integer")
    if value.__class__ is not int:
        raise not_convertible(value, "Integer")


def _double(value: Any) -> None:
    if value.__class__ is str:
        raise serialization_error("STRING_VALUE cannot be converted to Double")
    if value.__class__ not in (int, float):
        raise not_convertible(value, "Double")


def _map(value: Any) -> None:
    if value.__class__ is not dict:
        raise serialization_error(_NOT_A_LIST if value.__class__ is list else "Unexpected field type")


def _strings(value: Any) -> None:
    read_list(value)
    for each in value:
        read_string(each)


def _attribute_values(value: Any) -> None:
    read_list(value)
    for each in value:
        conform(each)


_TYPES: dict[str, Callable[[Any], object]] = {
    "String": read_string,
    "Boolean": read_boolean,
    "Integer": _integer,
    "Double": _double,
    "Map": _map,
    "List": read_list,
    "StringList": _strings,
    "AttributeValue": conform,
    "AttributeValueList": _attribute_values,
}
