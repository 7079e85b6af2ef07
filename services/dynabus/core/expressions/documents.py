"""Reading and changing documents by path. Nothing here changes what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, Union

from dynabus.core.expressions.placeholders import BoundPath
from dynabus.core.values import AttributeValue, Item

PathTree: TypeAlias = dict[str | int, Union["PathTree", int]]
"""Paths by their elements; a path ends in its number. Elements of one node are all names or all indexes."""


def lookup(item: Item | None, path: BoundPath) -> AttributeValue | None:
    """The value at a path, or None."""
    if item is None:
        return None
    found: Any = item.get(path[0])  # type: ignore[arg-type]  # the first element is a name
    for element in path[1:]:
        if found is None:
            return None
        if element.__class__ is int:
            elements = found.get("L")
            found = elements[element] if elements is not None and element < len(elements) else None
        else:
            members = found.get("M")
            found = members.get(element) if members is not None else None
    return found  # type: ignore[no-any-return]


def project(item: Item, tree: PathTree) -> Item:
    """The parts of an item that the paths name: nested parts merged, lists closed up in their order."""
    return _picked_members(item, tree)


def _picked(value: AttributeValue | None, below: PathTree | int) -> AttributeValue | None:
    if value is None or isinstance(below, int):
        return value
    kind = "L" if next(iter(below)).__class__ is int else "M"
    if kind not in value:
        return None
    content: Any = _picked_elements(value["L"], below) if kind == "L" else _picked_members(value["M"], below)
    return {kind: content} if content else None


def _picked_members(members: dict[str, AttributeValue], tree: PathTree) -> dict[str, AttributeValue]:
    picked = {name: _picked(members.get(name), below) for name, below in tree.items()}  # type: ignore[arg-type]
    return {name: value for name, value in picked.items() if value is not None}  # type: ignore[misc]  # all names


def _picked_elements(elements: list[AttributeValue], tree: PathTree) -> list[AttributeValue]:
    indexes = sorted(index for index in tree if index < len(elements))  # type: ignore[operator]  # all indexes
    picked = (_picked(elements[index], tree[index]) for index in indexes)  # type: ignore[index]
    return [value for value in picked if value is not None]


class NoSuchParent(Exception):
    """The container that a path leads into does not exist or is of another type."""


def rewritten(item: Item, tree: PathTree, values: Sequence[AttributeValue | None]) -> Item:
    """A copy of the item with value number n at path number n, and nothing there if it is None.

    List indexes mean the list as it was: what is set beyond its end is appended, in the order of the indexes; what is
    removed beyond its end was not there. Only containers on the way to a change are copied, each of them once.
    Raises `NoSuchParent`.
    """
    return _with_members(item, tree, values)


def _with_members(
    members: dict[str, AttributeValue], tree: PathTree, values: Sequence[AttributeValue | None]
) -> dict[str, AttributeValue]:
    changed: dict[Any, AttributeValue] = dict(members)
    for name, below in tree.items():
        if not isinstance(below, int):
            if name not in changed:
                raise NoSuchParent
            changed[name] = _with_content(changed[name], below, values)
            continue
        value = values[below]
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def _with_content(
    container: AttributeValue, tree: PathTree, values: Sequence[AttributeValue | None]
) -> AttributeValue:
    if next(iter(tree)).__class__ is int:
        if "L" not in container:
            raise NoSuchParent
        return {"L": _with_elements(container["L"], tree, values)}
    if "M" not in container:
        raise NoSuchParent
    return {"M": _with_members(container["M"], tree, values)}


def _with_elements(
    elements: list[AttributeValue], tree: PathTree, values: Sequence[AttributeValue | None]
) -> list[AttributeValue]:
    changed: list[AttributeValue | None] = list(elements)
    for index in sorted(tree):
        assert isinstance(index, int)
        below = tree[index]
        if not isinstance(below, int):
            if index >= len(elements):
                raise NoSuchParent
            changed[index] = _with_content(elements[index], below, values)
        elif index < len(elements):
            changed[index] = values[below]
        else:
            changed.append(values[below])
    return [value for value in changed if value is not None]


def shown(path: BoundPath) -> str:
    """A path as DynamoDB's messages show it: `[a, b, [0]]`."""
    return "[" + ", ".join(f"[{element}]" if element.__class__ is int else str(element) for element in path) + "]"
