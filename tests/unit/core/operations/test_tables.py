"""Tables: what CreateTable asks of auto-admin, what auto-admin decides, what is shown of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.operations.cluster import Cluster

from dynabus.core.operations import tag_resource
from dynabus.core.replication.store import Outcome

IN_USE = "com.amazonaws.dynamodb.v20120810#ResourceInUseException"
GOOD: dict[str, Any] = {
    "TableName": "tab",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}


def test_a_table_is_described(cluster: Cluster) -> None:
    created = cluster.ask("CreateTable", **GOOD)["TableDescription"]
    shown = cluster.ask("DescribeTable", TableName="tab")["Table"]
    assert created["TableStatus"] == "CREATING"
    assert created["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    since = {"LastUpdateToPayPerRequestDateTime": created["CreationDateTime"]}
    assert shown == {
        **created,
        "TableStatus": "ACTIVE",
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", **since},
        "TableThroughputModeSummary": {"TableThroughputMode": "PAY_PER_REQUEST", **since},
        "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
    }
    assert shown["ProvisionedThroughput"] == {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": 0,
        "WriteCapacityUnits": 0,
    }
    assert len(shown["TableId"]) == 36


def test_a_provisioned_table_is_described(cluster: Cluster) -> None:
    request = {name: value for name, value in GOOD.items() if name != "BillingMode"}
    created = cluster.ask("CreateTable", **request, ProvisionedThroughput=UNITS)["TableDescription"]
    assert created["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **UNITS}
    assert "BillingModeSummary" not in created


def test_a_name_is_taken_until_its_table_is_deleted(cluster: Cluster) -> None:
    cluster.ask("CreateTable", **GOOD)
    again = cluster.ask("CreateTable", **GOOD)
    assert (again["__type"], again["message"]) == (IN_USE, "Table already exists: tab")
    assert cluster.ask("DeleteTable", TableName="tab")["TableDescription"]["TableStatus"] == "DELETING"
    gone = "Requested resource not found: Table: tab not found"
    assert cluster.message("DescribeTable", TableName="tab") == gone
    assert cluster.message("DeleteTable", TableName="tab") == gone
    assert "TableDescription" in cluster.ask("CreateTable", **GOOD)


def test_protected_tables_are_not_deleted(cluster: Cluster) -> None:
    cluster.ask("CreateTable", **GOOD, DeletionProtectionEnabled=True)
    assert "protected against deletion" in cluster.message("DeleteTable", TableName="tab")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("SSESpecification", {"Enabled": True}),
        ("ResourcePolicy", "{}"),
        ("VectorIndexes", []),
        ("GlobalTableSourceArn", "arn:aws:dynamodb:eu-west-1:123456789012:table/other"),
    ],
)
def test_what_is_not_built_is_refused_by_name(cluster: Cluster, member: str, value: Any) -> None:
    text = cluster.message("CreateTable", **GOOD, **{member: value})
    assert text == f"{member} is not supported by this version of Dynabus"
    assert cluster.ask("ListTables") == {"TableNames": []}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("StreamSpecification", {"StreamEnabled": False}),
        ("SSESpecification", {"Enabled": False}),
        ("SSESpecification", {}),
        ("Tags", []),
        ("TableClass", "STANDARD"),
        ("DeletionProtectionEnabled", False),
    ],
)
def test_harmless_defaults_pass(cluster: Cluster, member: str, value: Any) -> None:
    assert "TableDescription" in cluster.ask("CreateTable", **GOOD, **{member: value})


@pytest.mark.parametrize("name", ["SSEType", "KMSMasterKeyId"])
def test_no_kind_of_encryption_without_encryption(cluster: Cluster, name: str) -> None:
    """DDB-TABLE-442."""
    asked = {"SSESpecification": {"Enabled": False, name: "KMS"}}
    text = f"One or more parameter values were invalid: {name} can not be specified if Enabled is false"
    assert cluster.message("CreateTable", **GOOD, **asked) == text
    assert cluster.message("UpdateTable", TableName="tab", **asked) == text


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def keys(*names: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": role}
        for name, role in zip(names, ("HASH", "RANGE", "RANGE"), strict=False)
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"TableName": "a"}, "Member must have length greater than or equal to 3"),
        ({"TableName": "a" * 256}, "Member must have length less than or equal to 255"),
        ({"TableName": "a b c"}, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
        ({"BillingMode": "FREE"}, "enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
        ({"KeySchema": []}, "Value '[]' at 'keySchema'"),
        ({"KeySchema": keys("pk", "b", "c")}, "Member must have length less than or equal to 2"),
        ({"KeySchema": keys("other")}, "Some index key attributes are not defined in AttributeDefinitions"),
        ({"KeySchema": keys("pk", "other")}, "Invalid KeySchema: Some index key attribute have no definition"),
        ({"KeySchema": keys("pk", "pk")}, "Invalid KeySchema"),
        ({"AttributeDefinitions": attributes("pk", "x")}, "Number of attributes in KeySchema does not exactly match"),
        ({"AttributeDefinitions": attributes("pk", "pk")}, "Attribute Name is duplicated: pk"),
        ({"AttributeDefinitions": []}, "Invalid KeySchema: Some index key attribute have no definition"),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "X"}]},
            "Value 'X' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [B, N, S]",
        ),
        ({"ProvisionedThroughput": UNITS}, "can be specified when BillingMode is PAY_PER_REQUEST"),
        ({"BillingMode": "PROVISIONED"}, "must both be specified when BillingMode is PROVISIONED"),
        (
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": 0}},
            "Value '0' at 'provisionedThroughput.readCapacityUnits'",
        ),
        (
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": 10**13}},
            "Given value 10000000000000 for ReadCapacityUnits is out of bounds",
        ),
    ],
)
def test_bad_tables(cluster: Cluster, change: dict[str, Any], text: str) -> None:
    assert text in cluster.message("CreateTable", **{**GOOD, **change})


def test_broken_constraints_are_told_together(cluster: Cluster) -> None:
    text = cluster.message("CreateTable", TableName="a", KeySchema=[], BillingMode="FREE")
    assert text.startswith("4 validation errors detected: ")


def test_lists_are_sorted_and_paged(cluster: Cluster) -> None:
    for name in ("ccc", "aaa", "bbb"):
        cluster.table(name)
    assert cluster.ask("ListTables") == {"TableNames": ["aaa", "bbb", "ccc"]}
    first = cluster.ask("ListTables", Limit=2)
    assert first == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    assert cluster.ask("ListTables", ExclusiveStartTableName="bbb") == {"TableNames": ["ccc"]}
    assert cluster.ask("ListTables", ExclusiveStartTableName="bba", Limit=2) == {"TableNames": ["bbb", "ccc"]}


def local_index(name: str = "by-c", *names: str, **projection: Any) -> dict[str, Any]:
    schema = keys(*(names or ("pk", "c")))
    return {"IndexName": name, "KeySchema": schema, "Projection": projection or {"ProjectionType": "ALL"}}


INDEXED: dict[str, Any] = {**GOOD, "AttributeDefinitions": attributes("pk", "b", "c"), "KeySchema": keys("pk", "b")}


def test_local_indexes_are_described(cluster: Cluster) -> None:
    asked = [local_index(), local_index("b-again", "pk", "b", ProjectionType="INCLUDE", NonKeyAttributes=["x"])]
    found = cluster.ask("CreateTable", **INDEXED, LocalSecondaryIndexes=asked)["TableDescription"]
    arn = found["TableArn"]
    assert found["LocalSecondaryIndexes"] == [
        {**each, "IndexSizeBytes": 0, "ItemCount": 0, "IndexArn": f"{arn}/index/{each['IndexName']}"}
        for each in asked
    ]


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ([], "One or more parameter values were invalid: List of LocalSecondaryIndexes is empty"),
        ([local_index("ab")], "Value 'ab' at 'localSecondaryIndexes.1.member.indexName'"),
        ([{}], "3 validation errors detected: Value null at 'localSecondaryIndexes.1.member."),
        ([[]], "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.LocalSecondaryIndex"),
        ([local_index(ProjectionType="SOME")], "at 'localSecondaryIndexes.1.member.projection.projectionType'"),
        (
            [local_index(ProjectionType="INCLUDE", NonKeyAttributes=[])],
            "Value '[]' at 'localSecondaryIndexes.1.member.projection.nonKeyAttributes' failed to satisfy constraint"
            ": Member must have length greater than or equal to 1",
        ),
        (
            [local_index(ProjectionType="INCLUDE", NonKeyAttributes=["x"] * 21)],
            "Member must have length less than or equal to 20",
        ),
        (
            [local_index(ProjectionType="INCLUDE", NonKeyAttributes=[""])],
            "Value '' at 'localSecondaryIndexes.1.member.projection.nonKeyAttributes.1.member'",
        ),
        (
            [local_index("by-d", "pk", "d")],
            "Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [pk, d], AttributeDefinitions: [pk, b, c]",
        ),
        ([local_index("by-c", "pk", "pk")], "Both the Hash Key and the Range Key element in the KeySchema"),
        ([local_index("by-c", "pk")], "Index KeySchema does not have a range key for index: by-c"),
        (
            [local_index("by-c", "b", "c")],
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: by-c. "
            "index hash key: b, table hash key: pk",
        ),
        ([local_index("by-c", NonKeyAttributes=["x"])], "Unknown ProjectionType: null"),
        (
            [local_index(ProjectionType="ALL", NonKeyAttributes=["x"])],
            "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        ([local_index(ProjectionType="INCLUDE")], "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"),
        (
            [local_index(ProjectionType="INCLUDE", NonKeyAttributes=["x", "y", "x"])],
            "Duplicate element in NonKeyAttributes: x",
        ),
        ([local_index(), local_index()], "Duplicate index name: by-c"),
        (
            [local_index(f"index-{number}") for number in range(6)],
            "Number of LocalSecondaryIndexes exceeds per-table limit of 5",
        ),
        (
            [local_index("by-b", "pk", "b")],
            "Some AttributeDefinitions are not used. AttributeDefinitions: [pk, b, c], keys used: [pk, b]",
        ),
    ],
)
def test_bad_local_indexes(cluster: Cluster, indexes: list[Any], text: str) -> None:
    assert text in cluster.message("CreateTable", **INDEXED, LocalSecondaryIndexes=indexes)
    assert cluster.ask("ListTables") == {"TableNames": []}


def test_local_indexes_need_a_sort_key(cluster: Cluster) -> None:
    asked = {**GOOD, "AttributeDefinitions": attributes("pk", "c"), "LocalSecondaryIndexes": [local_index()]}
    assert "Table KeySchema does not have a range key" in cluster.message("CreateTable", **asked)


# -- UpdateTable ---------------------------------------------------------------------------------------------------


def test_a_table_is_updated(cluster: Cluster) -> None:
    cluster.table("tab")
    answer = cluster.ask("UpdateTable", TableName="tab", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    assert answer["TableDescription"]["TableStatus"] == "UPDATING"
    shown = cluster.ask("DescribeTable", TableName="tab")["Table"]
    assert (shown["TableStatus"], shown["BillingModeSummary"]["BillingMode"]) == ("ACTIVE", "PROVISIONED")
    assert shown["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **UNITS}


def test_decreases_are_counted_anew_each_day(cluster: Cluster) -> None:
    request = {name: value for name, value in GOOD.items() if name != "BillingMode"}
    cluster.ask("CreateTable", **request, ProvisionedThroughput=UNITS)

    def shown(answer: dict[str, Any]) -> int:
        (description,) = answer.values()
        return int(description["ProvisionedThroughput"]["NumberOfDecreasesToday"])

    cluster.ask("UpdateTable", TableName="tab", ProvisionedThroughput={**UNITS, "ReadCapacityUnits": 4})
    assert shown(cluster.ask("DescribeTable", TableName="tab")) == 1
    cluster.wall_ms += 86_400_000
    assert shown(cluster.ask("DescribeTable", TableName="tab")) == 0
    assert shown(cluster.ask("UpdateTable", TableName="tab", DeletionProtectionEnabled=False)) == 0
    assert shown(cluster.ask("DeleteTable", TableName="tab")) == 0


def test_a_table_serves_while_it_is_updated(cluster: Cluster) -> None:
    cluster.table("tab")
    cluster.stuck = True
    cluster.ask("UpdateTable", TableName="tab", TableClass="STANDARD_INFREQUENT_ACCESS")
    assert cluster.ask("DescribeTable", TableName="tab")["Table"]["TableStatus"] == "UPDATING"
    item = {"pk": {"S": "a"}, "v": {"N": "1"}}
    assert cluster.ask("PutItem", TableName="tab", Item=item) == {}
    assert cluster.ask("GetItem", TableName="tab", Key={"pk": {"S": "a"}}) == {"Item": item}
    assert cluster.ask("Scan", TableName="tab")["Count"] == 1
    assert "in the process of being updated" in cluster.message("DeleteTable", TableName="tab")


def test_two_names_for_the_billing_mode(cluster: Cluster) -> None:
    """ExtendDB's tests against DynamoDB (test_table_throughput_mode)."""
    request = {name: value for name, value in GOOD.items() if name != "BillingMode"}
    created = cluster.ask("CreateTable", **request, TableThroughputMode="PAY_PER_REQUEST")["TableDescription"]
    assert created["TableThroughputModeSummary"] == {"TableThroughputMode": "PAY_PER_REQUEST"}
    both = {"BillingMode": "PROVISIONED", "TableThroughputMode": "PAY_PER_REQUEST", "ProvisionedThroughput": UNITS}
    answer = cluster.ask("UpdateTable", TableName="tab", **both)["TableDescription"]
    assert answer["TableThroughputModeSummary"]["TableThroughputMode"] == "PROVISIONED"
    text = cluster.message("UpdateTable", TableName="tab", BillingMode="A", TableThroughputMode="B")
    constraint = "failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"
    assert text == (
        f"2 validation errors detected: Value 'A' at 'billingMode' {constraint}; "
        f"Value 'B' at 'tableThroughputMode' {constraint}"
    )


