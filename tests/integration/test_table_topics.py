"""Table topics on a real Kafka, under load: the table exactly, whatever becomes of propagators and partitions."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.request import urlopen

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from tests.integration.cluster import RunningCluster, client, kill, paused, running, wait_until
from tests.integration.indexes import Churn, create, settles
from tests.integration.load import Load
from tests.integration.streams import Poller
from tests.integration.table_topics import Materialized, is_subsequence, status_of, switch, wait_for_full
from tests.integration.test_splits import numbers, split

pytestmark = pytest.mark.broker

ROUNDS = 4
"""Kills of a propagator under load."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("topics"), "--propagators", "2", "--throttling", "report") as made:
        yield made


def put_many(cluster: RunningCluster, table: str, count: int, prefix: str = "old") -> None:
    db = client(cluster.port)
    for at in range(0, count, 25):
        batch = [
            {"PutRequest": {"Item": {"pk": {"S": f"{prefix}-{number:05}"}, "v": {"N": "1"}}}}
            for number in range(at, min(at + 25, count))
        ]
        assert not db.batch_write_item(RequestItems={table: batch})["UnprocessedItems"]


def test_on_and_off_and_on_again(cluster: RunningCluster) -> None:
    cluster.create_table("plain")
    put_many(cluster, "plain", 1200)
    db = client(cluster.port)
    switch(cluster, "plain", "on")
    wait_for_full(cluster, "plain")
    with Materialized(cluster, "plain") as found:
        found.read_until_equal()
        item = {
            "pk": {"S": "typed"},
            "b": {"B": b"1"},
            "l": {"L": [{"NS": ["1", "2"]}]},
            "m": {"M": {"x": {"NULL": True}}},
        }
        db.put_item(TableName="plain", Item=item)
        db.delete_item(TableName="plain", Key={"pk": {"S": "old-00000"}})
        db.delete_item(TableName="plain", Key={"pk": {"S": "never"}})
        wait_until("the deletion", lambda: found.look() or found.tombstones, 60)
        wait_until("the item", lambda: found.look() or "typed" in found.items, 60)
        assert found.items["typed"]["l"] == {"L": [{"NS": ["1", "2"]}]}
        assert found.records == 1202
        _check_settings(cluster, found.topic)
        with urlopen(f"http://127.0.0.1:{cluster.port}/subjects/{found.topic}-value/versions/latest") as answer:
            assert json.loads(json.load(answer)["schema"])["name"] == "TableItem"
    switch(cluster, "plain", "off")
    wait_until("gone", lambda: status_of(cluster, "plain") is None and not _is_there(cluster, "plain"), 120)
    db.put_item(TableName="plain", Item={"pk": {"S": "while off"}})
    wait_until("on again", lambda: _switched_on(cluster, "plain"), 60)
    wait_for_full(cluster, "plain")
    with Materialized(cluster, "plain") as found:
        wait_until("all of it", lambda: found.look() or len(found.items) == 1201, 60)
        assert "while off" in found.items
    db.delete_table(TableName="plain")
    wait_until("the topic goes with its table", lambda: not _is_there(cluster, "plain"), 60)


def _check_settings(cluster: RunningCluster, topic: str) -> None:
    admin = _admin(cluster)
    [described] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    assert described.result(10)["cleanup.policy"].value == "compact"


