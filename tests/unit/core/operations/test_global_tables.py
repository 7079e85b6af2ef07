"""Replicas as the API shows and takes them, old and new; what auto-admins make of them: tests/unit/auto_admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from tests.unit.core.operations.cluster import REGION, Cluster

SERVICE: Any = botocore.session.get_session().get_service_model("dynamodb")
AWAY, THIRD = "us-east-1", "us-west-2"


def created(region: str, **more: Any) -> list[dict[str, Any]]:
    return [{"Create": {"RegionName": region, **more}}]


@pytest.fixture
def group(cluster: Cluster) -> Cluster:
    """With a table that has a replica."""
    cluster.table("tab")
    assert "TableDescription" in cluster.ask("UpdateTable", TableName="tab", ReplicaUpdates=created(AWAY))
    return cluster


def unknown(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Members of an answer that botocore's model does not have."""
    if shape.type_name == "structure":
        for name, each in value.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            else:
                yield from unknown(shape.members[name], each, f"{path}.{name}")
    elif shape.type_name == "list":
        for each in value:
            yield from unknown(shape.member, each, path)


def test_answers_have_the_models_members(group: Cluster) -> None:
    named = {"GlobalTableName": "tab"}
    for operation, request in (
        ("DescribeTable", {"TableName": "tab"}),
        ("DescribeGlobalTable", named),
        ("ListGlobalTables", {}),
        ("UpdateGlobalTable", {**named, "ReplicaUpdates": [{"Delete": {"RegionName": AWAY}}]}),
    ):
        model = SERVICE.operation_model(operation)
        validate_parameters(request, model.input_shape)
        found = [each for each in unknown(model.output_shape, group.ask(operation, **request)) if "Mode" not in each]
        assert found == [], operation


def test_described_by_the_newer_api(group: Cluster) -> None:
    table = group.ask("DescribeTable", TableName="tab")["Table"]
    assert table["GlobalTableVersion"] == "2019.11.21"
    assert table["GlobalTableSettingsReplicationMode"] == "ENABLED_WITH_OVERRIDES"
    assert table["Replicas"] == [{"RegionName": AWAY, "ReplicaStatus": "CREATING"}], "never itself (DDB-TABLE-229)"
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_described_by_the_older_api(group: Cluster) -> None:
    shown = group.ask("DescribeGlobalTable", GlobalTableName="tab")["GlobalTableDescription"]
    statuses = {each["RegionName"]: each["ReplicaStatus"] for each in shown["ReplicationGroup"]}
    assert statuses == {REGION: "ACTIVE", AWAY: "CREATING"}
    assert (shown["GlobalTableStatus"], shown["GlobalTableName"]) == ("CREATING", "tab")
    assert shown["GlobalTableArn"] == "arn:aws:dynamodb::123456789012:global-table/tab"


def test_made_by_the_older_api(cluster: Cluster) -> None:
    cluster.table("tab")
    regions = [{"RegionName": each} for each in (REGION, AWAY, THIRD)]
    made = cluster.ask("CreateGlobalTable", GlobalTableName="tab", ReplicationGroup=regions)["GlobalTableDescription"]
    assert [each["RegionName"] for each in made["ReplicationGroup"]] == sorted([REGION, AWAY, THIRD])
    again = cluster.ask("CreateGlobalTable", GlobalTableName="tab", ReplicationGroup=regions)
    assert again["__type"].endswith("#GlobalTableAlreadyExistsException")


def test_changed_by_the_older_api(group: Cluster) -> None:
    def update(**action: Any) -> Any:
        updates = [{what: {"RegionName": region}} for what, region in action.items()]
        return group.ask("UpdateGlobalTable", GlobalTableName="tab", ReplicaUpdates=updates)

    assert update(Create=AWAY)["__type"].endswith("#ReplicaAlreadyExistsException")
    assert update(Create=REGION)["__type"].endswith("#ReplicaAlreadyExistsException")
    assert update(Delete=THIRD)["__type"].endswith("#ReplicaNotFoundException")
    left = update(Delete=AWAY)["GlobalTableDescription"]["ReplicationGroup"]
    assert {each["RegionName"]: each["ReplicaStatus"] for each in left} == {REGION: "ACTIVE", AWAY: "DELETING"}


