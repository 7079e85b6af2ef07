"""Several document paths of one expression as a tree; they may neither overlap nor contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynabus.core.expressions.documents import PathTree, shown
from dynabus.core.expressions.operands import Binder
from dynabus.core.expressions.placeholders import BoundPath


def path_tree(paths: Sequence[BoundPath], binder: Binder) -> PathTree:
    """The tree; raises ApiError for the first path, as they are written, that clashes with an earlier one."""
    tree: PathTree = {}
    for number, path in enumerate(paths):
        earlier = _plant(tree, path, number)
        if earlier is not None:
            what, other = earlier
            raise binder.fault(
                f"Two document paths {what} with each other; must remove or rewrite one of these paths; "
                f"path one: {shown(paths[other])}, path two: {shown(path)}"
            )
    return tree


def _plant(tree: PathTree, path: BoundPath, number: int) -> tuple[str, int] | None:
    """Add a path, or tell how it clashes with which earlier one."""
    branch = tree
    for element in path[:-1]:
        if _conflicts(branch, element):
            return "conflict", _first(branch)
        below = branch.setdefault(element, {})
        if isinstance(below, int):
            return "overlap", below
        branch = below
    if _conflicts(branch, path[-1]):
        return "conflict", _first(branch)
    if path[-1] in branch:
        return "overlap", _first(branch[path[-1]])
    branch[path[-1]] = number
    return None


def _conflicts(branch: PathTree, element: str | int) -> bool:
    """Whether one path takes for a list what another takes for a map."""
    return bool(branch) and next(iter(branch)).__class__ is not element.__class__


def _first(below: Any) -> int:
    """The number of the earliest path in a part of the tree."""
    while below.__class__ is not int:
        below = next(iter(below.values()))
    return below
