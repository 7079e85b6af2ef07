"""Operands: bound once per request into functions from item to value, with the checks that need no item."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.documents import lookup, shown
from dynabus.core.expressions.placeholders import BoundPath, Placeholders
from dynabus.core.expressions.syntax import Operand, Path, ValueRef
from dynabus.core.values import AttributeValue, Item

Evaluate = Callable[[Item | None], AttributeValue | None]

_SIZED = ("S", "B", "SS", "NS", "BS", "L", "M")


class Bound(NamedTuple):
    """An operand: how to evaluate it, its type where that is known without an item, and what it is if no function."""

    evaluate: Evaluate
    type: str | None = None
    literal: AttributeValue | None = None
    path: BoundPath | None = None


class Binder:
    """Binds the operands of one expression; `kind` names it in messages."""

    __slots__ = ("_placeholders", "kind", "names", "nested")

    def __init__(self, placeholders: Placeholders, kind: str) -> None:
        self._placeholders, self.kind = placeholders, kind
        self.names: set[str] = set()
        """Top-level attribute names that occur in it."""
        self.nested: set[str] = set()
        """Those whose elements or members it reads or writes."""

    def fault(self, what: str) -> ApiError:
        """The ValidationException that names the expression."""
        return validation_error(f"Invalid {self.kind}: {what}")

    def path(self, path: Path) -> BoundPath:
        """The path with its placeholders replaced."""
        bound = self._placeholders.path(path, self.kind)
        self.names.add(bound[0])  # type: ignore[arg-type]  # the first element is a name
        if len(bound) > 1:
            self.nested.add(bound[0])  # type: ignore[arg-type]
        return bound

    def operand(self, operand: Operand) -> Bound:
        """A path, a value or `size(operand)`: what conditions compare. The check of the text admits nothing else."""
        if isinstance(operand, ValueRef):
            value = self._placeholders.value(operand.name, self.kind)
            return Bound(lambda _: value, next(iter(value)), literal=value)
        if isinstance(operand, Path):
            path = self.path(operand)
            if len(path) == 1:
                name = path[0]
                return Bound(lambda item: None if item is None else item.get(name), path=path)  # type: ignore[arg-type]
            return Bound(lambda item: lookup(item, path), path=path)
        argument = self.operand(operand.arguments[0])  # type: ignore[union-attr]  # no sum stands in a condition
        self.need_type("size", argument, _SIZED)
        return Bound(lambda item: _size(argument.evaluate(item)), "N")

    def need_path(self, function: str, bound: Bound) -> BoundPath:
        """The path that an operand must be."""
        if bound.path is None:
            raise self.fault(f"Operator or function requires a document path; operator or function: {function}")
        return bound.path

    def need_type(self, operator: str, bound: Bound, allowed: tuple[str, ...]) -> None:
        """Refuse an operand whose type is known and not allowed."""
        if bound.type is not None and bound.type not in allowed:
            raise self.wrong_type(operator, bound.type)

    def wrong_type(self, operator: str, shown_type: str) -> ApiError:
        """An operand's type is not one that the operator takes."""
        return self.fault(
            "Incorrect operand type for operator or function; "
            f"operator or function: {operator}, operand type: {shown_type}"
        )

    def need_distinct(self, operator: str, first: Bound, *others: Bound) -> None:
        """Refuse to compare a path with itself."""
        if first.path is None:
            return
        for other in others:
            if other.path == first.path:
                raise self.fault(
                    "The first operand must be distinct from the remaining operands for this operator or function; "
                    f"operator: {operator}, first operand: {shown(first.path)}"
                )


def _size(value: AttributeValue | None) -> AttributeValue | None:
    """UTF-16 units of a string (as Java counts), bytes of a binary, else elements; or no value at all."""
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind not in _SIZED:
        return None
    if kind == "B":
        return {"N": str(len(content) // 4 * 3 - content.count("=", -2))}
    if kind == "S" and not content.isascii():
        return {"N": str(len(content.encode("utf-16-le", "surrogatepass")) // 2)}
    return {"N": str(len(content))}
