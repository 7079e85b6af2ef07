"""Who sends a replica every item, a piece of the register (`register`). Pure.

from   a region, empty once the replica has all
lost   the stamp of its last loss: a partition was recovered, or the table made anew; without it there was none
reads  read units with which the replica is made, where they are not those of the definition: of the region that
       added it. They are no change of settings, which would undo one of another region that is not known there yet
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def origin_of(register: Mapping[str, Any], region: str) -> str:
    """Who sends it every item; empty: it has them. Instead of one that is no member any more it is another one, if
    there is one that has all items."""
    origin = str(register["origins"].get(region, {"from": ""})["from"])
    if not origin or origin in register["members"]:
        return origin
    rest = [each for each in register["members"] if each != region]
    return min(rest, key=lambda each: bool(register["origins"].get(each, {"from": ""})["from"]), default="")


def lost_of(register: Mapping[str, Any], region: str) -> list[Any]:
    """The stamp of its last loss."""
    return list(register["origins"].get(region, {}).get("lost", [0, ""]))


def with_loss(register: Mapping[str, Any], region: str) -> dict[str, Any]:
    """What the next piece has of the last loss."""
    return {name: value for name, value in register["origins"].get(region, {}).items() if name == "lost"}


def reads_of(message: Mapping[str, Any], region: str) -> dict[str, int]:
    """Read units with which its replica is made, of the table ("") and of indexes, as far as they are said."""
    return dict(message["origins"].get(region, {}).get("reads", {}))


def rank(piece: Mapping[str, Any]) -> tuple[Any, Any]:
    """Of two pieces the higher one counts: the end of a copy that began before the last loss is not that of the one
    that is to come."""
    return piece.get("lost", [0, ""]), piece["stamp"]
