"""Trees of conditions, updates and projections, and what they mean for an item.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import TypeAlias

from tests.model.values import ORDERED, SETS, Item, Value, equal, kind_of, rank

Path = tuple[str | int, ...]
"""Names and list indexes; the first is a name."""


@dataclass(frozen=True)
class At:
    path: Path


@dataclass(frozen=True)
class Literal:
    value: Value


@dataclass(frozen=True)
class Size:
    path: Path


Operand = At | Literal | Size


@dataclass(frozen=True)
class Compare:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True)
class In:
    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True)
class Exists:
    path: Path


@dataclass(frozen=True)
class Missing:
    path: Path


@dataclass(frozen=True)
class IsType:
    path: Path
    kind: str


@dataclass(frozen=True)
class BeginsWith:
    path: Path
    start: Operand


@dataclass(frozen=True)
class Contains:
    path: Path
    part: Operand


@dataclass(frozen=True)
class And:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    part: Condition


Condition: TypeAlias = Compare | Between | In | Exists | Missing | IsType | BeginsWith | Contains | And | Or | Not


def lookup(item: Item, path: Path) -> Value | None:
    """The value at a path, or None."""
    value: Value = {"M": item}
    for step in path:
        if isinstance(step, str) and step in value.get("M", {}):
            value = value["M"][step]
        elif isinstance(step, int) and step < len(value.get("L", [])):
            value = value["L"][step]
        else:
            return None
    return value


def valued(operand: Operand, item: Item) -> Value | None:
    if isinstance(operand, Literal):
        return operand.value
    found = lookup(item, operand.path)
    return found if isinstance(operand, At) or found is None else _size(found)


def _size(value: Value) -> Value | None:
    """Of a string in UTF-16 units: DynamoDB counts as Java does (ExtendDB/extenddb issue 60, measured there)."""
    kind, content = kind_of(value), next(iter(value.values()))
    if kind == "S":
        return {"N": str(len(content.encode("utf-16-le")) // 2)}
    if kind == "B":
        return {"N": str(len(b64decode(content)))}
    return {"N": str(len(content))} if kind in (*SETS, "L", "M") else None


def holds(condition: Condition, item: Item) -> bool:
    """Whether it is true of an item; one that is not there is an empty one."""
    match condition:
        case And(parts):
            return all(holds(part, item) for part in parts)
        case Or(parts):
            return any(holds(part, item) for part in parts)
        case Not(part):
            return not holds(part, item)
        case Exists(path):
            return lookup(item, path) is not None
        case Missing(path):
            return lookup(item, path) is None
        case IsType(path, kind):
            found = lookup(item, path)
            return found is not None and kind_of(found) == kind
        case Compare(operator, left, right):
            return compares(operator, valued(left, item), valued(right, item))
        case Between(operand, low, high):
            value = valued(operand, item)
            return compares(">=", value, valued(low, item)) and compares("<=", value, valued(high, item))
        case In(operand, choices):
            value = valued(operand, item)
            return any(compares("=", value, valued(choice, item)) for choice in choices)
        case BeginsWith(path, start):
            return begins_with(lookup(item, path), valued(start, item))
        case Contains(path, part):
            return contains(lookup(item, path), valued(part, item))


def compares(operator: str, left: Value | None, right: Value | None) -> bool:
    """Values of different types are unequal and have no order, and so has what is not there."""
    if operator == "<>":
        return not compares("=", left, right)
    if left is None or right is None or kind_of(left) != kind_of(right):
        return False
    if operator == "=":
        return equal(left, right)
    if kind_of(left) not in ORDERED:
        return False
    one, two = rank(left), rank(right)
    return bool({"<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two}[operator])


def begins_with(value: Value | None, start: Value | None) -> bool:
    if value is None or start is None or kind_of(value) != kind_of(start) or kind_of(value) not in ("S", "B"):
        return False
    return bool(rank(value).startswith(rank(start)))


def contains(value: Value | None, part: Value | None) -> bool:
    """A substring, a member of a set, or an element of a list."""
    if value is None or part is None:
        return False
    kind = kind_of(value)
    if kind in ("S", "B"):
        return kind_of(part) == kind and rank(part) in rank(value)
    if kind in SETS:
        return kind_of(part) == kind[0] and any(equal({kind[0]: each}, part) for each in value[kind])
    return kind == "L" and any(equal(element, part) for element in value["L"])


def project(item: Item, paths: list[Path]) -> Item:
    """The parts of an item at these paths; lists close up, and containers of nothing are left out."""
    picked = {name: _pick(value, [path[1:] for path in paths if path[0] == name]) for name, value in item.items()}
    return {name: value for name, value in picked.items() if value is not None}


def _pick(value: Value, rests: list[Path]) -> Value | None:
    """What is left of a value of which only `rests` are wanted; the empty path wants all of it."""
    if () in rests or not rests:
        return value if rests else None
    kind = kind_of(value)
    if kind == "M":
        members = project(value["M"], rests)
        return {"M": members} if members else None
    if kind == "L":
        parts = [_pick(each, [r[1:] for r in rests if r[0] == place]) for place, each in enumerate(value["L"])]
        elements = [part for part in parts if part is not None]
        return {"L": elements} if elements else None
    return None
