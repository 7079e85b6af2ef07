"""Global secondary indexes on a real Kafka, under load: the projection of their table exactly, whatever becomes of
propagators, leaders and partitions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cluster import RunningCluster, client, kill, paused, running, wait_until
from tests.integration.indexes import INDEX, V, create, settles
from tests.integration.load import Load
from tests.integration.test_splits import numbers, split

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("indexes"), "--propagators", "2", "--throttling", "report") as made:
        yield made


def test_propagators_and_leaders_that_die_and_splits(cluster: RunningCluster) -> None:
    create(cluster, "hurt")
    own, dice = "hurt/index/by-v", random.Random(5)
    with Load(cluster.port, "hurt") as load:
        load.wait_for_acks(100, 240)
        for number in range(3):
            running_now = sorted(cluster.pids("log-propagator").items())
            for _, pid in running_now if number == 2 else [running_now[number % 2]]:
                kill(pid)
            load.wait_for_acks(dice.randrange(50, 150), 240)
            cluster.up()
        split(cluster, "hurt", numbers(cluster, "hurt")[0])
        split(cluster, own, numbers(cluster, own)[0])
        load.wait_for_acks(100, 240)
        leader = cluster.partition(own, numbers(cluster, own)[0])["leader"]
        kill(cluster.pids("storage-node")[leader])
        load.wait_for_acks(100, 240)
        cluster.up()
        load.wait_for_acks(50, 240)
    print(load.check())
    settles(cluster, "hurt")
    assert len(numbers(cluster, own)) == len(numbers(cluster, "hurt"))


def test_a_propagator_that_slept_changes_nothing_when_it_wakes_up(cluster: RunningCluster) -> None:
    create(cluster, "zombie")
    with Load(cluster.port, "zombie") as load:
        load.wait_for_acks(50, 240)
        for pid in cluster.pids("log-propagator").values():
            with paused(pid):
                load.wait_for_acks(200, 240)
            load.wait_for_acks(50, 240)
    load.check()
    settles(cluster, "zombie")


def test_an_index_that_is_added_under_load_while_propagators_die(cluster: RunningCluster) -> None:
    cluster.create_table("added")
    db = client(cluster.port)
    with Load(cluster.port, "added") as load:
        load.wait_for_acks(200, 240)
        db.update_table(
            TableName="added",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, V],
            GlobalSecondaryIndexUpdates=[{"Create": INDEX}],
        )
        kill(dict(sorted(cluster.pids("log-propagator").items()))["propagator-1"])
        load.wait_for_acks(50, 240)
        cluster.up()
        wait_until("the index is filled", lambda: _status(db, "added") == "ACTIVE", 240)
        load.wait_for_acks(50, 240)
    load.check()
    settles(cluster, "added")


def _status(db: Any, table: str) -> str:
    status: str = db.describe_table(TableName=table)["Table"]["TableStatus"]
    return status
