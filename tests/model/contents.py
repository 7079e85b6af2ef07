"""Random attribute values, items and paths: few names and few keys, so that requests meet each other's items."""

from __future__ import annotations

from base64 import b64encode

from tests.model.dice import Dice, chance, choice, some
from tests.model.expressions import Path
from tests.model.schema import Schema
from tests.model.updates import clash
from tests.model.values import Item, Value


def _binary(*contents: bytes) -> list[str]:
    return [b64encode(content).decode() for content in contents]


TEXTS = ["a", "b", "", "ab", "a\x00", "é", "e\u0301", "\uffff", "\U0001f600", "aé" * 40, "z" * 1200]
"""Composed and decomposed, above and below the surrogates (UTF-8's order is not UTF-16's), more than 1 KB."""

NUMBERS = ["0", "1", "2", "-1", "10", "0.5", "-0.25", "1.0", "1E2", "3.14159", "-120", "1E125", "9" * 38, "1E-130"]
"""Ways to write them included; the edges of the range, and 38 digits."""

PLAIN_NUMBERS = ["0", "1", "2", "-1", "10", "0.5", "-120", "3.14159"]
"""No two are equal: members of sets."""

BINARIES = _binary(b"\x00", b"\xff", b"", b"a", b"a\x00", b"\xff" * 5, b"b" * 900)

KEYS = {
    "S": [{"S": text} for text in ("a", "b", "ab", "a\x00", "a\x00\x01", "\uffff", "\U0001f600", "é", "k" * 600)],
    "N": [{"N": text} for text in ("0", "1", "-1", "1.0", "10", "1E2", "0.5", "-0.5", "-1E125", "12345678901234567")],
    "B": [{"B": text} for text in _binary(b"\x00", b"\xff", b"a", b"\x00\xff", b"a\x00", b"\xff\xff", b"q" * 600)],
}
PARTITIONS_MOST = 3
"""Partition keys in use: items gather in few collections."""

KINDS = {"n": "N", "s": "S", "bin": "B", "ss": "SS", "ns": "NS", "bs": "BS", "l": "L", "m": "M"}
"""What attributes mostly are, so that operators meet operands of their type."""

INDEX_KEYS = {"lk": "N", "ls": "S", "lb": "B"}
NAMES = [*KINDS, *INDEX_KEYS, "x", "Status", "é", "e\u0301", "a.b"]
OFTEN = ["n", "l", "m", "ss"]
"""What most operators are for."""

MEMBERS = ["x", "y", "n", "l", "e\u0301", "Size"]
ALL_KINDS = ["N", "S", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"]
DEPTH_MOST = 3


def value(dice: Dice, kind: str | None = None, depth: int = DEPTH_MOST) -> Value:
    """A value of this kind, or of any."""
    kind = kind or choice(dice, ALL_KINDS)
    if kind == "L":
        return {"L": [value(dice, _inner(dice, depth), depth - 1) for _ in range(dice.below(4))] if depth else []}
    if kind == "M":
        names = some(dice, MEMBERS, 0, 3) if depth else []
        return {"M": {name: value(dice, _inner(dice, depth), depth - 1) for name in names}}
    return _scalar(dice, kind)


def _inner(dice: Dice, depth: int) -> str:
    return choice(dice, ["N", "S", "L", "M"] if depth > 1 and chance(dice, 50) else ALL_KINDS[:8])


def _scalar(dice: Dice, kind: str) -> Value:
    match kind:
        case "BOOL":
            return {"BOOL": chance(dice, 50)}
        case "NULL":
            return {"NULL": True}
        case "S":
            return {"S": choice(dice, TEXTS)}
        case "N":
            return {"N": choice(dice, NUMBERS)}
        case "B":
            return {"B": choice(dice, BINARIES)}
        case "SS":
            return {"SS": some(dice, TEXTS[:9], 1, 3)}
        case "NS":
            return {"NS": some(dice, PLAIN_NUMBERS, 1, 3)}
        case _:
            return {"BS": some(dice, BINARIES[:5], 1, 3)}


def attribute(dice: Dice, name: str, schema: Schema, wrong_percent: int = 3) -> Value:
    """A value for an attribute: index keys are mostly of their type, and few values, so that some are equal."""
    kind = schema.key_type(name)
    if kind is not None:
        return choice(dice, KEYS[kind][:4]) if not chance(dice, wrong_percent) else value(dice)
    return value(dice, KINDS.get(name) if chance(dice, 85) else None)


def key(dice: Dice, schema: Schema) -> Item:
    """Of the table."""
    found = {schema.hash: choice(dice, KEYS[schema.hash_type][:PARTITIONS_MOST])}
    if schema.sort is not None and schema.sort_type is not None:
        known = KEYS[schema.sort_type]
        found[schema.sort] = choice(dice, known if chance(dice, 40) else known[:3])
    return found


def item(dice: Dice, schema: Schema) -> Item:
    names = some(dice, [name for name in NAMES if name not in schema.names], 2, 12)
    found = {**key(dice, schema), **{name: attribute(dice, name, schema) for name in names}}
    if chance(dice, 12):
        found["x"] = {"S": "L" * choice(dice, [2_000, 3_500, 5_000, 200_000])}
    return found


def path(dice: Dice, schema: Schema, keys: bool = True) -> Path:
    """A path that may lead somewhere: into lists by index, into maps by name."""
    names = [name for name in (*OFTEN, *OFTEN, *NAMES) if keys or name not in schema.names]
    found: list[str | int] = [choice(dice, [*names, *schema.names] if keys else names)]
    kind = KINDS.get(str(found[0]))
    while len(found) < DEPTH_MOST + 1 and kind in ("L", "M") and chance(dice, 60):
        step: str | int = dice.below(4) if kind == "L" else choice(dice, MEMBERS)
        found.append(step)
        kind = choice(dice, ["L", "M"]) if step != "l" else "L"
    return tuple(found)


def paths(dice: Dice, schema: Schema, most: int, keys: bool = True) -> list[Path]:
    """One or more that may stand together; some of them are neighbours in one list or map."""
    found: list[Path] = []
    for _ in range(1 + dice.below(most)):
        another = _beside(dice, found[-1]) if found and chance(dice, 40) else path(dice, schema, keys)
        if not any(clash(another, each) for each in found):
            found.append(another)
    return found


def _beside(dice: Dice, known: Path) -> Path:
    """Another path into the same container."""
    step: str | int = dice.below(6) if isinstance(known[-1], int) else choice(dice, MEMBERS)
    return (*known[:-1], step) if len(known) > 1 else ("l", dice.below(6))
