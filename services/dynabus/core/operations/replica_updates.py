"""ReplicaUpdates of UpdateTable: its shape. What is asked for is judged by `core.tables.replica_changes`.

Constraints: botocore's model. What a replica could have of its own and has not here is refused by name.
"""

from __future__ import annotations

from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import Member, fault, faults_of, read, refuse_unbuilt

NAME = "ReplicaUpdates"
_ACTIONS: dict[str, Member] = {name: Member("Map") for name in ("Create", "Update", "Delete")}
_REGION = Member("String", required=True)
_OVERRIDE = "ProvisionedThroughputOverride"
_UNITS: dict[str, Member] = {"ReadCapacityUnits": Member("Integer", least=1)}
_MEMBERS: dict[str, dict[str, Member]] = {
    "Create": {"RegionName": _REGION, _OVERRIDE: Member("Map")},
    "Update": {"RegionName": _REGION, _OVERRIDE: Member("Map")},
    "Delete": {"RegionName": _REGION},
}
_NOT_YET = ("KMSMasterKeyId", "OnDemandThroughputOverride", "GlobalSecondaryIndexes", "TableClassOverride")


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
            if _OVERRIDE in members:
                members[_OVERRIDE] = read(members[_OVERRIDE], _UNITS)
                faults += faults_of(members[_OVERRIDE], _UNITS, f"{path}provisionedThroughputOverride.")
    return faults
