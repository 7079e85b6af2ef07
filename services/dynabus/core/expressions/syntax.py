"""Trees of parsed expressions, placeholders unresolved. Immutable, so one tree serves every request with its text.

Parentheses are gone: they shape a tree and are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Path(NamedTuple):
    """A document path: names (`#x` still a placeholder) and list indexes."""

    elements: tuple[str | int, ...]


class ValueRef(NamedTuple):
    """`:name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """`name(arguments)`; as a condition or as an operand."""

    name: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right`, in SET only."""

    operator: str
    left: Operand
    right: Operand


Operand = Path | ValueRef | Function | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """`operand BETWEEN low AND high`."""

    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    """`operand IN (choices)`."""

    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Logical:
    """`AND`, `OR` of two conditions or more."""

    operator: str
    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT part`."""

    part: Test


Test = Comparison | Between | In | Function | Logical | Negation


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an update: SET path = operand, REMOVE path, ADD path value, DELETE path value."""

    clause: str
    path: Path
    operand: Operand | None = None


class Section(NamedTuple):
    """The actions of one clause of an update expression."""

    clause: str
    actions: tuple[Action, ...]
