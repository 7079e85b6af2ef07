"""One cluster for all conformance tests; each module gets tables of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.cluster import RunningCluster, running

Key = tuple[str, str]
"""(attribute name, type)."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Its partitions bear what a whole table may: some tests write megabytes in a second, or in ten, as the machine
    can. What a partition's cap does is tested in tests/integration and tests/unit/core/admission."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DYNABUS_PARTITION_READ_UNITS", "40000")
        environment.setenv("DYNABUS_PARTITION_WRITE_UNITS", "40000")
        with running(tmp_path_factory.mktemp("conformance")) as started:
            yield started


@pytest.fixture(scope="session")
def db(cluster: RunningCluster) -> Any:
    """A client that checks nothing itself and never asks twice."""
    return boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{cluster.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1, "mode": "standard"}),
    )


@pytest.fixture(scope="session")
def make_table(db: Any) -> Callable[..., str]:
    """Create a table with these keys and wait until it is ACTIVE."""

    def make(name: str, hash_key: Key, range_key: Key | None = None, **more: Any) -> str:
        keys = [(hash_key, "HASH")] + ([(range_key, "RANGE")] if range_key else [])
        db.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key[0], "AttributeType": key[1]} for key, _ in keys],
            KeySchema=[{"AttributeName": key[0], "KeyType": role} for key, role in keys],
            **(more or {"BillingMode": "PAY_PER_REQUEST"}),
        )
        db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        return name

    return make


@pytest.fixture(scope="session")
def hash_table(make_table: Callable[..., str]) -> str:
    """Partition key `pk` (S)."""
    return make_table("conformance-hash", ("pk", "S"))


@pytest.fixture(scope="session")
def warm_table(make_table: Callable[..., str]) -> str:
    """The same for tests that move megabytes: warm for more than they use, so that nothing is throttled."""
    warm = {"ReadUnitsPerSecond": 40_000, "WriteUnitsPerSecond": 40_000}
    return make_table("conformance-megabytes", ("pk", "S"), BillingMode="PAY_PER_REQUEST", WarmThroughput=warm)


@pytest.fixture(scope="session")
def range_table(make_table: Callable[..., str]) -> str:
    """Partition key `pk` (S), sort key `sk` (N), four partitions."""
    throughput = {"ReadCapacityUnits": 5000, "WriteCapacityUnits": 2000}
    return make_table("conformance-range", ("pk", "S"), ("sk", "N"), ProvisionedThroughput=throughput)


@pytest.fixture
def refused() -> Callable[..., tuple[str, str]]:
    """(error name, message) of a call that must be refused."""

    def refuse(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        answer = caught.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        return answer["Error"]["Code"], answer["Error"]["Message"]

    return refuse


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them need the broker."""
    for item in items:
        if "conformance" in item.path.parts:
            item.add_marker(pytest.mark.broker)
            item.add_marker(pytest.mark.slow)
