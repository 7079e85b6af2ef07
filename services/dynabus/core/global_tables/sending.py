"""What follows for links of a global table when its members change. Pure; of its register (`register`).

| a member                             | then                                                                        |
|--------------------------------------|-----------------------------------------------------------------------------|
| leaves                               | the link to it ends; its own links send what is left of the stream first    |
| leaves, and another one has not got  | all links to others are copied again: rows that it wrote. What comes of it  |
| all of its writes                    | later is sent on by the stream (`former`), so whoever has one gives it      |
| leaves, and was somebody's origin    | another member sends that one every row                                     |
| comes back                           | it sends itself what it writes from then on                                 |
| lost items, or all of them           | one member sends it every row, all others what they wrote, and what of its  |
|                                      | own they have, or get later (`returned`): whoever has the only copy of one  |
|                                      | gives it back, and it sends that to all                                     |

Rows and changes are those of all former members, since what was the leaving one's to send on may be missing, too.
Whoever hears at once that one left and came back does as if it had heard of both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dynabus.core.global_tables.links import ACTIVE, COPYING, DELETING, DRAINING
from dynabus.core.global_tables.origins import lost_of, origin_of

Register = dict[str, Any]

FOR_GOOD = (1 << 63) - 1
"""Milliseconds; of a region that is no member any more."""


def went(after: Register, before: Register) -> set[str]:
    """Other regions that were members before, and left since, whether or not they have come back."""
    known, now = before["membership"], after["membership"]
    others = {*before["members"]} - {after["own"]}
    return {each for each in others if not now[each]["member"] or now[each]["stamp"] > known[each]["stamp"]}


def former_of(register: Register) -> dict[str, int]:
    """Regions that send nothing any more of what they wrote until this time."""
    return dict(register.get("former", {}))


def forwards_of(register: Register, link: Mapping[str, Any], region: str) -> dict[str, int]:
    """What its RepOut sends besides this region's own writes: of which regions, and until which time."""
    former, returned = former_of(register), link.get("returned", -1)
    return {**former, **({region: max(returned, former.get(region, -1))} if returned >= 0 else {})}


def rows_of(register: Register, link: Mapping[str, Any]) -> list[str]:
    """Whose rows the initial copy of a link sends, unless it sends every one."""
    return list(link.get("rows", [register["own"]]))


def changed(after: Register, before: Register, wall_ms: int) -> Register:
    """With what follows from other members than `before`."""
    gone = went(after, before)
    after = {**after, "former": _former(after, gone)}
    links = {region: _link(after, before, region, gone, wall_ms) for region in after["links"]}
    return {**after, "links": links}


def _former(register: Register, gone: Iterable[str]) -> dict[str, int]:
    membership = register["membership"]
    known = {**former_of(register), **dict.fromkeys(gone, FOR_GOOD)}
    return {
        region: membership[region]["stamp"][0] if membership[region]["member"] and until_ms == FOR_GOOD else until_ms
        for region, until_ms in known.items()
    }


def _link(after: Register, before: Register, region: str, gone: Collection[str], wall_ms: int) -> Mapping[str, Any]:
    link: Mapping[str, Any] = after["links"][region]
    if region not in after["members"]:
        return {**link, "status": DELETING}
    if link["status"] == DELETING:
        return link
    if after["own"] not in after["members"]:
        return {**link, "status": DRAINING}
    lost = lost_of(after, region)
    if lost > lost_of(before, region):
        # However late it is heard of: whoever sends it every item may have done so. It is a copy of what it should
        # have had, also where it has had none yet.
        returned = max(lost[0], link.get("returned", 0))
        return {**again(after, region, wall_ms, region), "again": True, "returned": returned}
    if origin_of(after, region) not in ("", origin_of(before, region)):
        return again(after, region, wall_ms, region)
    if not gone:
        return link
    unfinished = rows_of(after, link) if link["status"] == COPYING else []
    return _copying(link, {*unfinished, *former_of(after)}, wall_ms)


def is_copied_again(register: Register, region: str) -> bool:
    """Rows are sent that the region should have had, or which a region wrote that is gone."""
    link = register["links"].get(region, {})
    return link.get("status") == COPYING and bool(link.get("again"))


def draining(register: Register) -> list[str]:
    """Regions that have yet to get what this one wrote before it left."""
    return [region for region, link in register.get("links", {}).items() if link["status"] == DRAINING]


def again(register: Register, region: str, wall_ms: int, *lost: str) -> dict[str, Any]:
    """The link to this region with another initial copy of all that this one has to send, and of what regions have
    `lost`; what is given back to the region among that."""
    link = register["links"][region]
    returned = [region] if "returned" in link else []
    return _copying(link, {register["own"], *former_of(register), *lost, *returned}, wall_ms)


def _copying(link: Mapping[str, Any], rows: Iterable[str], wall_ms: int) -> dict[str, Any]:
    """With another initial copy, of rows that these regions wrote."""
    again = link["status"] == ACTIVE or link.get("again", False)
    since_ms = max(wall_ms, link["created_ms"] + 1)
    return {**link, "status": COPYING, "created_ms": since_ms, "again": again, "rows": sorted(rows)}
