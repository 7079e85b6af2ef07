"""Operands: bound once per request into functions from item to value, with the checks that need no item."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.documents import lookup
from dynabus.core.expressions.placeholders import BoundPath, Placeholders
from dynabus.core.expressions.syntax import Arithmetic, Function, Operand, Path, ValueRef
from dynabus.core.values import AttributeValue, Item

OPERATORS_MOST = 300
"""Operators and functions of one expression. Source: AWS, ServiceQuotas, expression parameters."""

Evaluate = Callable[[Item | None], AttributeValue | None]


class Bound(NamedTuple):
    """An operand: `literal` or `path` where it is one, and how to evaluate it."""

    evaluate: Evaluate
    literal: AttributeValue | None = None
    path: BoundPath | None = None

    @property
    def type(self) -> str | None:
        """The type where it is known without an item."""
        return None if self.literal is None else next(iter(self.literal))


class Binder:
    """Binds the operands of one expression; `kind` names it in messages."""

    def __init__(self, placeholders: Placeholders, kind: str) -> None:
        self.placeholders, self.kind = placeholders, kind
        self.names: set[str] = set()
        """Top-level attribute names that occur in it."""
        self._operators = 0

    def fault(self, what: str) -> ApiError:
        return validation_error(f"Invalid {self.kind}: {what}")

    def count(self) -> None:
        """One more operator or function."""
        self._operators += 1
        if self._operators > OPERATORS_MOST:
            # Wording ours.
            raise self.fault(f"The expression contains too many operators; the limit is {OPERATORS_MOST}")

    def path(self, path: Path) -> BoundPath:
        bound = self.placeholders.path(path, self.kind)
        self.names.add(str(bound[0]))
        return bound

    def operand(self, operand: Operand) -> Bound:
        """A path, a value or `size(path)`: what conditions compare."""
        if isinstance(operand, ValueRef):
            value = self.placeholders.value(operand.name, self.kind)
            return Bound(lambda _: value, literal=value)
        if isinstance(operand, Path):
            path = self.path(operand)
            return Bound(lambda item: lookup(item, path), path=path)
        if isinstance(operand, Arithmetic) or operand.name != "size":
            raise self.misplaced(operand.name if isinstance(operand, Function) else operand.operator)
        self.count()
        (argument,) = self.arguments(operand, 1)
        return Bound(lambda item: _size(argument.evaluate(item)))

    def misplaced(self, name: str) -> ApiError:
        if name not in KNOWN_FUNCTIONS:
            return self.fault(f"Invalid function name; function: {name}")
        return self.fault(f"The function is not allowed to be used this way in an expression; function: {name}")

    def arguments(self, function: Function, count: int) -> list[Bound]:
        if len(function.arguments) != count:
            raise self.fault(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {function.name}, number of operands: {len(function.arguments)}"
            )
        return [self.operand(argument) for argument in function.arguments]

    def need_path(self, function: Function, bound: Bound) -> BoundPath:
        if bound.path is None:
            raise self.fault(f"Operator or function requires a document path; operator or function: {function.name}")
        return bound.path

    def need_type(self, operator: str, bound: Bound, allowed: tuple[str, ...]) -> None:
        if bound.type is not None and bound.type not in allowed:
            raise self.fault(
                "Incorrect operand type for operator or function; "
                f"operator or function: {operator}, operand type: {bound.type}"
            )


KNOWN_FUNCTIONS = frozenset(
    {
        "attribute_exists",
        "attribute_not_exists",
        "attribute_type",
        "begins_with",
        "contains",
        "size",
        "if_not_exists",
        "list_append",
    }
)


def _size(value: AttributeValue | None) -> AttributeValue | None:
    """Characters of a string, bytes of a binary, elements of anything that has some; else no value at all."""
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind in ("N", "BOOL", "NULL"):
        return None
    if kind == "B":
        return {"N": str(len(content) // 4 * 3 - content.count("=", -2))}
    return {"N": str(len(content))}
