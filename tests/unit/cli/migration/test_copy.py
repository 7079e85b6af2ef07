"""`dynabus import --from-endpoint`: a table of another endpoint, and a table like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pytest
from tests.unit.cli.migration.stand_in import StandIn, serving
from tests.unit.cli.migration.test_export import DENIED, EVERY_TYPE, large

from dynabus.cli.main import main
from dynabus.cli.migration.client import Client
from dynabus.cli.migration.endpoint import Where, connect
from dynabus.cli.migration.tables import create, creation_request
from dynabus.cli.problem import Problem

INDEX = {
    "IndexName": "by-v",
    "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
LIKE_AWS: dict[str, Any] = {
    "TableName": "source",
    "TableStatus": "ACTIVE",
    "TableId": "1",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "v", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 5, "WriteCapacityUnits": 7},
    "GlobalSecondaryIndexes": [
        {
            **INDEX,
            "IndexStatus": "ACTIVE",
            "IndexArn": "arn:…",
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        }
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:…"},
    "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
    "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
    "Replicas": [{"RegionName": "eu-west-1"}],
    "DeletionProtectionEnabled": True,
    "ItemCount": 3,
}


@pytest.fixture
def source() -> Iterator[StandIn]:
    with serving() as stand_in:
        yield stand_in


def copy(source: StandIn, *more: str) -> int:
    return main(["import", "--from-endpoint", source.url, "--from-table", "source", *more])


def test_a_table_is_copied_with_its_keys(endpoint: StandIn, source: StandIn) -> None:
    source.cluster.table("source", range_type="N")
    items = [{**each, "sk": {"N": str(n)}} for n in range(3) for each in [EVERY_TYPE, *large(20, 1)]]
    source.put("source", *items)
    assert copy(source, "--segments", "3") == 0
    assert endpoint.items("source") == source.items("source")
    [table] = [each.cluster.ask("DescribeTable", TableName="source")["Table"] for each in (endpoint,)]
    assert [element["AttributeName"] for element in table["KeySchema"]] == ["pk", "sk"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_a_copy_that_failed_goes_on(endpoint: StandIn, source: StandIn) -> None:
    source.cluster.table("source")
    source.put("source", *large(200))
    written: list[str] = []

    def watch(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if operation != "BatchWriteItem":
            return None
        if len(written) > 100:
            return dict(DENIED)
        written.extend(each["PutRequest"]["Item"]["pk"]["S"] for each in body["RequestItems"]["target"])
        return None

    endpoint.bend = watch
    assert copy(source, "--table", "target", "--segments", "2") == 1
    before, asked = len(written), source.asked["Scan"]
    written.clear()
    source.asked.clear()
    endpoint.bend = lambda operation, body: None
    assert copy(source, "--table", "target", "--segments", "2", "--resume") == 0
    assert endpoint.items("target") == source.items("source")
    assert before > 100
    assert source.asked["Scan"] < asked + 6
    assert not list(Path().glob("*.state.jsonl"))


def test_what_the_target_does_not_have_is_left_out_with_a_line(
    endpoint: StandIn, source: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    source.cluster.table("source")
    source.put("source", {"pk": {"S": "a"}, "v": {"S": "b"}})
    source.bend = lambda operation, body: {"Table": dict(LIKE_AWS)} if operation == "DescribeTable" else None
    refused = {"GlobalSecondaryIndexes", "StreamSpecification"}

    def refuse(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        named = sorted(refused & body.keys()) if operation == "CreateTable" else []
        if named:
            return {"__type": "x#ValidationException", "message": f"{named[0]} is not supported here"}
        if operation == "CreateTable":
            body.pop("SSESpecification")
        return None

    endpoint.bend = refuse
    assert copy(source, "--strict") == 1
    assert "GlobalSecondaryIndexes is not supported here; --strict wants all of it" in capsys.readouterr().err
    assert copy(source) == 0
    said = capsys.readouterr().err
    assert "source is created without GlobalSecondaryIndexes: GlobalSecondaryIndexes is not supported here" in said
    assert "source is created without StreamSpecification: " in said
    table = endpoint.cluster.ask("DescribeTable", TableName="source")["Table"]
    assert table["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"}]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 7
    assert endpoint.items("source") == source.items("source")


def test_a_table_like_one_of_aws() -> None:
    assert creation_request(LIKE_AWS, "new") == {
        "TableName": "new",
        "AttributeDefinitions": LIKE_AWS["AttributeDefinitions"],
        "KeySchema": LIKE_AWS["KeySchema"],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7},
        "GlobalSecondaryIndexes": [
            {**INDEX, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
        ],
        "StreamSpecification": LIKE_AWS["StreamSpecification"],
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:…"},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "DeletionProtectionEnabled": True,
    }


def test_a_creation_request_can_be_used_again() -> None:
    request = creation_request(LIKE_AWS, "new")
    assert creation_request(orjson.loads(orjson.dumps(request)), "new") == request


ON_DEMAND: dict[str, Any] = {
    **{name: LIKE_AWS[name] for name in ("AttributeDefinitions", "KeySchema")},
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    "OnDemandThroughput": {"MaxReadRequestUnits": 20, "MaxWriteRequestUnits": -1},
    "GlobalSecondaryIndexes": [
        {
            **INDEX,
            "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
            "OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 5},
        },
        {**INDEX, "IndexName": "free", "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}},
    ],
}
WITH_KEY: dict[str, Any] = {
    **{name: ON_DEMAND[name] for name in ("AttributeDefinitions", "KeySchema", "BillingModeSummary")},
    "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:x:1:key/k"},
}


def test_on_demand_maximums_come_along() -> None:
    request = creation_request(ON_DEMAND, "new")
    assert request["OnDemandThroughput"] == {"MaxReadRequestUnits": 20}
    assert request["GlobalSecondaryIndexes"] == [
        {**INDEX, "OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 5}},
        {**INDEX, "IndexName": "free"},
    ]
    assert creation_request(request, "new") == request


def test_a_provisioned_tables_indexes_have_no_on_demand_maximums() -> None:
    index = {**LIKE_AWS["GlobalSecondaryIndexes"][0], "OnDemandThroughput": {"MaxReadRequestUnits": 10}}
    [made] = creation_request({**LIKE_AWS, "GlobalSecondaryIndexes": [index]}, "new")["GlobalSecondaryIndexes"]
    assert "OnDemandThroughput" not in made


@pytest.mark.parametrize(
    "described", [{"SSEType": "AES256"}, {}, {"SSEType": "KMS"}, {"SSEType": "AES256", "KMSMasterKeyArn": "arn:…"}]
)
def test_encryption_without_a_key_of_its_own(described: dict[str, str]) -> None:
    table = {**ON_DEMAND, "SSEDescription": {"Status": "ENABLED", **described}}
    assert creation_request(table, "new")["SSESpecification"] == {"Enabled": True}


def created(endpoint: StandIn, description: dict[str, Any], strict: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The description of the table that was created, and the lines that were said."""
    said: list[str] = []
    client = Client(connect(Where(endpoint.url), 1), Event())
    return create(client, creation_request(description, "new"), strict, said.append), said


