"""What a region keeps of a global table beside the table itself: a last-writer-wins register. Pure.

One part of it is the same in all regions in the end, whoever writes it, since the higher stamp wins:

    group        id of the table with which it began: another group is another global table
    members      its regions, in order
    origins      by region: who added it, and so sends it every item
    overrides    by region: read units that it was given, and by which stamp
    definition   settings that are kept alike (`definition`)
    stamp        [Unix ms, region] of the last change of all that

The other part is this region's own:

    own          its name
    leaving      regions that are members no more and have not said that they know
    replicas     by region: the stamp that it has acknowledged, and what it said: status, why
    links        by region: what is sent there (`links`): status, created_ms
    overridden   stamp of the override that this table has

A region tells every other member what it has until it is acknowledged, and whoever has more answers with that. What
it has not yet got of the settings a table takes step by step (`definition.next_change`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynabus.core.global_tables.links import ACTIVE, COPYING, DELETING

Register = dict[str, Any]

GONE, REFUSED = "GONE", "REFUSED"
"""What a region says besides a table's status: it has no such replica; it will not have one."""

_SHARED = ("group", "members", "origins", "overrides", "definition", "stamp")
VERSION = "2019.11.21"


def begun(own: str, group: str) -> Register:
    """Of a table that has no replica yet."""
    return {
        "group": group,
        "members": [own],
        "origins": {},
        "overrides": {},
        "definition": {},
        "stamp": [0, own],
        "own": own,
        "leaving": [],
        "replicas": {},
        "links": {},
        "overridden": [0, ""],
    }


def others(register: Register) -> list[str]:
    """Other members; none while this region is none itself."""
    if not is_member(register):
        return []
    return [each for each in register["members"] if each != register["own"]]


def is_member(register: Register) -> bool:
    return bool(register) and register["own"] in register["members"]


def is_global(register: Register) -> bool:
    """It has other members."""
    return bool(register) and bool(others(register))


def regions_of(register: Register) -> list[str]:
    """As metadata say it: its own first; none where there are no others."""
    return [register["own"], *others(register)] if is_global(register) else []


def changed(register: Register, wall_ms: int, **shared: Any) -> Register:
    """With another value of what is shared, by this region."""
    stamp = [max(wall_ms, register["stamp"][0] + 1), register["own"]]
    return {**register, **shared, "stamp": stamp}


def with_members(register: Register, members: Sequence[str], wall_ms: int) -> Register:
    """The same with other members. Those that were some are told until they know."""
    own, origins = register["own"], register["origins"]
    added = [each for each in members if each not in register["members"]]
    after = changed(
        register,
        wall_ms,
        members=sorted(members),
        origins={**{each: origins[each] for each in members if each in origins}, **dict.fromkeys(added, own)},
        overrides={region: each for region, each in register["overrides"].items() if region in members},
    )
    return _left(after, register["members"])


def _left(register: Register, before: Sequence[str]) -> Register:
    """Who was a member `before` and is none leaves; its link ends. Who came again stays."""
    members, own = register["members"], register["own"]
    leaving = {*register["leaving"], *before} - {*members, own} if own in members else set[str]()
    links = {
        region: link if region in members and own in members else {**link, "status": DELETING}
        for region, link in register["links"].items()
    }
    return {**register, "leaving": sorted(leaving), "links": links}


def message_of(register: Register) -> dict[str, Any]:
    """What other regions are told."""
    return {member: register[member] for member in _SHARED}


def is_newer(message: Mapping[str, Any], register: Register) -> bool:
    return bool(message["stamp"] > register["stamp"])


def taken(register: Register, message: Mapping[str, Any]) -> Register:
    """With what another region has, which is newer. Links to who was a member before, and is none, end."""
    after = {**register, **{member: message[member] for member in _SHARED}}
    return _left(after, register["members"])


def to_tell(register: Register) -> list[str]:
    """Regions that have not acknowledged what is here, or have not done what it asks for."""
    if not register:
        return []
    here = is_member(register)
    wanted = [each for each in register["members"] if each != register["own"]]
    return [each for each in wanted if not _knows(register, each, here)] + list(register["leaving"])


