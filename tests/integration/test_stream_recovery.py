"""A log with a stream loses its tail, and its partition is recovered: nothing comes twice, and shards tell why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster import RunningCluster, kill, running, wait_until
from tests.integration.kafka_loss import end_of, log_folder, lose_tail, stop_node, table_id
from tests.integration.streams import Poller, create_streaming
from tests.integration.test_recovery import AHEAD, KEPT, one_ahead, put, recover, wait_until_frozen, whole

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

ITEMS = KEPT + AHEAD


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "2")
    with running(tmp_path, "--throttling", "report") as made:
        yield made


def read(poller: Poller, records: int) -> None:
    """Until so many have come."""
    wait_until(f"{records} records", lambda: poller.look() == 0 and len(poller.records) >= records, 60)


def propagator(cluster: RunningCluster) -> int:
    (pid,) = cluster.pids("log-propagator").values()
    return pid


def recover_whole(cluster: RunningCluster) -> None:
    """Partition 0 goes on as partition 2."""
    print(recover(cluster, "--yes"))
    wait_until("whole again", lambda: whole(cluster, 2), 120)


def check_lineage(poller: Poller) -> None:
    """The lost log's shard is closed, and what goes on from it is its child."""
    names = {int(name.split("-")[1]): name for name in poller.shards}
    assert sorted(names) == [0, 1, 2]
    lost, successor = poller.shards[names[0]], poller.shards[names[2]]
    assert successor["ParentShardId"] == names[0]
    assert "ParentShardId" not in lost
    assert poller.ended == {names[0]}
    numbers = lost["SequenceNumberRange"]
    assert int(numbers["EndingSequenceNumber"]) < int(successor["SequenceNumberRange"]["StartingSequenceNumber"])


def test_what_was_read_before_the_loss_comes_once(cluster: RunningCluster) -> None:
    arn = create_streaming(cluster.port, "lost")
    poller = Poller(cluster.port, arn)
    put(cluster, 0, KEPT)
    read(poller, KEPT)

    def write() -> None:
        put(cluster, KEPT, ITEMS)
        read(poller, ITEMS)

    one_ahead(cluster, write)
    wait_until_frozen(cluster)
    wait_until("the propagator says so", lambda: "ALARM  streams of lost/0" in cluster.command("status"), 60)
    recover_whole(cluster)
    put(cluster, 0, ITEMS, version=2)
    poller.read_until_equal("lost")
    poller.check()
    assert len(poller.records) == 2 * ITEMS
    check_lineage(poller)
    assert "ALARM" not in cluster.command("status")


def test_what_was_lost_before_it_was_read_is_told_and_nothing_else_is_missing(cluster: RunningCluster) -> None:
    """The table has it, its stream cannot; each change of after the recovery has the right old image."""
    arn = create_streaming(cluster.port, "lost")
    poller = Poller(cluster.port, arn)
    put(cluster, 0, KEPT)
    read(poller, KEPT)

    def write() -> None:
        kill(propagator(cluster))
        put(cluster, KEPT, ITEMS)

    one_ahead(cluster, write)
    wait_until_frozen(cluster)
    recover_whole(cluster)
    put(cluster, 0, ITEMS, version=2)
    poller.read_until_equal("lost")
    last: dict[str, Any] = {}
    for record in poller.records:
        change = record["dynamodb"]
        key = change["Keys"]["pk"]["S"]
        before = change["OldImage"]["v"]["N"] if "OldImage" in change else "0"
        assert int(change["NewImage"]["v"]["N"]) == int(before) + 1
        assert key not in last or change["OldImage"] == last[key]
        last[key] = change["NewImage"]
    events = [record["eventID"] for record in poller.records]
    assert len(set(events)) == len(events)
    assert ITEMS + KEPT <= len(events) < 2 * ITEMS
    check_lineage(poller)
    assert "are lost to streams, not to the table" in cluster.command("logs", "log-propagator", "-n", "1000")


def test_a_log_that_grew_again_beyond_the_propagator_s_place_is_noticed(cluster: RunningCluster) -> None:
    """Kafka's leader epochs tell it (KIP-320): what lies before its place is not what it has read."""
    arn = create_streaming(cluster.port, "lost")
    poller = Poller(cluster.port, arn)
    put(cluster, 0, KEPT)
    leader = cluster.leader("lost")[0]
    old = cluster.data / leader / table_id(cluster, "lost") / "0"
    for name in [name for name in cluster.pids("storage-node") if name != leader]:
        stop_node(cluster, name)
    folder = log_folder(cluster, "lost", 0)
    wait_until("it leads", lambda: cluster.partition("lost")["leader"] == leader)
    before = end_of(folder)
    put(cluster, KEPT, ITEMS)
    read(poller, ITEMS)
    cluster.down()
    aside = old.rename(cluster.data / "aside")
    longest = lose_tail(folder, before)
    cluster.up()
    kill(propagator(cluster))
    wait_until("three replicas", lambda: whole(cluster, 0), 120)
    put(cluster, 0, 2 * KEPT, version=2)
    wait_until("longer than ever", lambda: end_of(folder) > longest + 10)
    cluster.up()

    def told() -> bool:
        return "or another history before it: records are lost" in cluster.command("status")

    wait_until("the propagator says so", told, 60)
    stop_node(cluster, leader)
    shutil.rmtree(old)
    aside.rename(old)
    cluster.up()
    wait_until_frozen(cluster)
    recover_whole(cluster)
    put(cluster, 0, 2 * KEPT, version=3)
    poller.read_until_equal("lost")
    check_lineage(poller)
    # What was written between loss and recovery was never read, and is not in the table either.
    poller.check()
    assert {image["v"]["N"] for image in poller.newest().values()} == {"3"}
