"""Replicas that move on a real Kafka, under load: nothing lost, nothing stale, no error, whatever dies meanwhile."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from dynabus.core.local_indexes import LocalIndexes
from tests.integration.cluster import DYNABUS, RunningCluster, client, kill, running, wait_until
from tests.integration.load import Load
from tests.integration.test_replicas_equal import check_replicas, read_with_a_plain_client

pytestmark = pytest.mark.broker

TABLES = ["moves-1", "moves-2", "moves-3"]
REPAIR_AFTER_MS = 6000
"""Longer than it takes until a node counts as silent (4.5 s), short enough for a test."""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    monkeypatch.setenv("DYNABUS_REPAIR_AFTER_MS", str(REPAIR_AFTER_MS))
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "2")
    with running(tmp_path) as made:
        for table in TABLES:
            made.create_table(table)
        yield made


def groups(cluster: RunningCluster) -> list[dict[str, Any]]:
    return [each for table in cluster.status()["tables"] for each in table["partitions"]]


def replicas(cluster: RunningCluster) -> Counter[str]:
    """How many each node has, joining ones too."""
    return Counter(replica["node"] for group in groups(cluster) for replica in group["replicas"])


def is_whole(cluster: RunningCluster) -> bool:
    """Each group has three replicas that follow, and a leader among them."""
    return all(
        [replica["state"] for replica in group["replicas"]] == ["active"] * 3
        and group["leader"] in [replica["node"] for replica in group["replicas"]]
        for group in groups(cluster)
    )


def add_fourth(cluster: RunningCluster) -> None:
    cluster.command("up", "--detach", "--nodes", "4")


def has_its_share(cluster: RunningCluster) -> bool:
    count = replicas(cluster)
    return is_whole(cluster) and abs(count["node-1"] - count["node-4"]) <= 1


def check(cluster: RunningCluster, load: Load, what: str) -> None:
    print(what, load.check(), f"longest gap {load.recorded.longest_gap_s(min(load.recorded.ends)):.2f} s")
    living = cluster.pids("storage-node")
    wait_until("all at the log's end", lambda: set(lags(cluster, living)) == {0})
    status = cluster.status()
    # Whatever is appended after this, as the resigns of `down`, would be at some of them only.
    for pid in living.values():
        kill(pid)
    table = next(each for each in status["tables"] if each["name"] == TABLES[0])
    records = read_with_a_plain_client(status["kafka"]["bootstrap"], f"dynabus.log.{table['id']}")
    check_replicas(cluster, table, records, LocalIndexes("pk", ()))


def lags(cluster: RunningCluster, living: Collection[str]) -> list[int | None]:
    return [each["lag"] for group in groups(cluster) for each in group["replicas"] if each["node"] in living]


def folders(cluster: RunningCluster, node: str) -> list[Path]:
    """The replicas that are on a node's disk."""
    return [path for path in (Path(cluster.data) / node).glob("*/*") if path.is_dir()]


def test_a_fourth_node_gets_its_share_and_is_drained_again(cluster: RunningCluster) -> None:
    with Load(cluster.port, TABLES[0]) as load:
        load.wait_for_acks(200)
        add_fourth(cluster)
        wait_until("its share", lambda: has_its_share(cluster), 90)
        assert replicas(cluster)["node-4"] == 3
        load.wait_for_acks(100)
        # The first node leads something: leadership moves too.
        wait_until("a leader", lambda: any(group["leader"] == "node-1" for group in groups(cluster)))
        cluster.command("admin", "drain", "node-1")
        assert replicas(cluster)["node-1"] == 0
        load.wait_for_acks(100)
        wait_until("whole", lambda: is_whole(cluster), 30)
        wait_until("its disk is empty", lambda: not folders(cluster, "node-1"), 30)
    assert not load.recorded.errors
    events = cluster.command("admin", "events")
    assert "node-1: active -> draining" in events
    assert "node-1 is replaced by node-4, because node-1 is being drained" in events
    cluster.command("admin", "remove", "node-1")
    assert "node-1" not in {each["name"] for each in cluster.status()["processes"]}
    assert is_whole(cluster)
    check(cluster, load, "fourth node, drain")


def test_a_dead_node_is_replaced_and_comes_back(cluster: RunningCluster) -> None:
    add_fourth(cluster)
    wait_until("its share", lambda: has_its_share(cluster), 90)
    with Load(cluster.port, TABLES[0]) as load:
        load.wait_for_acks(200)
        kill(cluster.pids("storage-node")["node-1"])
        wait_until("replaced", lambda: replicas(cluster)["node-1"] == 0 and is_whole(cluster), 90)
        load.wait_for_acks(100)
        cluster.up()
        wait_until("its share again", lambda: has_its_share(cluster), 90)
        load.wait_for_acks(100)
    check(cluster, load, "killed node")
    assert not load.recorded.errors


def test_three_nodes_and_one_dead_is_calm_and_visible(cluster: RunningCluster) -> None:
    with Load(cluster.port, TABLES[0]) as load:
        load.wait_for_acks(100)
        kill(cluster.pids("storage-node")["node-2"])
        wait_until("told", lambda: "zone b has no other node" in cluster.command("admin", "plan"), 60)
        load.wait_for_acks(100)
        assert replicas(cluster)["node-2"] == 6
        assert "node-2 is replaced" not in cluster.command("admin", "events")
    check(cluster, load, "one of three dead")


@pytest.mark.parametrize("victim", ["admin-1", "node-4"])
def test_whoever_dies_during_a_move(cluster: RunningCluster, victim: str) -> None:
    """Auto-admin, again and again at no chosen moment; the joining node, which is given up or comes back in time."""
    service = "auto-admin" if victim == "admin-1" else "storage-node"
    with Load(cluster.port, TABLES[0]) as load:
        load.wait_for_acks(200)
        add_fourth(cluster)
        for _ in range(3):
            wait_until("it is there", lambda: victim in cluster.pids(service))
            load.wait_for_acks(20)
            kill(cluster.pids(service)[victim])
            load.wait_for_acks(20)
            cluster.up()
        wait_until("its share", lambda: has_its_share(cluster), 120)
        load.wait_for_acks(100)
    check(cluster, load, f"{victim} dies")
    assert service == "storage-node" or not load.recorded.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("drain", "nobody"), "There is no node nobody"),
        (("drain", "node-2"), "zone b has no other node"),
        (("remove", "node-1"), "admin drain node-1"),
    ],
)
def test_refusals(refusing: RunningCluster, arguments: tuple[str, ...], words: str) -> None:
    before = replicas(refusing)
    with pytest.raises(AssertionError, match=words):
        refusing.command("admin", *arguments)
    assert replicas(refusing) == before


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("refusing")) as made:
        made.create_table("refused")
        yield made


def test_two_operators_at_once(refusing: RunningCluster) -> None:
    refusing.command("up", "--detach", "--nodes", "4")
    wait_until("known", lambda: "node-4" in refusing.command("admin", "plan"))
    orders = [
        [DYNABUS, "admin", "drain", node, "--no-wait", "--data", str(refusing.data)] for node in ("node-1", "node-4")
    ]
    both = [subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for order in orders]
    said = [each.communicate(timeout=60)[0].decode() for each in both]
    assert sorted(each.returncode for each in both) == [0, 1], said
    assert any("zone a has no other node" in text for text in said), said
    assert client(refusing.port).scan(TableName="refused")["Count"] == 0
