"""Auto scaling settings of a table: what an update makes of them, and how they are described. Pure.

At DynamoDB these operations are a front of Application Auto Scaling, for global tables. Here auto-admin itself does
the scaling (`core.target_tracking`), of the replica in its own region, and of tables that have no other one. Replicas
in other regions are described by their status; settings of their reads are changed there, those of writes everywhere.

stored       {"read": {...}, "write": {...}, "read/INDEX": {...}, ...}, each one of: MinimumUnits, MaximumUnits,
             PolicyName, Target (the policy's configuration as it was given), and the Unix times of the last changes,
             out_s and in_s
described    never set, or switched off    AutoScalingDisabled, no policies
             set                           units, role, one policy
             set, table on demand          the same with AutoScalingDisabled: kept, and of no effect

Sources: ack-api-quirks (DDB-TABLE-189, 241, 242, 253, 254, 255, 314, 317), which has what DynamoDB was seen to
answer; "ours" where it has nothing. Messages lack only what Application Auto Scaling appends: its request's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dynabus.core.errors import ApiError, resource_not_found, validation_error
from dynabus.core.tables.capacity_changes import billing_mode, check_most

Scaling = dict[str, dict[str, Any]]
"""By what they are for: reads or writes, of the table or of one of its global secondary indexes (`what_of`)."""

READ, WRITE = "read", "write"
_NAMES = {READ: "Read", WRITE: "Write"}
_MEMBERS = {
    READ: "ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate",
    WRITE: "ProvisionedWriteCapacityAutoScalingSettingsUpdate",
}
"""As the refusal of an on-demand table names them; that of writes is ours."""

_WANTED = ("MaximumUnits", "ScalingPolicyUpdate", "MinimumUnits")
"""In the order in which DynamoDB misses them."""

TARGET_LEAST, TARGET_MOST = 10.0, 90.0
"""Percent. The guide says 20 to 90; 19.9 was accepted, and what is refused names 10 (DDB-TABLE-253)."""

_ANY_LEAST, _ANY_MOST = 8.51592e-109, 1.174271e108
"""What any target value must lie between, as the refusal of 0 says."""

_ROLE = (
    "role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)


def what_of(kind: str, index: str = "") -> str:
    """Under which settings are stored. No index has a slash in its name."""
    return f"{kind}/{index}" if index else kind


def kind_and_index(what: str) -> tuple[str, str]:
    """The other way; the index of what is for the table is empty."""
    kind, _, index = what.partition("/")
    return kind, index


def of_present(scaling: Scaling, description: Mapping[str, Any]) -> Scaling:
    """Without those of indexes that are gone."""
    present = {"", *(each["IndexName"] for each in description.get("GlobalSecondaryIndexes", ()))}
    return {what: settings for what, settings in scaling.items() if kind_and_index(what)[1] in present}


def no_such_global_table(name: str) -> ApiError:
    """DDB-TABLE-254."""
    return resource_not_found(f"Global table with name: '{name}' does not exist.")


def read_update(request: Mapping[str, Any], region: str, members: Sequence[str] = ()) -> dict[str, Mapping[str, Any]]:
    """The parts of an update by what they are for. Raises ApiError for what names other replicas, or nothing.

    `members`: regions of other replicas.
    """
    name, replicas = request["TableName"], request.get("ReplicaUpdates", ())
    _check_regions(name, [each["RegionName"] for each in replicas], region, members)
    found: dict[str, Mapping[str, Any]] = {}
    for each in replicas:
        if set(each) <= {"RegionName"}:
            raise validation_error(
                f"Failed to update settings for global table with name: ‘{name}’ because at least one update "
                f"parameter must be specified for region: ‘{region}’."
            )
        if "ReplicaProvisionedReadCapacityAutoScalingUpdate" in each:
            found[READ] = each["ReplicaProvisionedReadCapacityAutoScalingUpdate"]
        found |= _of_indexes(READ, each.get("ReplicaGlobalSecondaryIndexUpdates", ()))
    if "ProvisionedWriteCapacityAutoScalingUpdate" in request:
        found[WRITE] = request["ProvisionedWriteCapacityAutoScalingUpdate"]
    found |= _of_indexes(WRITE, request.get("GlobalSecondaryIndexUpdates", ()))
    if not found:
        raise validation_error(
            f"Failed to update settings for global table with name: ‘{name}’ because at least one update parameter "
            "must be specified."  # ours, after that of a region
        )
    return found


def _of_indexes(kind: str, updates: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    names = [each.get("IndexName") for each in updates]
    if None in names or len({*names}) < len(names):
        raise validation_error("Each update of a global secondary index must name another one.")  # ours
    member = f"Provisioned{_NAMES[kind]}CapacityAutoScalingUpdate"
    return {what_of(kind, each["IndexName"]): each[member] for each in updates if member in each}


def _check_regions(name: str, regions: Sequence[str], region: str, members: Sequence[str]) -> None:
    twice = sorted({each for each in regions if regions.count(each) > 1})
    if twice:
        raise validation_error(
            f"Failed to update settings for global table with name: ‘{name}’ because the regions: "
            f"‘[{', '.join(twice)}]’ were specified more than once."
        )
    for other in regions:
        if other in members:
            raise validation_error(
                f"Failed to update settings for global table with name: ‘{name}’: those of the replica in region: "
                f"‘{other}’ are changed in that region."  # ours
            )
        if other != region:
            raise resource_not_found(f"Global table with name: '{name}' has no replica in region: '{other}'.")  # ours


def try_update(request: Mapping[str, Any]) -> None:
    """Raise KeyError, TypeError or the like for a request that no router sends; refusals are answers, and pass."""
    with suppress(ApiError):
        regions = [str(each["RegionName"]) for each in request.get("ReplicaUpdates", ())]
        asked = read_update(request, regions[0] if regions else "")
        units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
        indexes = [{"IndexName": index} for what in asked if (index := kind_and_index(what)[1])]
        whole = {"ProvisionedThroughput": units, "GlobalSecondaryIndexes": indexes}
        update(str(request["TableName"]), {}, asked, whole, "")


def update(
    name: str, scaling: Scaling, asked: Mapping[str, Mapping[str, Any]], description: Mapping[str, Any], region: str
) -> Scaling:
    """The settings after an update; all of it or nothing. Raises ApiError."""
    after = dict(scaling)
    for what, settings in asked.items():
        kind, index = kind_and_index(what)
        if what not in of_present({what: {}}, description):
            # Ours: what DynamoDB says of it is not known.
            raise resource_not_found(f"Requested resource not found: Index: {index} of table: {name} not found")
        if settings.get("AutoScalingDisabled"):
            _check_blank(name, settings)
            after.pop(what, None)
        else:
            _check_whole(name, settings)
            _check_mode(name, kind, description, region)
            _check_units(settings)
            resource = f"table/{name}/index/{index}" if index else f"table/{name}"
            after[what] = _settings(resource, kind, settings, scaling.get(what, {}))
    return after


def _check_blank(name: str, settings: Mapping[str, Any]) -> None:
    given = [each for each in ("MaximumUnits", "MinimumUnits", "ScalingPolicyUpdate") if each in settings]
    if given:
        named = ", ".join(f"'{each}'" for each in given)
        raise validation_error(
            f"Failed to update settings for global table with name ‘{name}’: Parameters {named} must be left blank "
            "when disabling auto scaling."
        )


def _check_whole(name: str, settings: Mapping[str, Any]) -> None:
    missing = [each for each in _WANTED if each not in settings]
    if missing:
        named = ", ".join(f"'{each}'" for each in missing)
        raise validation_error(
            f"Failed to update settings for global table with name: ‘{name}’: Parameters {named} are required unless "
            "auto scaling is being disabled."
        )


def _check_mode(name: str, kind: str, description: Mapping[str, Any], region: str) -> None:
    if billing_mode(description) == "PAY_PER_REQUEST":
        raise validation_error(
            f"Failed to update global table with name ‘{name}‘. Replicas '{region.upper()}' BillingMode is "
            "PayPerRequest. You must convert table's BillingMode to PROVISIONED to set parameters: "
            f"'{_MEMBERS[kind]}'."
        )


def _check_units(settings: Mapping[str, Any]) -> None:
    if settings["MaximumUnits"] < settings["MinimumUnits"]:
        raise validation_error("Maximum capacity cannot be less than minimum capacity")
    check_most({name: settings[name] for name in ("MinimumUnits", "MaximumUnits")})


def check_target(kind: str, target: float) -> None:
    """Raise the ValidationException for a target value that is none."""
    if not _ANY_LEAST <= target <= _ANY_MOST:
        raise validation_error(
            f"For target tracking scaling, target value must be between '8.51592E-109' and '1.174271E108', but was "
            f"'{target}'."
        )
    if not TARGET_LEAST <= target <= TARGET_MOST:
        raise validation_error(
            f"For predefined metric type DynamoDB{_NAMES[kind]}CapacityUtilization, target value must be between "
            f"'{TARGET_LEAST}' and '{TARGET_MOST}', but was '{target}'."
        )


def _settings(resource: str, kind: str, asked: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    policy = asked["ScalingPolicyUpdate"]
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    target = float(configuration["TargetValue"])
    check_target(kind, target)
    return {
        "MinimumUnits": asked["MinimumUnits"],
        "MaximumUnits": asked["MaximumUnits"],
        "PolicyName": policy.get("PolicyName", f"DynamoDB{_NAMES[kind]}CapacityUtilization:{resource}"),
        "Target": {**configuration, "TargetValue": target},
        **{stamp: before[stamp] for stamp in ("out_s", "in_s") if stamp in before},
    }


# -- descriptions -------------------------------------------------------------------------------------------------


def describe(
    description: Mapping[str, Any], status: str, scaling: Scaling, region: str, account: str
) -> dict[str, Any]:
    """A TableAutoScalingDescription: the table's replicas by region, other ones by their status."""

    def shown(kind: str, index: str = "") -> dict[str, Any]:
        return _shown(scaling.get(what_of(kind, index)), description, account)

    own = {
        "RegionName": region,
        "GlobalSecondaryIndexes": [
            {
                "IndexName": each["IndexName"],
                "IndexStatus": each["IndexStatus"],
                "ProvisionedReadCapacityAutoScalingSettings": shown(READ, each["IndexName"]),
                "ProvisionedWriteCapacityAutoScalingSettings": shown(WRITE, each["IndexName"]),
            }
            for each in description.get("GlobalSecondaryIndexes", ())
        ],
        "ReplicaProvisionedReadCapacityAutoScalingSettings": shown(READ),
        "ReplicaProvisionedWriteCapacityAutoScalingSettings": shown(WRITE),
        "ReplicaStatus": "CREATING" if status == "CREATING" else "ACTIVE",
    }
    others = [
        {member: each[member] for member in ("RegionName", "ReplicaStatus")}
        for each in description.get("Replicas", ())
    ]
    return {
        "TableName": description["TableName"],
        "TableStatus": status,
        "Replicas": sorted([own, *others], key=lambda each: str(each["RegionName"])),
    }


def _shown(settings: Mapping[str, Any] | None, description: Mapping[str, Any], account: str) -> dict[str, Any]:
    if settings is None:
        return {"AutoScalingDisabled": True, "ScalingPolicies": []}
    off = {"AutoScalingDisabled": True} if billing_mode(description) == "PAY_PER_REQUEST" else {}
    policy = {"PolicyName": settings["PolicyName"], "TargetTrackingScalingPolicyConfiguration": settings["Target"]}
    return {
        "MinimumUnits": settings["MinimumUnits"],
        "MaximumUnits": settings["MaximumUnits"],
        **off,
        "AutoScalingRoleArn": f"arn:aws:iam::{account}:{_ROLE}",
        "ScalingPolicies": [policy],
    }
