"""What a region keeps of a global table beside the table itself: a last-writer-wins register. Pure.

One part of it is the same in all regions in the end, whoever writes it. Of each piece of it the higher stamp wins, so
that a change of settings by a region that has not heard of a member takes none away:

    group              id of the table with which it began: another group is another global table
    membership         by region: whether it is a `member`
    origins            by region that was added, or lost items: who sends it every item (`origins`)
    overrides          by region: read units that it was given (`overrides`)
    definition         settings that are kept alike (`definition`)
    definition_stamp   [Unix ms, region] of their last change

Each region's entry in the first three is a piece with a `stamp` of its own, which stays for as long as the register.

The other part is this region's own:

    own          its name
    members      those that membership names, in order
    leaving      regions that are members no more and have not said that they know
    former       regions that were members and are none: until which time (Unix ms) what they wrote is sent on by
                 whoever has it, since they may send nothing any more; for good, until they are members again
    replicas     by region: the stamps that it has acknowledged, and what it said: status, why
    links        by region: what is sent there (`links`): status, created_ms, the table's id there, of which regions
                 the initial copy sends rows (`rows`; without it: of this one), and until which time (Unix ms) what
                 that region wrote itself is given back, since it lost items (`returned`)
    overridden   stamp of the override that this table has

A region tells every other member what it has until it is acknowledged, and whoever has more answers with that. What
it has not yet got of the settings a table takes step by step (`definition.next_change`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dynabus.core.global_tables import overrides, sending
from dynabus.core.global_tables.definition import Definition
from dynabus.core.global_tables.links import ACTIVE, COPYING, DELETING
from dynabus.core.global_tables.origins import lost_of, origin_of, rank, with_loss
from dynabus.core.global_tables.sending import Register as Register
from dynabus.core.global_tables.sending import is_copied_again as is_copied_again

GONE, REFUSED = "GONE", "REFUSED"
"""What a region says besides a table's status: it has no such replica; it will not have one."""

_BY_REGION = ("membership", "origins", "overrides")
_SETTINGS = ("definition", "definition_stamp")
_SHARED = ("group", *_BY_REGION, *_SETTINGS)
FORMAT = 1
"""Of what other regions are told."""


class Said(NamedTuple):
    """A region's answer to a word: the status of its replica, what is wrong with it, and the table's id."""

    status: str
    why: str = ""
    table: str = ""