def _admin(cluster: RunningCluster) -> AdminClient:
    return AdminClient({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"]})


def _is_there(cluster: RunningCluster, table: str) -> bool:
    return f"dynabus.table.{table}" in _admin(cluster).list_topics(timeout=10).topics


def _switched_on(cluster: RunningCluster, table: str) -> bool:
    """Refused until the old topic's row is gone."""
    try:
        switch(cluster, table, "on")
    except AssertionError as error:
        if "being deleted" not in str(error):
            raise
        return False
    return True


def test_filled_under_load_while_propagators_are_killed(cluster: RunningCluster) -> None:
    cluster.create_table("filled")
    put_many(cluster, "filled", 5000)
    dice = random.Random(5)
    with Load(cluster.port, "filled") as load:
        load.wait_for_acks(50, 240)
        switch(cluster, "filled", "on")
        with Materialized(cluster, "filled") as found:
            for number in range(ROUNDS):
                load.wait_for_acks(dice.randrange(30, 250), 240)
                running_now = sorted(cluster.pids("log-propagator").items())
                for _, pid in running_now if number % 3 == 2 else [running_now[number % 3]]:
                    kill(pid)
                found.look()
                cluster.up()
            wait_for_full(cluster, "filled", 240)
            load.wait_for_acks(100, 240)
            load.__exit__()
            found.read_until_equal(240)
            print(found.records, "records of", len(found.items), "items")
    load.check()


def test_a_table_that_is_split_under_load(cluster: RunningCluster) -> None:
    cluster.create_table("split")
    put_many(cluster, "split", 500)
    switch(cluster, "split", "on")
    with Load(cluster.port, "split") as load, Materialized(cluster, "split") as found:
        for _ in range(2):
            load.wait_for_acks(100, 240)
            split(cluster, "split", numbers(cluster, "split")[0])
            found.look()
        kill(dict(sorted(cluster.pids("log-propagator").items()))["propagator-1"])
        split(cluster, "split", numbers(cluster, "split")[-1])
        load.wait_for_acks(100, 240)
        cluster.up()
        wait_for_full(cluster, "split", 240)
        load.__exit__()
        found.read_until_equal(240)
    load.check()


def test_a_propagator_that_slept_is_a_zombie_and_writes_nothing(cluster: RunningCluster) -> None:
    """It wakes up with its logs given to the other one, maybe in the middle of a transaction."""
    cluster.create_table("zombie")
    switch(cluster, "zombie", "on")
    with Load(cluster.port, "zombie") as load, Materialized(cluster, "zombie") as found:
        load.wait_for_acks(50, 240)
        for _ in range(2):
            for pid in cluster.pids("log-propagator").values():
                with paused(pid):
                    before = found.records
                    wait_until("the other one goes on", partial(_reaches, found, before + 50), 120)
                load.wait_for_acks(50, 240)
        load.__exit__()
        found.read_until_equal(240)
    load.check()


def test_beside_a_stream_and_an_index(cluster: RunningCluster) -> None:
    """Items are deleted and come back; what the topic had of each is what the stream had, some left out."""
    create(cluster, "churned")
    db = client(cluster.port)
    view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    db.update_table(TableName="churned", StreamSpecification=view)
    wait_until("ACTIVE", lambda: db.describe_table(TableName="churned")["Table"]["TableStatus"] == "ACTIVE", 60)
    switch(cluster, "churned", "on")
    wait_for_full(cluster, "churned")
    arn = db.describe_table(TableName="churned")["Table"]["LatestStreamArn"]
    poller = Poller(cluster.port, arn)
    with Materialized(cluster, "churned", ascends=False) as found:
        with Churn(cluster.port, "churned") as churn:
            churn.wait_for(100)
            kill(dict(sorted(cluster.pids("log-propagator").items()))["propagator-2"])
            churn.wait_for(100)
            cluster.up()
            split(cluster, "churned", numbers(cluster, "churned")[0])
            kill(dict(sorted(cluster.pids("log-propagator").items()))["propagator-1"])
            churn.wait_for(100)
            cluster.up()
        found.read_until_equal(240)
        settles(cluster, "churned")
        poller.read_until_equal("churned", 240)
        images: dict[str, list[Any]] = {}
        for record in poller.records:
            change = record["dynamodb"]
            images.setdefault(change["Keys"]["pk"]["S"], []).append(change.get("NewImage"))
        assert found.tombstones
        assert [key for key, seen in found.history.items() if not is_subsequence(seen, images[key])] == []
        print(found.records, "records of", len(poller.records), "changes")


def _reaches(found: Materialized, wanted: int) -> Any:
    found.look()
    return found.records >= wanted