def _knows(register: Register, region: str, here: bool) -> bool:
    said = register["replicas"].get(region, {})
    if said.get("stamp") != register["stamp"]:
        return False
    return not here or (said["status"] == ACTIVE and region in register["links"])


def answered(
    register: Register, region: str, stamp: Sequence[Any], status: str, why: str, wall_ms: int, *, streams: bool
) -> Register:
    """With what a region said of this stamp. `streams`: the table's stream has all writes from now on."""
    if [*stamp] != register["stamp"]:
        return register
    if region in register["leaving"]:
        return _told_leaver(register, region, stamp, status, why)
    if region not in register["members"]:
        return register
    said = {"stamp": [*stamp], "status": status, "why": why}
    after = {**register, "replicas": {**register["replicas"], region: said}}
    known = register["links"].get(region)
    if status != ACTIVE or not streams or not is_member(register) or (known and known["status"] != DELETING):
        return after
    link = {"status": COPYING, "created_ms": wall_ms}
    return {**after, "links": {**register["links"], region: link}}


def _told_leaver(register: Register, region: str, stamp: Sequence[Any], status: str, why: str) -> Register:
    if status == GONE:
        return forgotten(register, region)
    said = {"stamp": [*stamp], "status": status, "why": why}
    return {**register, "replicas": {**register["replicas"], region: said}}


def forgotten(register: Register, region: str) -> Register:
    """Without a region that is no member and need not be told any more."""
    return {
        **register,
        "leaving": [each for each in register["leaving"] if each != region],
        "replicas": _without(register["replicas"], region),
        "links": _without(register["links"], region),
    }


def _without(those: Mapping[str, Any], region: str) -> dict[str, Any]:
    return {each: value for each, value in those.items() if each != region}


def with_link(register: Register, region: str, **members: Any) -> Register:
    """With another state of a link."""
    return {**register, "links": {**register["links"], region: {**register["links"][region], **members}}}


def is_whole(register: Register, region: str) -> bool:
    """Whether the initial copy to this region has every row: it was added here."""
    return bool(register["origins"].get(region) == register["own"])


# -- what is described --------------------------------------------------------------------------------------------

MEMBERS = ("GlobalTableVersion", "Replicas", "GlobalTableSettingsReplicationMode")
"""Of DescribeTable; all of them are there, or none (ack-api-quirks, DDB-TABLE-231)."""


def described(description: Mapping[str, Any], register: Register) -> dict[str, Any]:
    """With the members about replicas: the other ones, never itself (DDB-TABLE-229)."""
    plain = {name: value for name, value in description.items() if name not in MEMBERS}
    shown = [*others(register), *register["leaving"]] if register else []
    if not shown:
        return plain
    replicas = [replica(register, region) for region in shown]
    values = (VERSION, replicas, "ENABLED_WITH_OVERRIDES")
    return {**plain, **dict(zip(MEMBERS, values, strict=True))}


def replica(register: Register, region: str) -> dict[str, Any]:
    """A ReplicaDescription."""
    said, override = register["replicas"].get(region, {}), register["overrides"].get(region)
    why = said.get("why", "")
    return {
        "RegionName": region,
        "ReplicaStatus": status_of(register, region),
        **({"ReplicaStatusDescription": why} if why else {}),
        **({"ProvisionedThroughputOverride": {"ReadCapacityUnits": override["units"]}} if override else {}),
    }


def status_of(register: Register, region: str) -> str:
    """CREATING until it has all items; UPDATING while it gets them again."""
    if region in register["leaving"]:
        return "DELETING"
    if register["replicas"].get(region, {}).get("status") == REFUSED:
        return "CREATION_FAILED"
    link = register["links"].get(region, {})
    if link.get("status") == ACTIVE:
        return "ACTIVE"
    return "UPDATING" if link.get("again") else "CREATING"


def is_busy(register: Register) -> bool:
    """A replica is coming or going."""
    if not register:
        return False
    shown = [*others(register), *register["leaving"]]
    return any(status_of(register, each) in ("CREATING", "DELETING") for each in shown)


def override_of(register: Register) -> int | None:
    """Read units that this table was given and does not have yet."""
    override = register["overrides"].get(register["own"])
    return None if override is None or override["stamp"] <= register["overridden"] else int(override["units"])