def begun(own: str, group: str) -> Register:
    """Of a table that has no replica yet."""
    return {
        "group": group,
        "membership": {own: {"member": True, "stamp": [0, own]}},
        "members": [own],
        "origins": {},
        "overrides": {},
        "definition": {},
        "definition_stamp": [0, own],
        "own": own,
        "leaving": [],
        "former": {},
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
    """As metadata say it, those whose changes are taken: its own first; none where there are no others. Who leaves
    still sends what its clients were told of."""
    if not is_member(register):
        return []
    those = [*others(register), *register["leaving"]]
    return [register["own"], *those] if those else []


def stamps_of(register: Mapping[str, Any]) -> list[Any]:
    """Of all pieces, of a register or a message: what is acknowledged."""
    by_region = [{region: each["stamp"] for region, each in register[name].items()} for name in _BY_REGION]
    return [register["definition_stamp"], *by_region]


def with_definition(register: Register, definition: Definition, wall_ms: int) -> Register:
    """With other settings, by this region."""
    stamp = [max(wall_ms, register["definition_stamp"][0] + 1), register["own"]]
    return {**register, "definition": definition, "definition_stamp": stamp}


def _with(register: Register, name: str, wall_ms: int, values: Mapping[str, Mapping[str, Any]]) -> Register:
    """With other entries of some regions."""
    known = register[name]
    entries = {
        region: {
            **value,
            "stamp": [max(wall_ms, known[region]["stamp"][0] + 1 if region in known else 0), register["own"]],
        }
        for region, value in values.items()
    }
    return {**register, name: {**known, **entries}}


def members_of(membership: Mapping[str, Any]) -> list[str]:
    return sorted(region for region, each in membership.items() if each["member"])


def with_members(
    register: Register, members: Sequence[str], wall_ms: int, reads: Mapping[str, int] | None = None
) -> Register:
    """The same with other members, by this region. Those that were some are told until they know. `reads`: of those
    that come (`origins`)."""
    added, gone = {*members} - {*register["members"]}, {*register["members"]} - {*members}
    after = _with(register, "membership", wall_ms, {each: {"member": each in added} for each in added | gone})
    first = {"from": register["own"], **({"reads": {**reads}} if reads else {})}
    after = _with(after, "origins", wall_ms, {key: {**with_loss(register, key), **first} for key in added})
    after = _with(after, "overrides", wall_ms, dict.fromkeys(gone & register["overrides"].keys(), overrides.NONE))
    return _moved(after, register, wall_ms)


def with_override(register: Register, region: str, units: Mapping[str, int], wall_ms: int) -> Register:
    """With read units for a region, as `units_for` has them, besides those that it was given before."""
    return _with(register, "overrides", wall_ms, {region: overrides.besides(register, region, units)})


def copied_to(register: Register, region: str, wall_ms: int) -> Register:
    """With an initial copy that was acknowledged: if it had every row, all are told that the region has all."""
    after = with_link(register, region, status=ACTIVE)
    if not is_whole(register, region):
        return after
    return _with(after, "origins", wall_ms, {region: {**with_loss(register, region), "from": ""}})


def copied_again(register: Register, region: str, wall_ms: int, *lost: str) -> Register:
    """With a link whose initial copy is to be made once more, with what regions have `lost` too."""
    return {**register, "links": {**register["links"], region: sending.again(register, region, wall_ms, *lost)}}


def _moved(after: Register, before: Register, wall_ms: int) -> Register:
    """Who was a member `before` and is none leaves. Who came again stays."""
    members, own = members_of(after["membership"]), after["own"]
    leaving = sorted({*after["leaving"], *before["members"]} - {*members, own})
    return sending.changed({**after, "members": members, "leaving": leaving}, before, wall_ms)


def message_of(register: Register) -> dict[str, Any]:
    """What other regions are told."""
    return {"format": FORMAT, "by": register["own"], **{member: register[member] for member in _SHARED}}


def joined(own: str, message: Mapping[str, Any]) -> Register:
    """Of a table that becomes a replica by what another region has."""
    shared = {member: message[member] for member in _SHARED}
    members = members_of(shared["membership"])
    former = dict.fromkeys(shared["membership"].keys() - {*members}, sending.FOR_GOOD)
    return {**begun(own, ""), **shared, "members": members, "former": former}


def is_newer(message: Mapping[str, Any], register: Register) -> bool:
    """In one piece at least."""
    settings = bool(message["definition_stamp"] > register["definition_stamp"])
    return settings or any(_newer(message[name], register[name]) for name in _BY_REGION)


def _newer(said: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {region: each for region, each in said.items() if region not in known or rank(each) > rank(known[region])}


def taken(register: Register, message: Mapping[str, Any], wall_ms: int) -> Register:
    """With what another region has, as far as it is newer. Links to who was a member before, and is none, end."""
    merged = {name: {**register[name], **_newer(message[name], register[name])} for name in _BY_REGION}
    after = {**register, **merged}
    if message["definition_stamp"] > register["definition_stamp"]:
        after |= {member: message[member] for member in _SETTINGS}
    return _moved(after, register, wall_ms)


def staying(register: Register, message: Mapping[str, Any], wall_ms: int) -> Register:
    """As `taken`, but for what is said of this region's own membership."""
    own = {register["own"]: register["membership"][register["own"]]}
    return taken(register, {**message, "membership": {**message["membership"], **own}}, wall_ms)


def parted(register: Register, message: Mapping[str, Any], wall_ms: int) -> Register:
    """With who is a member no more, as far as that is newer, and nothing else of what another region has."""
    gone = {
        region: each
        for region, each in message["membership"].items()
        if not each["member"] and region in register["membership"] and region != register["own"]
    }
    own = {member: register[member] for member in _SETTINGS}
    return taken(register, {**message, **own, "membership": gone, "origins": {}, "overrides": {}}, wall_ms)


def to_tell(register: Register) -> list[str]:
    """Regions that have not acknowledged what is here, or have not done what it asks for. Of who is no member
    itself no more is asked for."""
    if not register:
        return []
    here = is_member(register)
    wanted = [each for each in register["members"] if each != register["own"]]
    leaving = [each for each in register["leaving"] if here or not _knows(register, each, here)]
    return [each for each in wanted if not _knows(register, each, here)] + leaving


def _knows(register: Register, region: str, here: bool) -> bool:
    said = register["replicas"].get(region, {})
    if said.get("stamps") != stamps_of(register):
        return False
    return not here or (said["status"] == ACTIVE and region in register["links"])


def is_void(register: Register) -> bool:
    """Whether this region is removed by one that was removed itself, by another one, and nobody is left: each would
    delete its table, and the items would be gone that all of them meant to keep somewhere."""
    if register["members"]:
        return False
    membership, own = register["membership"], register["own"]
    by = membership[own]["stamp"][1]
    return by != own and by in membership and membership[by]["stamp"][1] != by


def told_by(register: Register, message: Mapping[str, Any]) -> Register:
    """Of a region that leaves: a member that said all that is here tells the others."""
    if stamps_of(register) != stamps_of(message) or message["by"] not in register["members"]:
        return register
    known = {"stamps": stamps_of(register), "status": ACTIVE, "why": ""}
    return {**register, "replicas": dict.fromkeys((*register["members"], *register["leaving"]), known)}


def answered(
    register: Register, region: str, stamps: Sequence[Any], said: Said, wall_ms: int, *, streams: bool
) -> Register:
    """With what a region said of these stamps. `streams`: the table's stream has all writes from now on."""
    status, why, table = said
    if [*stamps] != stamps_of(register):
        return register
    if region in register["leaving"]:
        if status == GONE:
            return forgotten(register, region)
        return said_by(register, region, status, why)
    if region not in register["members"]:
        return register
    after = said_by(register, region, status, why)
    known = register["links"].get(region)
    if status != ACTIVE or not streams or not is_member(register):
        return after
    if known and known["status"] != DELETING:
        return after if known["table"] == table else _made_anew(after, region, table, wall_ms)
    link = {"status": COPYING, "created_ms": wall_ms, "table": table}
    if (lost_ms := lost_of(register, region)[0]) > 0:
        # It may have sent us what it lost.
        rows = sorted({register["own"], *sending.former_of(register), region})
        link |= {"rows": rows, "again": True, "returned": lost_ms}
    return {**after, "links": {**register["links"], region: link}}


def _made_anew(register: Register, region: str, table: str, wall_ms: int) -> Register:
    """The region had lost its table, and has none of the items that were sent to the one before. Who sends it every
    item it says itself."""
    returned = max(wall_ms, lost_of(register, region)[0], register["links"][region].get("returned", 0))
    return with_link(copied_again(register, region, wall_ms, region), region, table=table, returned=returned)


def lost_writes(register: Register, wall_ms: int, by: str = "") -> Register:
    """Of a replica whose log lost what it had acknowledged: another one sends it every item, all others what they and
    it wrote, and it sends all of its own once more. `by`: who is there, and rather does so."""
    rest = others(register)
    if not rest:
        return register
    rest = sorted(rest, key=lambda each: (bool(origin_of(register, each)), each != by))
    links = {
        region: link if link["status"] == DELETING else sending.again(register, region, wall_ms)
        for region, link in register["links"].items()
    }
    after = _with({**register, "links": links}, "origins", wall_ms, {register["own"]: {"from": rest[0]}})
    piece = after["origins"][register["own"]]
    return {**after, "origins": {**after["origins"], register["own"]: {**piece, "lost": piece["stamp"]}}}


def said_by(register: Register, region: str, status: str, why: str) -> Register:
    """With what a region knows and says."""
    said = {"stamps": stamps_of(register), "status": status, "why": why}
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
    """Whether the initial copy to this region has every row: it was added here, or whoever did is gone."""
    return bool(origin_of(register, region) == register["own"])


def lacks_items(register: Register) -> bool:
    """Whether another region sends the table here every item, and it does not have all yet."""
    return bool(register) and bool(origin_of(register, register["own"]))


def incomplete(register: Register) -> list[str]:
    """Replicas that have their items from this region, and do not have all yet, or not those that are copied again:
    maybe nobody else has them."""
    if not register:
        return []
    return [each for each in others(register) if is_whole(register, each) or is_copied_again(register, each)]
