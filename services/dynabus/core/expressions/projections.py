"""Projections: the parts of an item that a reader wants."""

from __future__ import annotations

from dynabus.core.expressions.documents import project
from dynabus.core.expressions.grammar import parse
from dynabus.core.expressions.operands import Binder
from dynabus.core.expressions.paths import check_paths
from dynabus.core.expressions.placeholders import BoundPath, Placeholders
from dynabus.core.values import Item

KIND = "ProjectionExpression"


class Projection:
    """A bound projection."""

    __slots__ = ("paths",)

    def __init__(self, paths: list[BoundPath]) -> None:
        self.paths = paths

    def apply(self, item: Item) -> Item:
        """What of the item is wanted; what is not there is left out."""
        return project(item, self.paths)


def parse_projection(text: str, placeholders: Placeholders) -> Projection:
    """Parse, check and bind; raises ApiError with DynamoDB's message."""
    binder = Binder(placeholders, KIND)
    paths = [binder.path(path) for path in parse(text, KIND)]
    check_paths(paths, binder)
    return Projection(paths)
