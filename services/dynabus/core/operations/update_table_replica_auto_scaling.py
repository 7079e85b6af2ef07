"""UpdateTableReplicaAutoScaling.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTableReplicaAutoScaling.html

The structures are read here, what they ask for is decided by auto-admin (`core.tables.auto_scaling`). Constraints:
botocore's model. Order: shapes, then what auto-admin looks at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from dynabus.core.operations.arns import TABLE, table_name
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import FLAG, INDEX_NAME, Member, detected, fault, faults_of, read
from dynabus.core.operations.waits import changed

_UNITS = Member("Integer", least=1)
TARGET: dict[str, Member] = {
    "DisableScaleIn": FLAG,
    "ScaleInCooldown": Member("Integer"),
    "ScaleOutCooldown": Member("Integer"),
    "TargetValue": Member("Double", required=True),
}
POLICY: dict[str, Member] = {
    "PolicyName": Member("String", shortest=1, longest=256),
    "TargetTrackingScalingPolicyConfiguration": Member("Map", required=True),
}
SETTINGS: dict[str, Member] = {
    "MinimumUnits": _UNITS,
    "MaximumUnits": _UNITS,
    "AutoScalingDisabled": FLAG,
    "AutoScalingRoleArn": Member("String", shortest=1, longest=1600),
    "ScalingPolicyUpdate": Member("Map"),
}
INDEX: dict[str, Member] = {"IndexName": INDEX_NAME, "ProvisionedWriteCapacityAutoScalingUpdate": Member("Map")}
REPLICA_INDEX: dict[str, Member] = {
    "IndexName": INDEX_NAME,
    "ProvisionedReadCapacityAutoScalingUpdate": Member("Map"),
}
REPLICA: dict[str, Member] = {
    "RegionName": Member("String", required=True),
    "ReplicaGlobalSecondaryIndexUpdates": Member("List"),
    "ReplicaProvisionedReadCapacityAutoScalingUpdate": Member("Map"),
}
MEMBERS: dict[str, Member] = {
    "GlobalSecondaryIndexUpdates": Member("List"),
    "TableName": TABLE,
    "ProvisionedWriteCapacityAutoScalingUpdate": Member("Map"),
    "ReplicaUpdates": Member("List"),
}
_INNER: dict[str, Mapping[str, Member]] = {
    "GlobalSecondaryIndexUpdates": INDEX,
    "ReplicaUpdates": REPLICA,
    "ReplicaGlobalSecondaryIndexUpdates": REPLICA_INDEX,
    "ProvisionedWriteCapacityAutoScalingUpdate": SETTINGS,
    "ProvisionedReadCapacityAutoScalingUpdate": SETTINGS,
    "ReplicaProvisionedReadCapacityAutoScalingUpdate": SETTINGS,
    "ScalingPolicyUpdate": POLICY,
    "TargetTrackingScalingPolicyConfiguration": TARGET,
}
"""What is in the members that hold structures, by their names; lists hold one after the other."""

_PRINTABLE = re.compile("[ -~]*")
"""Java's `\\p{Print}`, as which it is told."""

_NOT_EMPTY = frozenset({"GlobalSecondaryIndexUpdates", "ReplicaUpdates"})


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin decides."""
    faults: list[str] = []
    request = _read(body, MEMBERS, "", faults)
    if faults:
        raise detected(faults)
    name = request["TableName"] = table_name(request["TableName"], context)
    newest = context.view.newest
    (reply,) = yield Control("UpdateTableReplicaAutoScaling", orjson.dumps(request))
    done = settled(reply)
    if done["count"]:  # something has changed
        yield changed(context, name, newest)
    return bytes(done["body"])


def _read(body: Any, members: Mapping[str, Member], path: str, faults: list[str]) -> dict[str, Any]:
    """A structure with all that is in it; `faults` collects the constraints that it breaks."""
    present = read(body, members)
    faults += faults_of(present, members, path)
    if not _PRINTABLE.fullmatch(present.get("PolicyName", "")):
        pattern = r"Member must satisfy regular expression pattern: \p{Print}+"
        faults.append(fault(present["PolicyName"], f"{path}policyName", pattern))
    for name, value in present.items():
        inner = _INNER.get(name)
        if inner is None:
            continue
        place = f"{path}{name[0].lower()}{name[1:]}"
        if members[name].type == "Map":
            present[name] = _read(value, inner, f"{place}.", faults)
            continue
        if not value and name in _NOT_EMPTY:
            faults.append(fault("[]", place, "Member must have length greater than or equal to 1"))
        present[name] = [
            _read(each, inner, f"{place}.{number}.member.", faults) for number, each in enumerate(value, 1)
        ]
    return present
