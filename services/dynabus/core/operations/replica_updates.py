"""ReplicaUpdates of UpdateTable: its shape. What is asked for is judged by `core.tables.replica_changes`.

Constraints: botocore's model. What a replica could have of its own and has not here is refused by name.
"""

from __future__ import annotations

from typing import Any

from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import NAME_PATTERN, Member, fault, faults_of, read, refuse_unbuilt
from dynabus.core.tables.replica_changes import INDEXES, OVERRIDE

NAME = "ReplicaUpdates"
_ACTIONS: dict[str, Member] = {name: Member("Map") for name in ("Create", "Update", "Delete")}
_REGION = Member("String", required=True)
_UNITS: dict[str, Member] = {"ReadCapacityUnits": Member("Integer", least=1)}
_INDEX: dict[str, Member] = {
    "IndexName": Member("String", required=True, shortest=3, longest=255, pattern=NAME_PATTERN),
    OVERRIDE: Member("Map"),
}
_MEMBERS: dict[str, dict[str, Member]] = {
    "Create": {"RegionName": _REGION, OVERRIDE: Member("Map"), INDEXES: Member("List", shortest=1)},
    "Update": {"RegionName": _REGION, OVERRIDE: Member("Map"), INDEXES: Member("List", shortest=1)},
    "Delete": {"RegionName": _REGION},
}
_NOT_YET = ("KMSMasterKeyId", "OnDemandThroughputOverride", "TableClassOverride")


def replica_updates(request: Request) -> list[str]:
    """Read in place; the faults that were found. Raises ApiError for what a replica cannot have of its own."""
    if NAME not in request:
        return []
    faults: list[str] = []
    if not request[NAME]:
        faults.append(fault("[]", "replicaUpdates", "Member must have length greater than or equal to 1"))
    for each in request[NAME]:
        if each.__class__ is dict:
            refuse_unbuilt(each, ("Disassociate",))
    request[NAME] = [read(each, _ACTIONS) for each in request[NAME]]
    for number, each in enumerate(request[NAME], 1):
        for what in each:
            path = f"replicaUpdates.{number}.member.{what.lower()}."
            given = each[what]
            members = each[what] = read(given, _MEMBERS[what])
            refuse_unbuilt(given, _NOT_YET)
            faults += faults_of(members, _MEMBERS[what], path)
            faults += _override(members, path)
            for at, index in enumerate(members.get(INDEXES, ()), 1):
                place = f"{path}globalSecondaryIndexes.{at}.member."
                taken = members[INDEXES][at - 1] = read(index, _INDEX)
                refuse_unbuilt(index, _NOT_YET)
                faults += faults_of(taken, _INDEX, place) + _override(taken, place)
    return faults


def _override(members: dict[str, Any], path: str) -> list[str]:
    """Read in place; the faults of read units that a replica, or an index of it, is given."""
    if OVERRIDE not in members:
        return []
    units = members[OVERRIDE] = read(members[OVERRIDE], _UNITS)
    return faults_of(units, _UNITS, f"{path}provisionedThroughputOverride.")
