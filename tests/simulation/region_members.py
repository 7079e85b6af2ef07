"""A member that is gone for good in three regions: its processes and its Kafka with it, at any moment.

Whoever stays hears of it at a time of its own, and does what the product's register says (`sending.changed`). What
the lost one wrote and somebody has got both have in the end; what nobody has got is lost with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynabus.core.global_tables import sending
from dynabus.core.global_tables.links import COPYING

if TYPE_CHECKING:
    from tests.simulation.region import Region


def register_of(region: Region, gone: str = "") -> dict[str, Any]:
    """As much of the table's register as its rules about members look at; without this one."""
    known = {region.name, *region.others, *region.former}
    members = sorted({region.name, *region.others} - {gone})
    stamps = {each: [int(each == gone), region.name] for each in known}
    return {
        "own": region.name,
        "members": members,
        "membership": {each: {"member": each in members, "stamp": stamps[each]} for each in known},
        "origins": {},
        "former": dict(region.former),
        "links": {name: dict(link) for name, link in region.links.items()},
    }


def without(region: Region, gone: str, wall_ms: int) -> dict[str, Any]:
    """The register once this member is none any more."""
    return sending.changed(register_of(region, gone), register_of(region), wall_ms)


def is_complete(region: Region, others: int) -> bool:
    """It knows so many others, and sends all items to nobody who does not have them yet."""
    links = [*region.links.values()]
    return len(links) == others and not any(link["whole"] and link["status"] == COPYING for link in links)
