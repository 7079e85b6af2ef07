"""Reading and changing documents by path. Nothing here changes what it was given."""

from __future__ import annotations

from typing import Any

from dynabus.core.expressions.placeholders import BoundPath
from dynabus.core.values import AttributeValue, Item


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


def project(item: Item, paths: list[BoundPath]) -> Item:
    """The parts of an item that the paths name: nested parts merged, lists closed up in their order."""
    kept: dict[str | int, Any] = {}
    for path in paths:
        if lookup(item, path) is not None:
            node = kept
            for element in path[:-1]:
                node = node.setdefault(element, {})
            node[path[-1]] = None
    return {str(name): _picked(item[str(name)], below) for name, below in kept.items()}


def _picked(value: AttributeValue, below: dict[str | int, Any] | None) -> AttributeValue:
    if below is None:
        return value
    if "L" in value:
        return {"L": [_picked(value["L"][index], below[index]) for index in sorted(below)]}
    return {"M": {str(name): _picked(value["M"][name], deeper) for name, deeper in below.items()}}


class NoSuchParent(Exception):
    """The container that a path leads into does not exist or is of another type."""


def with_value(item: Item, path: BoundPath, value: AttributeValue) -> Item:
    """A copy of the item with the value at the path; only the containers on the way are copied."""
    name = str(path[0])
    if len(path) == 1:
        return {**item, name: value}
    if name not in item:
        raise NoSuchParent
    return {**item, name: _set(item[name], path[1:], value)}


def _set(container: AttributeValue, path: BoundPath, value: AttributeValue) -> AttributeValue:
    element = path[0]
    if element.__class__ is int:
        elements = container.get("L")
        if elements is None:
            raise NoSuchParent
        changed = list(elements)
        if len(path) > 1:
            if element >= len(changed):
                raise NoSuchParent
            changed[element] = _set(changed[element], path[1:], value)
        elif element < len(changed):
            changed[element] = value
        else:
            # An index beyond the end appends, whatever it is.
            changed.append(value)
        return {"L": changed}
    members = container.get("M")
    if members is None or (len(path) > 1 and element not in members):
        raise NoSuchParent
    return {"M": {**members, element: value if len(path) == 1 else _set(members[element], path[1:], value)}}


def without(item: Item, path: BoundPath) -> Item:
    """A copy of the item without what is at the path; a path that leads nowhere changes nothing."""
    name = str(path[0])
    if name not in item:
        if len(path) > 1:
            raise NoSuchParent
        return item
    if len(path) == 1:
        return {key: value for key, value in item.items() if key != name}
    return {**item, name: _remove(item[name], path[1:])}


def _remove(container: AttributeValue, path: BoundPath) -> AttributeValue:
    element = path[0]
    if element.__class__ is int:
        elements = container.get("L")
        if elements is None:
            raise NoSuchParent
        if element >= len(elements):
            if len(path) > 1:
                raise NoSuchParent
            return container
        changed = list(elements)
        if len(path) == 1:
            del changed[element]
        else:
            changed[element] = _remove(changed[element], path[1:])
        return {"L": changed}
    members = container.get("M")
    if members is None:
        raise NoSuchParent
    if element not in members:
        if len(path) > 1:
            raise NoSuchParent
        return container
    if len(path) == 1:
        return {"M": {key: value for key, value in members.items() if key != element}}
    return {"M": {**members, element: _remove(members[element], path[1:])}}


def shown(path: BoundPath) -> str:
    """A path as DynamoDB's messages show it: `[a, b, [0]]`."""
    return "[" + ", ".join(f"[{element}]" if element.__class__ is int else str(element) for element in path) + "]"
