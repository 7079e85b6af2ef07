"""One fault after the other, while clients change items of a table with an index: in the end the index is exactly the
projection of its table."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.integration.cluster import RunningCluster, kill, running, wait_until
from tests.integration.indexes import Churn, create, rows, settles
from tests.integration.test_splits import numbers, split

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Its propagators commit once a minute, so whichever dies has written what it did not commit."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DYNABUS_COMMIT_EVERY_MS", "60000")
        with running(tmp_path_factory.mktemp("faults"), "--propagators", "1", "--throttling", "report") as made:
            yield made


def counted(cluster: RunningCluster, name: str) -> int:
    """Of the propagator that runs, since it was started."""
    found = re.search(rf"^dynabus_propagator_{name}_total (\S+)$", cluster.metrics("propagator-1"), re.M)
    assert found is not None, name
    return int(float(found[1]))


def test_what_was_written_and_not_committed_is_written_again_and_changes_nothing(cluster: RunningCluster) -> None:
    create(cluster, "uncommitted")
    with Churn(cluster.port, "uncommitted") as churn:
        churn.wait_for(200)
        wait_until("something is written", lambda: counted(cluster, "index_writes") > 100)
        assert counted(cluster, "commits") <= 1
        kill(cluster.pids("log-propagator")["propagator-1"])
        churn.wait_for(100)
        cluster.up()
        churn.wait_for(100)
        wait_until("it is written again", lambda: counted(cluster, "index_needless") > 20, 60)
    settles(cluster, "uncommitted")
    assert rows(cluster, "uncommitted", "by-v")


def test_a_leader_of_the_index_dies(cluster: RunningCluster) -> None:
    create(cluster, "led")
    own = "led/index/by-v"
    with Churn(cluster.port, "led") as churn:
        churn.wait_for(150)
        for _ in range(2):
            leader, term = cluster.leader(own)
            kill(cluster.pids("storage-node")[leader])
            wait_until("another leader", lambda before=term: cluster.leader(own)[1] > before, 60)  # type: ignore[misc]
            churn.wait_for(50)
            cluster.up()
            churn.wait_for(50)
    settles(cluster, "led")


def test_the_table_is_split(cluster: RunningCluster) -> None:
    create(cluster, "split")
    with Churn(cluster.port, "split") as churn:
        churn.wait_for(150)
        for _ in range(2):
            split(cluster, "split", numbers(cluster, "split")[0])
            churn.wait_for(50)
    settles(cluster, "split")
    assert len(numbers(cluster, "split")) > len(numbers(cluster, "split/index/by-v"))


def test_the_index_is_split(cluster: RunningCluster) -> None:
    create(cluster, "parted")
    own = "parted/index/by-v"
    with Churn(cluster.port, "parted") as churn:
        churn.wait_for(150)
        for _ in range(2):
            split(cluster, own, numbers(cluster, own)[0])
            churn.wait_for(50)
    settles(cluster, "parted")
    assert len(numbers(cluster, own)) > len(numbers(cluster, "parted"))
