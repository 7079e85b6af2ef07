"""Kafka loses acknowledged records: the partition freezes, others serve on, `recover` brings all back (I9)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.cluster import DYNABUS, RunningCluster, client, running, wait_until
from tests.integration.kafka_loss import log_folder, lose_tail, stop_node

pytestmark = pytest.mark.broker

FROZEN_S = 60.0
"""Ten seconds until a replica is sure, a heartbeat, a decision; and a machine that does other things meanwhile."""

KEPT, AHEAD = 60, 40
"""Items that all replicas have, and that only one has."""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "2")
    with running(tmp_path) as made:
        made.create_table("lost")
        yield made


def key_of(cluster: RunningCluster, number: int) -> str:
    return f"item-{number:03d}"


def put(cluster: RunningCluster, first: int, last: int, version: int = 1) -> None:
    db: Any = client(cluster.port)
    for number in range(first, last):
        item = {"pk": {"S": f"item-{number:03d}"}, "v": {"N": str(version)}, "pad": {"S": "x" * 100}}
        db.put_item(TableName="lost", Item=item)


def found(cluster: RunningCluster) -> dict[str, int]:
    """All items, by strongly consistent reads."""
    db: Any = client(cluster.port)
    items: dict[str, int] = {}
    request: dict[str, Any] = {"TableName": "lost", "ConsistentRead": True}
    while True:
        page = db.scan(**request)
        items |= {item["pk"]["S"]: int(item["v"]["N"]) for item in page["Items"]}
        if "LastEvaluatedKey" not in page:
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def replica(cluster: RunningCluster, node: str, number: int = 0) -> dict[str, Any]:
    replicas = cluster.partition("lost", number).get("replicas", ())
    return next((each for each in replicas if each["node"] == node), {})


def offsets(cluster: RunningCluster) -> dict[str, int]:
    """Where each node's replica of partition 0 stands, as `recover` shows it; raises where it is not frozen."""
    lines = recover(cluster).splitlines()
    at = lines[0].split().index("OFFSET") if lines else 0
    return {line.split()[0]: int(line.split()[at]) for line in lines if "node-" in line.split()[0]}


def recover(cluster: RunningCluster, *more: str) -> str:
    """What it says, whether or not it is refused."""
    command = [DYNABUS, "admin", "recover", "lost", "0", *more, "--data", str(cluster.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def one_ahead(cluster: RunningCluster) -> str:
    """Only one node has the last records; it stops, Kafka loses them, and all start again. That node."""
    put(cluster, 0, KEPT)
    leader = cluster.leader("lost")[0]
    others = [name for name in cluster.pids("storage-node") if name != leader]
    for name in others:
        stop_node(cluster, name)
    folder = log_folder(cluster, "lost", 0)
    (segment,) = folder.glob("*.log")
    before = end_of(segment)
    put(cluster, KEPT, KEPT + AHEAD)
    cluster.down()
    lost_from = lose_tail(folder, before)
    assert lost_from > before + AHEAD // 4
    cluster.up()
    return leader


def end_of(segment: Path) -> int:
    from tests.integration.kafka_loss import _batches

    return [*_batches(segment.read_bytes())][-1][2] + 1


def frozen(cluster: RunningCluster) -> bool:
    return bool(cluster.partition("lost").get("state") == "frozen")


def whole(cluster: RunningCluster, number: int) -> bool:
    partition = cluster.partition("lost", number)
    return [each["state"] for each in partition.get("replicas", ())] == ["active"] * 3


def status_of(operation: Callable[[], Any]) -> int:
    try:
        operation()
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200


def test_what_one_replica_alone_has_is_recovered(cluster: RunningCluster) -> None:
    ahead = one_ahead(cluster)
    wait_until("frozen", lambda: frozen(cluster), FROZEN_S)
    wait_until("all frozen", lambda: all(each["state"] == "frozen" for each in cluster.partition("lost")["replicas"]))
    assert "Kafka lost acknowledged records" in replica(cluster, ahead)["alarm"]
    told = recover(cluster)
    print(told)
    assert f"would go on from the replica of {ahead}" in told
    assert "--yes does it" in told
    print(recover(cluster, "--yes"))
    wait_until("whole again", lambda: whole(cluster, 2), 120)
    assert set(found(cluster)) == {f"item-{number:03d}" for number in range(KEPT + AHEAD)}