def test_empty_structures_are_absent(cluster: Cluster) -> None:
    """DDB-TABLE-456; alone, DynamoDB answers HTTP 500, and here they are nothing to do (ours)."""
    cluster.table("tab")
    for name in ("WarmThroughput", "OnDemandThroughput"):
        assert cluster.message("UpdateTable", TableName="tab", **{name: {}}).startswith("At least one of ")
        asked = {name: {}, "DeletionProtectionEnabled": False}
        assert "TableDescription" in cluster.ask("UpdateTable", TableName="tab", **asked)


# -- tags ----------------------------------------------------------------------------------------------------------


def test_tags(cluster: Cluster) -> None:
    arn = cluster.ask("CreateTable", **GOOD, Tags=[{"Key": "a", "Value": "1"}])["TableDescription"]["TableArn"]
    assert cluster.ask("TagResource", ResourceArn=arn, Tags=[{"Key": "b", "Value": ""}]) == {}
    assert cluster.ask("UntagResource", ResourceArn=arn, TagKeys=["a"]) == {}
    assert cluster.ask("ListTagsOfResource", ResourceArn=arn) == {"Tags": [{"Key": "b", "Value": ""}]}
    cluster.ask("DeleteTable", TableName="tab")
    gone = f"Requested resource not found: ResourceArn: {arn} not found"
    assert cluster.message("ListTagsOfResource", ResourceArn=arn) == gone
    cluster.ask("CreateTable", **GOOD)
    assert cluster.ask("ListTagsOfResource", ResourceArn=arn) == {"Tags": []}


def test_a_tag_answer_has_no_body(cluster: Cluster) -> None:
    arn = cluster.ask("CreateTable", **GOOD)["TableDescription"]["TableArn"]
    steps = tag_resource.route({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "b"}]}, cluster.context)
    next(steps)
    with pytest.raises(StopIteration) as done:
        steps.send([Outcome().part(0)])
    assert done.value.value == b""


@pytest.mark.parametrize("name", ["ReadUnitsPerSecond", "WriteUnitsPerSecond"])
def test_warm_throughput_has_an_end(cluster: Cluster, name: str) -> None:
    """What routers lease of it has to fit into their messages."""
    refused = cluster.ask("CreateTable", **GOOD, WarmThroughput={name: 10**13})
    assert refused["message"] == f"Given value {10**13} for {name} is out of bounds"
    cluster.ask("CreateTable", **GOOD)
    refused = cluster.ask("UpdateTable", TableName="tab", WarmThroughput={name: 10**13})
    assert refused["message"] == f"Given value {10**13} for {name} is out of bounds"
