"""Projections: the parts of an item that a reader wants."""

from __future__ import annotations

from dynabus.core.expressions.documents import PathTree, project
from dynabus.core.expressions.operands import Binder
from dynabus.core.expressions.parsing import parse
from dynabus.core.expressions.paths import path_tree
from dynabus.core.expressions.placeholders import Placeholders
from dynabus.core.values import Item

KIND = "ProjectionExpression"


class Projection:
    """A bound projection."""

    __slots__ = ("_tree",)

    def __init__(self, tree: PathTree) -> None:
        self._tree = tree

    def names(self) -> set[str]:
        """The attributes that it reads."""
        return set(self._tree)  # type: ignore[arg-type]  # the first elements are names

    def nested(self) -> set[str]:
        """Those of which it reads elements or members."""
        return {name for name, below in self._tree.items() if not isinstance(below, int)}  # type: ignore[misc]

    def apply(self, item: Item) -> Item:
        """What of the item is wanted; what is not there is left out."""
        return project(item, self._tree)


def parse_projection(text: str, placeholders: Placeholders) -> Projection:
    """Parse, check and bind; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, KIND)
    return Projection(path_tree([binder.path(path) for path in parse(text, KIND)], binder))