def test_on_demand_maximums_are_created(endpoint: StandIn) -> None:
    table, said = created(endpoint, ON_DEMAND)
    assert said == []
    assert table["OnDemandThroughput"]["MaxReadRequestUnits"] == 20
    maximums = {each["IndexName"]: each.get("OnDemandThroughput") for each in table["GlobalSecondaryIndexes"]}
    assert maximums["by-v"] == {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 5}


@pytest.mark.parametrize("of_table", [True, False], ids=["of the table too", "of an index only"])
def test_a_target_without_on_demand_maximums(endpoint: StandIn, of_table: bool) -> None:
    description = ON_DEMAND if of_table else {**ON_DEMAND, "OnDemandThroughput": {}}
    asked: list[dict[str, Any]] = []
    message = "globalSecondaryIndexes: GlobalSecondaryIndexes member OnDemandThroughput is unknown"

    def refuse(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        asked.extend([body] if operation == "CreateTable" else [])
        return (
            {"__type": "x#ValidationException", "message": message}
            if operation == "CreateTable" and b"OnDemandThroughput" in orjson.dumps(body)
            else None
        )

    endpoint.bend = refuse
    with pytest.raises(Problem, match="--strict wants all of it"):
        created(endpoint, description, strict=True)
    asked.clear()
    table, said = created(endpoint, description)
    assert said == [f"new is created without OnDemandThroughput: {message}"]
    assert len(asked) == 2, "of the table and of all indexes at once"
    assert [each["IndexName"] for each in asked[1]["GlobalSecondaryIndexes"]] == ["by-v", "free"]
    assert len(table["GlobalSecondaryIndexes"]) == 2


def test_a_key_that_the_target_cannot_use(endpoint: StandIn) -> None:
    message = "KMS validation error: NotFoundException: Key 'arn:aws:kms:x:1:key/k' does not exist"
    asked: list[Any] = []

    def refuse(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if operation != "CreateTable":
            return None
        asked.append(body.pop("SSESpecification"))
        return {"__type": "x#ValidationException", "message": message} if "KMSMasterKeyId" in asked[-1] else None

    endpoint.bend = refuse
    with pytest.raises(Problem, match="does not exist; --strict wants all of it"):
        created(endpoint, WITH_KEY, strict=True)
    assert asked == [{"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:aws:kms:x:1:key/k"}]
    _, said = created(endpoint, WITH_KEY)
    assert said == [f"new is created without KMSMasterKeyId: {message}"]
    assert asked[-1] == {"Enabled": True}


def test_a_target_without_keys_says_so_once(endpoint: StandIn) -> None:
    _, said = created(endpoint, WITH_KEY)
    assert said == [
        "new is created without SSESpecification: SSESpecification is not supported by this version of Dynabus"
    ]


def test_another_key(endpoint: StandIn, source: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    source.cluster.table("source")
    endpoint.cluster.table("source", range_type="N")
    assert copy(source) == 1
    assert "has another key than the source: pk (S), sk (N), not pk (S)" in capsys.readouterr().err


def test_a_table_is_not_copied_onto_itself(endpoint: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("source")
    assert copy(endpoint) == 1
    assert "is both source and target" in capsys.readouterr().err


def test_no_such_table(endpoint: StandIn, source: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert copy(source) == 1
    assert capsys.readouterr().err == f"dynabus: no table 'source' at {source.url}; it has none\n"