def test_listed_page_by_page(cluster: Cluster) -> None:
    for name in ("one", "three", "two", "zero"):
        cluster.table(name)
    for name, region in (("one", AWAY), ("three", THIRD), ("two", AWAY)):
        cluster.ask("UpdateTable", TableName=name, ReplicaUpdates=created(region))

    def listed(**more: Any) -> tuple[list[str], str | None]:
        answer = cluster.ask("ListGlobalTables", **more)
        names = [each["GlobalTableName"] for each in answer["GlobalTables"]]
        return names, answer.get("LastEvaluatedGlobalTableName")

    assert listed() == (["one", "three", "two"], None)
    assert listed(Limit=1) == (["one"], "one")
    assert listed(Limit=1, ExclusiveStartGlobalTableName="three") == (["two"], None)
    assert listed(RegionName=THIRD) == (["three"], None)
    assert listed(RegionName=REGION) == (["one", "three", "two"], None)


def test_replicas_go_with_nothing_else(cluster: Cluster) -> None:
    cluster.table("tab")
    asked = {"TableName": "tab", "ReplicaUpdates": created(AWAY), "DeletionProtectionEnabled": True}
    assert "must be the only operation in the request" in cluster.message("UpdateTable", **asked)


def test_what_a_replica_cannot_have_of_its_own(cluster: Cluster) -> None:
    cluster.table("tab")
    for member, value in (
        ("KMSMasterKeyId", "alias/x"),
        ("TableClassOverride", "STANDARD"),
        ("OnDemandThroughputOverride", {"MaxReadRequestUnits": 5}),
    ):
        text = f"{member} is not supported by this version of Dynabus"
        for updates in (
            created(AWAY, **{member: value}),
            created(AWAY, GlobalSecondaryIndexes=[{"IndexName": "abc", member: value}]),
        ):
            assert cluster.message("UpdateTable", TableName="tab", ReplicaUpdates=updates) == text


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ([], "replicaUpdates.1.member.create.globalSecondaryIndexes' failed"),
        ([{}], "globalSecondaryIndexes.1.member.indexName' failed to satisfy constraint: Member must not be null"),
        ([{"IndexName": "a"}], "Member must have length greater than or equal to 3"),
        (
            [{"IndexName": "abc", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 0}}],
            "globalSecondaryIndexes.1.member.provisionedThroughputOverride.readCapacityUnits' failed",
        ),
        ([{"IndexName": "abc"}], "The table does not have the specified index: abc"),
        ({"IndexName": "abc"}, "Start of structure or map found where not expected"),
        (["abc"], "Unexpected value type in payload"),
        ([{"IndexName": "abc", "ProvisionedThroughputOverride": [5]}], "found where not expected"),
    ],
)
def test_read_units_of_indexes_that_are_none(cluster: Cluster, indexes: Any, text: str) -> None:
    cluster.table("tab")
    updates = created(AWAY, GlobalSecondaryIndexes=indexes)
    assert text in cluster.message("UpdateTable", TableName="tab", ReplicaUpdates=updates)


def test_consistency_of_many_regions(cluster: Cluster) -> None:
    cluster.table("tab")
    asked = {"TableName": "tab", "ReplicaUpdates": created(AWAY)}
    strong = cluster.message("UpdateTable", **asked, MultiRegionConsistency="STRONG")
    assert strong == "MultiRegionConsistency is not supported by this version of Dynabus"
    assert "TableDescription" in cluster.ask("UpdateTable", **asked, MultiRegionConsistency="EVENTUAL")
