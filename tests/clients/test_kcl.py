"""Amazon's Kinesis Client Library with its adapter follows a stream while the table's partitions are split.

It is what DynamoDB's documentation tells consumers of streams to use: it keeps leases in a table of its own, takes
the shards of DescribeStream, and reads children when their parents are checkpointed at their ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.conftest import TEST_TIMEOUT_S
from tests.clients.runtimes import UnavailableError, java
from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.streams import create_streaming
from tests.integration.test_splits import numbers, split

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(TEST_TIMEOUT_S)]

TABLE = "followed"
KEYS, ROUNDS = 40, 3
"""Each round writes all keys once; between two of them a partition is split."""

ROUND_S = 120.0
"""The library takes leases and notices ends of shards within seconds, each by its own clock."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("kcl"), "--throttling", "report") as started:
        yield started


class Follower:
    """The program, and what it has printed so far."""

    def __init__(self, command: list[str], port: int) -> None:
        told = {
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.lines: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.process = subprocess.Popen(
            command, env={**os.environ, **told}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._threads = [threading.Thread(target=take) for take in (self._take_lines, self._take_words)]
        for thread in self._threads:
            thread.start()

    def _take_lines(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(json.loads(line) for line in self.process.stdout)

    def _take_words(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)

    def records(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "key" in line]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def follower(cluster: RunningCluster) -> Iterator[Follower]:
    arn = create_streaming(cluster.port, TABLE)
    try:
        command = [*java("java_kcl", "Follow"), arn, "followers", str(KEYS * ROUNDS)]
    except UnavailableError as reason:
        pytest.skip(str(reason))
    made = Follower(command, cluster.port)
    yield made
    made.close()


def test_the_client_library_follows_a_stream_across_splits(cluster: RunningCluster, follower: Follower) -> None:
    db = client(cluster.port)
    for version in range(ROUNDS):
        if version:
            split(cluster, TABLE, numbers(cluster, TABLE)[0])
        for key in range(KEYS):
            db.put_item(TableName=TABLE, Item={"pk": {"S": f"k{key:02}"}, "v": {"N": str(version)}})

        def came(wanted: int = KEYS * (version + 1)) -> bool:
            assert follower.process.poll() in (None, 0), "".join(follower.said[-50:])
            return len(follower.records()) >= wanted

        wait_until(f"the records of round {version}", came, ROUND_S)
    assert follower.process.wait(60) == 0, "".join(follower.said[-50:])
    follower.close()
    by_key: dict[str, list[tuple[str, str]]] = {}
    for record in follower.records():
        by_key.setdefault(record["key"], []).append((record["what"], record["value"]))
    history = [("INSERT", "0"), *(("MODIFY", str(version)) for version in range(1, ROUNDS))]
    assert by_key == {f"k{key:02}": history for key in range(KEYS)}
    begun = [line["shard"] for line in follower.lines if line["what"] == "begun"]
    ended = [line["shard"] for line in follower.lines if line["what"] == "ended"]
    assert len(set(begun)) == 5
    assert len(ended) == 2
    leases = db.scan(TableName="followers")["Items"]
    checkpoints = {lease["leaseKey"]["S"]: lease["checkpoint"]["S"] for lease in leases}
    assert all(checkpoints.get(shard, "SHARD_END") == "SHARD_END" for shard in ended)
