"""ReplicaUpdates of UpdateTable, and those of the older API: what stands against them. Pure.

Words: ack-api-quirks, DDB-TABLE-188, 203, 223, 225, 265, 307; "ours" where DynamoDB has no such case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dynabus.core.errors import ApiError, resource_in_use, validation_error
from dynabus.core.global_tables.description import is_busy
from dynabus.core.global_tables.register import Register, incomplete, others
from dynabus.core.tables.auto_scaling import WRITE, Scaling, what_of
from dynabus.core.tables.capacity_changes import billing_mode
from dynabus.core.tables.descriptions import Description, refuse_change
from dynabus.core.tables.streams import NEW_AND_OLD

Action = tuple[str, Mapping[str, Any]]
"""("Create" | "Update" | "Delete", its members)."""


def actions_of(updates: Iterable[Mapping[str, Any]]) -> list[Action]:
    """Of checked ReplicaUpdates. Raises KeyError, ValueError for what no router sends."""
    found: list[Action] = []
    for each in updates:
        ((what, members),) = each.items()
        str(members["RegionName"])
        if (what, members) not in found:
            found.append((what, members))
    return found


def check_updates(updates: Sequence[Mapping[str, Any]], own: str) -> None:
    """Raise the ValidationException for updates that contradict themselves, or name this region."""
    if any(not each for each in updates) or any(_asks_nothing(each) for each in updates):
        raise validation_error("There are no actions specified in the Replica Update Action of the request.")
    if len({what for each in updates for what in each}) > 1:
        raise validation_error("Update table operation with more than one type of replica actions not allowed.")
    regions = [(what, members["RegionName"]) for each in updates for what, members in each.items()]
    if any(region == own for what, region in regions if what != "Update"):
        raise validation_error(
            "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or "
            "UpdateTable as required."
        )
    if len({*regions}) > 1:
        raise validation_error(
            "Update table operation with more than one create or delete replica actions not allowed"
        )


def _asks_nothing(update: Mapping[str, Any]) -> bool:
    return "Update" in update and [*update["Update"]] == ["RegionName"]


OVERRIDE, INDEXES = "ProvisionedThroughputOverride", "GlobalSecondaryIndexes"
"""Of a replica's Create and Update."""


def refuse_changing(
    name: str, description: Description | None, register: Register, actions: Sequence[Action]
) -> None:
    """Raise for a table whose replicas cannot be changed now."""
    refusal = refuse_change(name, description)
    if refusal is not None:
        raise refusal
    assert description is not None
    adds = any(what == "Create" for what, _ in actions)
    if description["TableStatus"] != "ACTIVE" or (adds and is_busy(register)):
        raise resource_in_use("The resource which you are attempting to change is in use.")


def alone(own: str) -> ApiError:
    """CreateGlobalTable of this region and no other one: nothing would come of it. (DynamoDB's own words are not
    known.)"""
    return validation_error(f"A replication group of {own} alone is no global table: name another region besides")


def refuse_regions(actions: Sequence[Action], known: Sequence[str]) -> None:
    """Raise for a region that is not known here."""
    for what, members in actions:
        region = members["RegionName"]
        if what == "Create" and region not in known:
            raise validation_error(
                f"Region {region} is not supported. The latest version of global tables are only supported in the "
                f"following regions: [{', '.join(known)}]"
            )


def refuse_members(name: str, register: Register, actions: Sequence[Action]) -> None:
    """Raise for replicas that are there already, or are none."""
    members = others(register) if register else []
    leaving = register["leaving"] if register else []
    if any(what == "Create" and each["RegionName"] in (*members, *leaving) for what, each in actions):
        raise existing(name)
    strangers = [
        each["RegionName"] for what, each in actions if what != "Create" and each["RegionName"] not in members
    ]
    if strangers:
        raise validation_error(
            "Update global table operation failed because one or more replicas were not part of the global table. "
            f"Please retry the request without these replicas: [{', '.join(strangers)}]."
        )


def refuse_origin(name: str, register: Register) -> None:
    """Raise for the deletion of a table that others have yet to get their items from (ours: DynamoDB refuses it for
    24 hours)."""
    regions = incomplete(register)
    if regions:
        raise validation_error(
            f"Replica cannot be deleted because it is the source region of replicas of table {name} that do not "
            f"have all items yet: [{', '.join(regions)}]. Wait until they are ACTIVE, or delete those first."
        )


def existing(name: str) -> ApiError:
    """A replica, or another table of that name, is there."""
    return validation_error(
        f"Failed to create a the new replica of table with name: ‘{name}’ because one or more replicas already "
        "existed as tables."
    )


def refuse_capacity(description: Description, scaling: Scaling) -> None:
    """Raise for a table whose write units nobody raises when other regions write more."""
    if billing_mode(description) == "PAY_PER_REQUEST":
        return
    if WRITE not in scaling:
        raise validation_error("Table write capacity should either be Pay-Per-Request or AutoScaled.")
    for index in description.get("GlobalSecondaryIndexes", ()):
        if what_of(WRITE, index["IndexName"]) not in scaling:
            raise validation_error("GSI write capacity should either be Pay-Per-Request or AutoScaled.")


def refuse_stream(description: Description) -> bool:
    """Whether its stream must be switched on. Raises for one that lacks images (ours: DynamoDB reads no stream)."""
    stream = description.get("StreamSpecification")
    if stream is not None and stream["StreamViewType"] != NEW_AND_OLD:
        raise validation_error(
            f"The table's stream has the view type {stream['StreamViewType']}, and replicas are written from it: "
            f"they need {NEW_AND_OLD}. Disable the stream first."
        )
    return stream is None


def overrides_in(members: Mapping[str, Any]) -> dict[str, int]:
    """Read units in a Create or Update of a replica, of the table ("") and of its indexes by name."""
    given = {each["IndexName"]: each for each in members.get(INDEXES, ())}
    units = {of: each.get(OVERRIDE, {}).get("ReadCapacityUnits") for of, each in {"": members, **given}.items()}
    return {of: int(each) for of, each in units.items() if each is not None}


def refuse_overrides(description: Description, actions: Sequence[Action]) -> None:
    """Raise for read units of an index that is not there (words ours), or of a replica whose table is on demand
    (DDB-TABLE-223)."""
    known = {each["IndexName"] for each in description.get("GlobalSecondaryIndexes", ())}
    named = {each["IndexName"] for _, members in actions for each in members.get(INDEXES, ())}
    if strangers := sorted(named - known):
        raise validation_error(f"The table does not have the specified index: {', '.join(strangers)}")
    given = any(what == "Update" and overrides_in(members) for what, members in actions)
    if given and billing_mode(description) == "PAY_PER_REQUEST":
        raise validation_error(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
