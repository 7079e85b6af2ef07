"""What is done to the tree of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from tests.fuzz import expressions, strangeness
from tests.model.contents import KEYS
from tests.model.dice import Dice, choice

Place = tuple[Any, ...]
"""The way from the body to something in it."""

KEY_TEXTS = [
    "",
    "k" * 2047,
    "k" * 2048,
    "k" * 2049,
    "k" * 1024,
    "k" * 1025,
    "é" * 1024,
    "a\x00",
    "a\xff",
    "\x00" * 2048,
]
KEY_BINARIES = ["", "AA==", "/w==", "YQA=", "Yf8=", "A" * 2732, "A" * 2736, "/" * 2728, "A" * 1368]


def places(tree: Any, here: Place = ()) -> Iterator[Place]:
    """All places in a tree, the whole included."""
    yield here
    nested = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, below in nested:
        yield from places(below, (*here, name))


def at(tree: Any, place: Place) -> Any:
    for name in place:
        tree = tree[name]
    return tree


def put(tree: Any, place: Place, value: Any) -> Any:
    """The tree with another value at a place."""
    if not place:
        return value
    at(tree, place[:-1])[place[-1]] = value
    return tree


def mutated(dice: Dice, tree: Any) -> Any:
    """One thing is wrong with it afterwards, mostly. The tree itself may be changed."""
    return choice(dice, _WAYS)(dice, tree)


def _any_place(dice: Dice, tree: Any) -> Place:
    return choice(dice, list(places(tree)))


def _replace(dice: Dice, tree: Any) -> Any:
    return put(tree, _any_place(dice, tree), strangeness.anything(dice))


def _replace_member(dice: Dice, tree: Any) -> Any:
    """A member of the request itself."""
    if not isinstance(tree, dict) or not tree:
        return tree
    return put(tree, (choice(dice, list(tree)),), strangeness.anything(dice))


def _remove(dice: Dice, tree: Any) -> Any:
    place = _any_place(dice, tree)
    if place:
        del at(tree, place[:-1])[place[-1]]
    return tree


def _add(dice: Dice, tree: Any) -> Any:
    inside = at(tree, _any_place(dice, tree))
    if isinstance(inside, dict):
        inside[strangeness.text(dice)] = strangeness.anything(dice)
    elif isinstance(inside, list):
        inside.append(strangeness.anything(dice))
    return tree


def _double(dice: Dice, tree: Any) -> Any:
    """The last of a list once more, or very often."""
    lists = [place for place in places(tree) if isinstance(at(tree, place), list) and at(tree, place)]
    if lists:
        found = at(tree, choice(dice, lists))
        found.extend(deepcopy(found[-1]) for _ in range(choice(dice, [1, 1, 24, 25, 99, 100, 1000])))
    return tree


def _move(dice: Dice, tree: Any) -> Any:
    """What stands at one place stands at another too."""
    one, two = _any_place(dice, tree), _any_place(dice, tree)
    if len(one) > len(two) or one == two[: len(one)]:
        return tree
    return put(tree, two, deepcopy(at(tree, one)))


def _rename(dice: Dice, tree: Any) -> Any:
    """A member, an attribute or a placeholder gets another name: those that shadow each other among them."""
    maps = [place for place in places(tree) if isinstance(at(tree, place), dict) and at(tree, place)]
    if not maps:
        return tree
    found = at(tree, choice(dice, maps))
    old = choice(dice, list(found))
    new = choice(dice, [old[:-1], old + "0", old.lower(), old.upper(), "#" + old, ":" + old, strangeness.text(dice)])
    found[new] = found.pop(old)
    return tree


def _other_kind(dice: Dice, tree: Any) -> Any:
    """An attribute value says that it is of another type."""
    kinds = ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"]
    values = [
        place for place in places(tree) if place and place[-1] in kinds and isinstance(at(tree, place[:-1]), dict)
    ]
    if values:
        place = choice(dice, values)
        parent = at(tree, place[:-1])
        parent[choice(dice, kinds)] = parent.pop(place[-1])
    return tree


def _attribute(dice: Dice, tree: Any) -> Any:
    """An attribute value becomes a strange one."""
    values = [place for place in places(tree) if isinstance(at(tree, place), dict) and len(at(tree, place)) == 1]
    return put(tree, choice(dice, values), strangeness.attribute(dice)) if values else tree


def _key(dice: Dice, tree: Any) -> Any:
    """A key attribute at the edge of what keys may be, or of another table's type."""
    keys = [place for place in places(tree) if place and place[-1] in ("pk", "sk", "lk", "ls", "lb")]
    if not keys:
        return tree
    values = [
        {"S": choice(dice, KEY_TEXTS)},
        {"B": choice(dice, KEY_BINARIES)},
        {"N": choice(dice, strangeness.NUMBER_TEXTS)},
    ]
    return put(tree, choice(dice, keys), choice(dice, [*values, dict(choice(dice, KEYS[choice(dice, "SNB")]))]))


def _expression(dice: Dice, tree: Any) -> Any:
    names = [place for place in places(tree) if place and str(place[-1]).endswith("Expression")]
    texts = [place for place in names if isinstance(at(tree, place), str)]
    if not texts:
        return tree
    place = choice(dice, texts)
    return put(tree, place, expressions.spoilt(dice, at(tree, place)))


def _placeholder(dice: Dice, tree: Any) -> Any:
    """What a placeholder stands for."""
    members = ("ExpressionAttributeNames", "ExpressionAttributeValues")
    found = [place for place in places(tree) if len(place) > 1 and place[-2] in members]
    if not found:
        return tree
    place = choice(dice, found)
    strange = strangeness.text(dice) if place[-2] == members[0] else strangeness.attribute(dice)
    return put(tree, place, strange)


_WAYS: list[Callable[[Dice, Any], Any]] = [
    *(
        _replace,
        _replace,
        _replace_member,
        _remove,
        _add,
        _double,
        _move,
        _rename,
        _other_kind,
        _attribute,
        _attribute,
    ),
    *(_key, _key, _expression, _expression, _expression, _expression, _placeholder),
]
