"""`dynabus import --from-endpoint`: a table of another endpoint, and a table like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.cli.migration.stand_in import StandIn, serving
from tests.unit.cli.migration.test_export import DENIED, EVERY_TYPE, large

from dynabus.cli.main import main
from dynabus.cli.migration.tables import creation_request

INDEX = {
    "IndexName": "by-v",
    "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
LIKE_AWS = {
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
        "SSESpecification": {"Enabled": True},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "DeletionProtectionEnabled": True,
    }


def test_a_creation_request_can_be_used_again() -> None:
    request = creation_request(LIKE_AWS, "new")
    assert creation_request(orjson.loads(orjson.dumps(request)), "new") == request


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
