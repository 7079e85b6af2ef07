"""Kafka loses acknowledged records: the partition freezes, others serve on, `recover` brings all back (I9)."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.cluster import DYNABUS, RunningCluster, client, kill, running, wait_until
from tests.integration.kafka_loss import end_of, log_folder, lose_tail, stop_node, table_id
from tests.integration.load import Load

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

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
        items |= {item["pk"]["S"]: int(item["v"]["N"]) for item in page["Items"] if "v" in item}
        if "LastEvaluatedKey" not in page:
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def replica(cluster: RunningCluster, node: str, number: int = 0) -> dict[str, Any]:
    replicas = cluster.partition("lost", number).get("replicas", ())
    return next((each for each in replicas if each["node"] == node), {})


def recover(cluster: RunningCluster, *more: str, partition: int = 0) -> str:
    """What it says, whether or not it is refused."""
    command = [DYNABUS, "admin", "recover", "lost", str(partition), *more, "--data", str(cluster.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def unread(cluster: RunningCluster) -> None:
    """Deletions and newer versions of items that no log propagator has read."""
    db: Any = client(cluster.port)
    for pid in cluster.pids("log-propagator").values():
        kill(pid)
    for number in range(0, KEPT, 2):
        db.delete_item(TableName="lost", Key={"pk": {"S": f"item-{number:03d}"}})
    put(cluster, KEPT // 2, KEPT, version=2)


def one_ahead(cluster: RunningCluster, write: Callable[[], None]) -> str:
    """Only one node has what `write` writes; all stop, Kafka loses it, and all start again. That node."""
    leader = cluster.leader("lost")[0]
    for name in [name for name in cluster.pids("storage-node") if name != leader]:
        stop_node(cluster, name)
    folder = log_folder(cluster, "lost", 0)
    wait_until("it leads", lambda: cluster.partition("lost")["leader"] == leader)
    before = end_of(folder)
    write()
    cluster.down()
    assert lose_tail(folder, before) > before
    cluster.up()
    return leader


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


def wait_until_frozen(cluster: RunningCluster) -> None:
    def all_frozen() -> bool:
        return frozen(cluster) and {each["state"] for each in cluster.partition("lost")["replicas"]} == {"frozen"}

    wait_until("frozen", all_frozen, FROZEN_S)


def key_in(cluster: RunningCluster, number: int) -> dict[str, Any]:
    """The key of an item that partition `number` holds: its range is a half of the hashes."""
    bounds = cluster.partition("lost", number)["range"]
    for count in range(1000):
        encoded = f"item-{count:03d}".encode() + b"\0\0"
        digest = md5(encoded, usedforsecurity=False).digest()[:8].hex()
        if bounds[0][:16] <= digest and (bounds[1] is None or digest < bounds[1][:16]):
            return {"pk": {"S": f"item-{count:03d}"}}
    raise AssertionError(number)


def test_what_one_replica_alone_has_is_recovered(cluster: RunningCluster) -> None:
    put(cluster, 0, KEPT)
    assert "is not frozen: there is nothing to recover" in recover(cluster)
    keys = [key_in(cluster, number) for number in (0, 1)]
    ahead = one_ahead(cluster, lambda: put(cluster, KEPT, KEPT + AHEAD))
    wait_until_frozen(cluster)
    assert "Kafka lost acknowledged records" in replica(cluster, ahead)["alarm"]
    assert "is frozen" in cluster.command("admin", "events")
    db: Any = client(cluster.port, total_max_attempts=1, mode="standard")
    refused = status_of(lambda: db.get_item(TableName="lost", Key=keys[0], ConsistentRead=True))
    served = status_of(lambda: db.get_item(TableName="lost", Key=keys[1], ConsistentRead=True))
    assert (refused, served) == (500, 200)
    told = recover(cluster)
    print(told)
    assert f"would go on from the replica of {ahead}" in told
    assert "--yes does it" in told
    assert "has no partition 7" in recover(cluster, partition=7)
    # Frozen is frozen: also after a restart, before anybody has heard of anything.
    cluster.down()
    cluster.up()
    wait_until_frozen(cluster)
    print(recover(cluster, "--yes"))
    wait_until("whole again", lambda: whole(cluster, 2), 120)
    assert set(found(cluster)) == {f"item-{number:03d}" for number in range(KEPT + AHEAD)}
    put(cluster, 0, KEPT, version=2)
    said = cluster.command("admin", "scrub", "lost", "2").splitlines()
    sums = {line.partition("checksum ")[2].partition(" ")[0] for line in said}
    assert len(said) == 3
    assert len(sums) == 1
    assert sum(version == 2 for version in found(cluster).values()) == KEPT


def test_a_log_that_grew_again_beyond_a_place_is_noticed(cluster: RunningCluster) -> None:
    """The node that is ahead is away until the log is longer than it ever was: only leader epochs tell."""
    put(cluster, 0, KEPT)
    leader = cluster.leader("lost")[0]
    old = cluster.data / leader / table_id(cluster, "lost") / "0"
    for name in [name for name in cluster.pids("storage-node") if name != leader]:
        stop_node(cluster, name)
    folder = log_folder(cluster, "lost", 0)
    wait_until("it leads", lambda: cluster.partition("lost")["leader"] == leader)
    before = end_of(folder)
    put(cluster, KEPT, KEPT + AHEAD)
    cluster.down()
    assert old.is_dir()
    aside = old.rename(cluster.data / "aside")
    longest = lose_tail(folder, before)
    cluster.up()
    wait_until("three replicas", lambda: whole(cluster, 0), 120)
    put(cluster, 0, 2 * KEPT, version=2)
    wait_until("longer than ever", lambda: end_of(folder) > longest + 10)
    stop_node(cluster, leader)
    shutil.rmtree(old)
    aside.rename(old)
    cluster.up()
    wait_until_frozen(cluster)
    assert "of Kafka leader epoch" in replica(cluster, leader)["alarm"]
    told = recover(cluster)
    print(told)
    assert f"would go on from the replica of {leader}" in told
    assert "written after the loss, before it was found" in told


@pytest.mark.parametrize("after_s", [0.0, 0.4, 1.5])
def test_auto_admin_is_killed_while_it_recovers(cluster: RunningCluster, after_s: float) -> None:
    """Load of before the loss loses nothing, load of after the recovery goes on over it."""
    put(cluster, 0, 1500)

    def under_load() -> None:
        with load:
            load.wait_for_acks(300)

    load = Load(cluster.port, "lost")
    one_ahead(cluster, under_load)
    wait_until_frozen(cluster)
    command = [DYNABUS, "admin", "recover", "lost", "0", "--yes", "--data", str(cluster.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as asked:
        assert asked.stdout is not None
        told = next(line for line in asked.stdout if "goes on as" in line)
        time.sleep(after_s)
        kill(next(iter(cluster.pids("auto-admin").values())))
        cluster.up()
        print(told, *asked.stdout)
    assert asked.returncode == 0
    print(load.check())
    with Load(cluster.port, "lost") as more:
        more.wait_for_acks(100)
    assert not more.recorded.errors
    wait_until("whole again", lambda: whole(cluster, 2), 120)
    assert len([key for key in found(cluster) if key.startswith("item-")]) == 1500


def test_another_kafka_under_old_folders_is_refused(cluster: RunningCluster) -> None:
    put(cluster, 0, KEPT)
    cluster.down()
    (cluster.data / "kafka").rename(cluster.data / "kafka-of-before")
    replicas = sorted(cluster.data.glob("node-*/*/*/data.mdb"))
    with pytest.raises(AssertionError, match="belongs to Kafka cluster"):
        cluster.up()
    assert sorted(cluster.data.glob("node-*/*/*/data.mdb")) == replicas
    cluster.down()
    (cluster.data / "kafka").rename(cluster.data / "kafka-of-nobody")
    (cluster.data / "kafka-of-before").rename(cluster.data / "kafka")
    cluster.up()
    assert len(found(cluster)) == KEPT
