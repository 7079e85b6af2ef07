"""The end of tombstones on a real Kafka: under load, while propagators sleep with old writes in their hands and
leaders of the index die, tombstones go; in the end none is left, and the index is the projection of its table."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dynabus.core.ids import LogId, PartitionId
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.replication.place import Origin
from dynabus.core.rows import is_tombstone
from tests.integration.cluster import RunningCluster, client, kill, paused, running, wait_until
from tests.integration.indexes import CHURN_KEYS, Churn, create, rows, settles
from tests.integration.test_replicas_equal import read_with_a_plain_client, replay

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("tombstones"), "--propagators", "2", "--throttling", "report") as made:
        yield made


def removed(cluster: RunningCluster) -> int:
    """By the storage nodes that run, since they were started."""
    texts = [cluster.metrics(name) for name in cluster.pids("storage-node")]
    found = [re.search(r"^dynabus_node_tombstones_removed_total (\S+)$", text, re.M) for text in texts]
    return sum(int(float(each[1])) for each in found if each is not None)


def tombstones(cluster: RunningCluster, index: str) -> int:
    """That the log of an index's only partition stands for."""
    status = cluster.status()
    (table,) = [each for each in status["tables"] if each["name"] == index]
    assert len(table["partitions"]) == 1
    records = read_with_a_plain_client(status["kafka"]["bootstrap"], f"dynabus.log.{table['id']}")
    _, store, _ = replay(records, Origin("", "", PartitionId(LogId(table["id"]), 0)), LocalIndexes("", ()))
    return sum(is_tombstone(row) for _, row in store.scan(b"", None))


def wait_for_removals(cluster: RunningCluster, count: int) -> None:
    before = removed(cluster)
    wait_until(f"{count} tombstones are taken away", lambda: removed(cluster) >= before + count, 120)


def test_tombstones_go_and_what_comes_late_changes_nothing(cluster: RunningCluster) -> None:
    create(cluster, "cleared")
    own = "cleared/index/by-v"
    with Churn(cluster.port, "cleared") as churn:
        churn.wait_for(150)
        assert tombstones(cluster, own)
        for _, pid in sorted(cluster.pids("log-propagator").items()):
            with paused(pid):
                churn.wait_for(100)
                wait_for_removals(cluster, 20)
            churn.wait_for(50)
        for _ in range(2):
            leader, term = cluster.leader(own)
            kill(cluster.pids("storage-node")[leader])
            wait_until("another leader", lambda before=term: cluster.leader(own)[1] > before, 60)  # type: ignore[misc]
            wait_for_removals(cluster, 10)
            cluster.up()
        kill(sorted(cluster.pids("log-propagator").values())[0])
        churn.wait_for(50)
        cluster.up()
    db = client(cluster.port)
    for number in range(0, CHURN_KEYS, 2):
        db.delete_item(TableName="cleared", Key={"pk": {"S": f"churn-{number:03}"}})
    settles(cluster, "cleared")
    wait_until("no tombstone is left", lambda: not tombstones(cluster, own), 120)
    settles(cluster, "cleared")
    assert rows(cluster, "cleared", "by-v")
