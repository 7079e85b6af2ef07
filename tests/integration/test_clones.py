"""Replicas that are cloned on a real Kafka, under load, from logs that were pruned: nothing lost, nothing stale."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.integration.cluster import DYNABUS, RunningCluster, client, kill, running, wait_until
from tests.integration.load import Load

pytestmark = pytest.mark.broker

TABLE = "cloned"
LAST_RECORDS = 50
"""That a test leaves in a log that it prunes: what members may not have committed yet is younger."""

ITEM_BYTES = 8000
ITEMS = 2000
"""16 MB: at the pace of these tests a clone takes long enough for somebody to die in the middle of it."""

SLOW_MB_PER_S = "2"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    monkeypatch.setenv("DYNABUS_REPAIR_AFTER_MS", "600000")
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "1")
    monkeypatch.setenv("DYNABUS_CLONE_MB_PER_S", "0")
    monkeypatch.setenv("DYNABUS_COMMIT_INTERVAL_MS", "100")
    with running(tmp_path) as made:
        made.create_table(TABLE)
        yield made


def table_id(cluster: RunningCluster) -> str:
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == TABLE)
    return str(found["id"])


def store(cluster: RunningCluster, node: str, number: int = 0) -> Path:
    folder: Path = cluster.data / node / table_id(cluster) / str(number)
    return folder


def fill(cluster: RunningCluster, items: int = ITEMS) -> None:
    db = client(cluster.port)
    for first in range(0, items, 20):
        puts = [
            {"PutRequest": {"Item": {"pk": {"S": f"still-{number:05d}"}, "pad": {"S": "s" * ITEM_BYTES}}}}
            for number in range(first, min(items, first + 20))
        ]
        left: Any = {TABLE: puts}
        while left:
            left = db.batch_write_item(RequestItems=left)["UnprocessedItems"]


def prune(cluster: RunningCluster, number: int = 0) -> int:
    """All but the last records of a partition's log, behind what every member has committed."""
    topic, bootstrap = f"dynabus.log.{table_id(cluster)}", cluster.status()["kafka"]["bootstrap"]
    places = [int(each["sequence"]) for each in cluster.partition(TABLE, number)["replicas"]]
    until = min(places) - LAST_RECORDS
    assert until > 0, places
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (done,) = admin.delete_records([TopicPartition(topic, number, until)]).values()
    assert done.result(10).low_watermark == until
    return until


def well(cluster: RunningCluster, number: int = 0, members: int = 3) -> bool:
    replicas = cluster.partition(TABLE, number)["replicas"]
    return [(each["state"], each.get("alarm")) for each in replicas] == [("active", None)] * members


def told(cluster: RunningCluster, node: str, event: str) -> list[dict[str, Any]]:
    lines = (cluster.data / f"{node}.log").read_text().splitlines()
    return [found for line in lines if line.startswith("{") and (found := json.loads(line))["event"] == event]


def agree(cluster: RunningCluster) -> None:
    """All replicas are whole, by their scrubs, and hold the same."""
    wait_until("at rest", lambda: all(each["lag"] == 0 for each in cluster.partition(TABLE)["replicas"]))
    lines = cluster.command("admin", "scrub", TABLE).splitlines()
    assert len(lines) == 3, lines
    assert all("whole" in line for line in lines), lines
    assert len({line.partition("checksum ")[2].partition(";")[0] for line in lines}) == 1, lines


def follower(cluster: RunningCluster) -> str:
    leader = cluster.leader(TABLE)[0]
    return next(str(each["node"]) for each in cluster.partition(TABLE)["replicas"] if each["node"] != leader)


def wipe(cluster: RunningCluster, node: str) -> None:
    if node in cluster.pids("storage-node"):
        kill(cluster.pids("storage-node")[node])
    shutil.rmtree(cluster.data / node)


def test_a_wiped_node_clones_what_was_pruned(cluster: RunningCluster) -> None:
    fill(cluster)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(200)
        prune(cluster)
        node = follower(cluster)
        wipe(cluster, node)
        load.wait_for_acks(50)
        cluster.up()
        wait_until("cloned", lambda: told(cluster, node, "replica cloned"), 60)
        wait_until("well", lambda: well(cluster), 60)
        load.wait_for_acks(100)
    print(load.check(), told(cluster, node, "replica cloned"))
    assert not load.recorded.errors
    assert len(told(cluster, node, "replica cloned")) == 1
    agree(cluster)


