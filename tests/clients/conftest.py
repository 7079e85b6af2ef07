"""One cluster for all clients, with a table that is too large for one answer; how a client's program is run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.clients.runtimes import UnavailableError, run
from tests.clients.story import ARCHIVE, ARCHIVED_BYTES, ARCHIVED_ITEMS
from tests.integration.cluster import RunningCluster, client, running

PROGRAM_TIMEOUT_S = 120
"""The slowest, the AWS CLI, starts Python twenty times: 15 s on two free cores, 50 s on busy ones."""

TEST_TIMEOUT_S = 600
"""Its packages are fetched and built first, once."""


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("clients")) as started:
        _fill_archive(client(started.port))
        yield started


def _fill_archive(db: Any) -> None:
    db.create_table(
        TableName=ARCHIVE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName=ARCHIVE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    for number in range(ARCHIVED_ITEMS):
        db.put_item(TableName=ARCHIVE, Item={"id": {"N": str(number)}, "scan": {"B": bytes(ARCHIVED_BYTES)}})


@pytest.fixture(scope="package")
def environment(cluster: RunningCluster) -> dict[str, str]:
    """All that a client is told: AWS's own variables, as any program that is not changed for Dynabus reads them."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{cluster.port}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def printed(environment: dict[str, str]) -> Callable[..., Any]:
    """What a program printed, parsed. It is given its table's name, the archive's and how many items are in there."""

    def run_program(command: Callable[[], Sequence[str]], table: str) -> Any:
        try:
            arguments = [*command(), table, ARCHIVE, str(ARCHIVED_ITEMS)]
        except UnavailableError as reason:
            pytest.skip(str(reason))
        return json.loads(_output(arguments, environment))

    return run_program


def _output(command: Sequence[str], environment: dict[str, str]) -> str:
    try:
        done = run(command, PROGRAM_TIMEOUT_S, environment=environment)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{command[0]} did not end within {PROGRAM_TIMEOUT_S} s") from None
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-8000:]}"
    return done.stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs a client needs the broker, and the first time much else."""
    for item in items:
        if "clients" in item.path.parts and "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.broker)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
