"""Logs that auto-admin prunes on a real Kafka, under load; a node, a disk and a reader that need what was pruned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.integration.cluster import RunningCluster, kill, running, wait_until
from tests.integration.load import Load
from tests.integration.test_clones import TABLE, agree, fill, follower, table_id, told, well, wipe

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

READER = "archive"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    for name, value in {
        "REPAIR_AFTER_MS": "600000",
        "INITIAL_PARTITIONS": "1",
        "CLONE_MB_PER_S": "0",
        "CHECKPOINT_RECORDS": "500",
        "CHECKPOINT_MB_PER_S": "0",
        "LOG_RETENTION_S": "0",
        "PRUNE_EVERY_MS": "500",
        "LOG_LAG_RECORDS": "500",
    }.items():
        monkeypatch.setenv(f"DYNABUS_{name}", value)
    with running(tmp_path) as made:
        made.create_table(TABLE)
        yield made


def start_of_log(cluster: RunningCluster, number: int = 0) -> int:
    """As a plain client sees it."""
    consumer = Consumer({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"], "group.id": "look"})
    try:
        where = TopicPartition(f"dynabus.log.{table_id(cluster)}", number)
        return int(consumer.get_watermark_offsets(where, timeout=10)[0])
    finally:
        consumer.close()


def commit(cluster: RunningCluster, offset: int) -> None:
    """What an archive, or a propagator, does behind what it has read."""
    consumer = Consumer({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"], "group.id": READER})
    try:
        where = TopicPartition(f"dynabus.log.{table_id(cluster)}", 0, offset)
        consumer.commit(offsets=[where], asynchronous=False)
    finally:
        consumer.close()


def test_logs_are_pruned_and_a_wiped_disk_and_a_new_node_come_to_be_whole(cluster: RunningCluster) -> None:
    fill(cluster, 3000)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(500)
        wait_until("pruned", lambda: start_of_log(cluster) > 1000, 90)
        node = follower(cluster)
        wipe(cluster, node)
        load.wait_for_acks(100)
        cluster.up()
        wait_until("cloned", lambda: told(cluster, node, "replica cloned"), 90)
        wait_until("well", lambda: well(cluster), 60)
        before = start_of_log(cluster)
        cluster.command("up", "--detach", "--nodes", "4")
        wait_until("known", lambda: "node-4" in cluster.command("admin", "plan"))
        cluster.command("admin", "drain", "node-1")
        wait_until("cloned", lambda: told(cluster, "node-4", "replica cloned"), 60)
        # Pruning goes on once the new member has a checkpoint.
        load.wait_for_acks(1500, 180)
        wait_until("pruned further", lambda: start_of_log(cluster) > before, 120)
    print(load.check(), "the log begins at", start_of_log(cluster))
    assert not load.recorded.errors
    agree(cluster)


def test_a_dead_member_and_then_a_crashed_auto_admin_lose_nothing_that_is_needed(cluster: RunningCluster) -> None:
    """The dead one comes back and reads on from its own store: nothing that it needs was pruned."""
    fill(cluster, 2500)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(100)
        wait_until("pruned", lambda: start_of_log(cluster) > 0, 90)
        node = follower(cluster)
        kill(cluster.pids("storage-node")[node])
        load.wait_for_acks(1500, 180)
        kill(cluster.pids("auto-admin")["admin-1"])
        cluster.up()
        wait_until("well", lambda: well(cluster), 60)
    print(load.check())
    assert not told(cluster, node, "replica cloned")
    agree(cluster)


def test_a_named_reader_holds_a_log_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    monkeypatch.setenv("DYNABUS_LOG_READERS", READER)
    made: RunningCluster = request.getfixturevalue("cluster")
    fill(made, 4000)
    wait_until("named", lambda: f"LAG    {TABLE}/0: {READER} is behind" in made.command("status"), 90)
    assert start_of_log(made) == 0
    commit(made, 2000)
    # Exactly up to there if all replicas had more on disk by then; fewer than 1,000 records are not worth a call.
    start = wait_until("pruned as far as it allows", lambda: start_of_log(made), 60)
    assert 1000 <= start <= 2000
    commit(made, 2500)
    now = start_of_log(made)
    assert start <= now <= 2500


def test_the_parents_log_is_emptied_and_a_wiped_node_clones_its_children(cluster: RunningCluster) -> None:
    fill(cluster, 300)
    with Load(cluster.port, TABLE) as load:
        load.wait_for_acks(200)
        cluster.command("admin", "split", TABLE, "0")
        wait_until("emptied", lambda: start_of_log(cluster) > 300, 90)
        node = next(name for name in sorted(cluster.pids("storage-node")))
        wipe(cluster, node)
        load.wait_for_acks(50)
        cluster.up()
        wait_until("both cloned", lambda: len(told(cluster, node, "replica cloned")) == 2, 90)
        wait_until("well", lambda: well(cluster, 1) and well(cluster, 2), 60)
        load.wait_for_acks(100)
    print(load.check())
    lines = cluster.command("admin", "scrub", TABLE).splitlines()
    assert len(lines) == 6
    assert all("whole" in line for line in lines), lines