def test_a_wiped_leader_is_cloned_from_a_follower(cluster: RunningCluster) -> None:
    fill(cluster, 200)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(200)
        prune(cluster)
        node = cluster.leader(TABLE)[0]
        wipe(cluster, node)
        wait_until("another leader", lambda: cluster.leader(TABLE)[0] != node)
        cluster.up()
        wait_until("cloned", lambda: told(cluster, node, "replica cloned"), 60)
        wait_until("well", lambda: well(cluster), 60)
        load.wait_for_acks(100)
        source = told(cluster, node, "replica cloned")[0]["source"]
        assert source != cluster.leader(TABLE)[0] or len(told(cluster, node, "clone failed")) > 0
    print(load.check())
    agree(cluster)


def test_a_fourth_node_joins_by_a_clone(cluster: RunningCluster) -> None:
    fill(cluster, 200)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(200)
        prune(cluster)
        cluster.command("up", "--detach", "--nodes", "4")
        wait_until("known", lambda: "node-4" in cluster.command("admin", "plan"))
        cluster.command("admin", "drain", "node-1")
        nodes = [each["node"] for each in cluster.partition(TABLE)["replicas"]]
        assert sorted(nodes) == ["node-2", "node-3", "node-4"]
        wait_until("cloned", lambda: told(cluster, "node-4", "replica cloned"), 60)
        wait_until("well", lambda: well(cluster), 60)
        load.wait_for_acks(100)
    print(load.check(), told(cluster, "node-4", "replica cloned"))
    assert not load.recorded.errors
    assert told(cluster, "node-4", "replica cloned")
    agree(cluster)


def test_flipped_bytes_are_repaired_by_a_clone(cluster: RunningCluster) -> None:
    fill(cluster, 300)
    node = follower(cluster)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(200)
        prune(cluster)
        wait_until("on disk", lambda: b"still-00007" in (store(cluster, node) / "data.mdb").read_bytes())
        kill(cluster.pids("storage-node")[node])
        flip(store(cluster, node) / "data.mdb")
        cluster.up()
        wait_until("repaired", lambda: scrubbed(cluster) and told(cluster, node, "replica cloned"), 60)
        wait_until("cloned", lambda: told(cluster, node, "replica cloned"), 60)
        wait_until("well", lambda: well(cluster), 60)
        load.wait_for_acks(100)
    print(load.check())
    assert not load.recorded.errors
    assert list(store(cluster, node).parent.glob("0.damaged-*"))
    agree(cluster)


def flip(data: Path) -> None:
    """One bit in each copy of a row."""
    content, found = bytearray(data.read_bytes()), -1
    while (found := content.find(b'{"pk":{"S":"still-00007"}', found + 1)) >= 0:
        content[found + 40] ^= 1
    data.write_bytes(bytes(content))


def scrubbed(cluster: RunningCluster) -> bool:
    """Asked to; a replica that is still being opened, or has found damage, says so with an error."""
    try:
        cluster.command("admin", "scrub", TABLE)
    except AssertionError:
        return True
    return True


@pytest.mark.parametrize("victim", ["source", "receiver", "auto-admin"])
def test_whoever_dies_in_the_middle_of_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str) -> None:
    monkeypatch.setenv("DYNABUS_REPAIR_AFTER_MS", "600000")
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "1")
    monkeypatch.setenv("DYNABUS_COMMIT_INTERVAL_MS", "100")
    monkeypatch.setenv("DYNABUS_CLONE_MB_PER_S", SLOW_MB_PER_S)
    with running(tmp_path) as cluster:
        cluster.create_table(TABLE)
        fill(cluster)
        with Load(cluster.port, TABLE) as load:
            load.wait_for_acks(200)
            prune(cluster)
            node = follower(cluster)
            wipe(cluster, node)
            # Not waited for: it returns when the node is ready, which is after the clone.
            starting = subprocess.Popen([DYNABUS, "up", "--detach", "--data", str(cluster.data)])
            copy = store(cluster, node).with_name("0.clone")
            wait_until("in the middle", lambda: copy.exists() and size_of(copy) > 4e6, 60)
            source = told(cluster, node, "clone")[-1]["source"]
            dies = {"source": source, "receiver": node, "auto-admin": "admin-1"}[victim]
            service = "auto-admin" if victim == "auto-admin" else "storage-node"
            kill(cluster.pids(service)[dies])
            assert not store(cluster, node).exists(), "it was not in the middle"
            load.wait_for_acks(50)
            starting.wait(60)
            cluster.up()
            wait_until("cloned", lambda: told(cluster, node, "replica cloned"), 90)
            wait_until("well", lambda: well(cluster), 90)
            load.wait_for_acks(100)
        print(victim, load.check(), told(cluster, node, "replica cloned"))
        assert told(cluster, node, "replica cloned")
        assert not copy.exists()
        agree(cluster)


def size_of(folder: Path) -> int:
    file = folder / "data.mdb"
    return file.stat().st_size if file.exists() else 0
