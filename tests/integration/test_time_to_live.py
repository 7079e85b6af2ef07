"""Time to live on a real Kafka, under load, while leaders die, tables are split and replicas are cloned.

What must hold however a sweep is cut short: an item whose last acknowledged write says that it is not over is never
deleted, and at rest exactly those are gone that are over.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.load import Clients
from tests.integration.streams import Poller, create_streaming, items_of
from tests.integration.test_splits import numbers, split, whole

pytestmark = [pytest.mark.broker, pytest.mark.alone]

SPECIFICATION = {"AttributeName": "expires", "Enabled": True}
WRITERS, KEYS = 4, 600
FAR_S = 100_000
SOON_S = 2
"""From a write until its item is over: a sweep comes while its writer may just be writing it again."""

PER_S = 150
"""Slow enough that a sweep lasts some seconds, in which something can die."""


def expires(item: dict[str, Any]) -> int:
    return int(item["expires"]["N"])


class Prolonging(Clients):
    """Writers that put, update and delete items, each its own keys: half of what they write is over soon.

    `known`: what the last write of a key may have left, by key: one expiry where it was acknowledged, more where it
    was not; None: no item. `wrong`: a long-lived item that a strong read, or a condition on it, did not find.
    """

    def __init__(self, port: int, table: str) -> None:
        super().__init__(port, table)
        self.known: dict[str, set[int | None]] = {}
        self.acked = self.checked = 0
        self.errors: list[str] = []
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._write, args=(each,), daemon=True) for each in range(WRITERS)]

    def wait_for_acks(self, count: int) -> None:
        wanted = self.acked + count
        wait_until(f"{count} acknowledged writes", lambda: self.acked >= wanted, 240)

    def _write(self, number: int) -> None:
        db, dice = client(self._port), random.Random(number)
        keys = [f"key-{key:04d}" for key in range(number, KEYS, WRITERS)]
        while not self._stop.is_set():
            key = dice.choice(keys)
            self._look(db, key)
            expiry = int(time.time()) + dice.choice([SOON_S, -5, FAR_S, FAR_S])
            self._change(db, key, expiry, by_update=dice.random() < 0.5)

    def _look(self, db: Any, key: str) -> None:
        """An item that only its writer may end is there."""
        known = self.known.get(key, {None})
        if len(known) > 1 or not _lasts(*known):
            return
        try:
            found = db.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True).get("Item")
        except (ClientError, BotoCoreError) as error:
            self.errors.append(repr(error))
            return
        self.checked += 1
        if found is None or {expires(found)} != known:
            self.wrong.append(f"{key}: known {known}, found {found}")

    def _change(self, db: Any, key: str, expiry: int, *, by_update: bool) -> None:
        self.known.setdefault(key, {None}).add(expiry)
        try:
            if by_update:
                db.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": key}},
                    UpdateExpression="SET expires = :e ADD n :one",
                    ExpressionAttributeValues={":e": {"N": str(expiry)}, ":one": {"N": "1"}},
                )
            else:
                db.put_item(TableName=self._table, Item={"pk": {"S": key}, "expires": {"N": str(expiry)}})
        except (ClientError, BotoCoreError) as error:
            self.errors.append(repr(error))
        else:
            self.known[key] = {expiry}
            self.acked += 1

    def check(self) -> dict[str, int]:
        """After the block: once all is over that will be soon, exactly what lasts is there."""
        assert not self.wrong
        wait_until("what is over is gone", self._swept, 120)
        found = {key: expires(item) for key, item in items_of(self._port, self._table).items()}
        for key, known in self.known.items():
            # Not acknowledged: either may have come last. A short-lived one of them is gone by now.
            lasting = {expiry for expiry in known if _lasts(expiry)}
            assert found.get(key) in (lasting if len(known) == 1 and lasting else lasting | {None}), (key, known)
        assert found.keys() <= self.known.keys()
        gone = sum(key not in found for key in self.known)
        assert 0 < gone < len(self.known)
        return {"acknowledged": self.acked, "checked": self.checked, "gone": gone, "errors": len(self.errors)}

    def _swept(self) -> bool:
        last_s = max(expiry for each in self.known.values() for expiry in each if expiry and not _lasts(expiry))
        left = items_of(self._port, self._table).values()
        return time.time() > last_s + 1 and all(_lasts(expires(item)) for item in left)


def _lasts(expiry: int | None) -> bool:
    return expiry is not None and expiry > time.time() + FAR_S / 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DYNABUS_EXPIRE_PER_S", str(PER_S))
        with running(tmp_path_factory.mktemp("ttl"), "--throttling", "report") as made:
            yield made


def fill(cluster: RunningCluster, table: str, count: int, expiry: int) -> None:
    """Items that nobody touches."""
    db = client(cluster.port)
    for first in range(0, count, 25):
        items = [
            {"pk": {"S": f"{table}-{number:05d}"}, "expires": {"N": str(expiry)}}
            for number in range(first, min(count, first + 25))
        ]
        left = db.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})
        assert not left["UnprocessedItems"]


def enable(cluster: RunningCluster, table: str) -> None:
    client(cluster.port).update_time_to_live(TableName=table, TimeToLiveSpecification=SPECIFICATION)


def count(cluster: RunningCluster, table: str) -> int:
    pages = client(cluster.port).get_paginator("scan").paginate(TableName=table, Select="COUNT", ConsistentRead=True)
    return sum(page["Count"] for page in pages)


def gone(cluster: RunningCluster, table: str) -> None:
    wait_until("all are gone", lambda: count(cluster, table) == 0, 120)


def begun(cluster: RunningCluster, table: str, before: int) -> int:
    """A sweep is under way: some are gone and some are there."""
    return int(wait_until("a sweep", partial(_between, cluster, table, before), 60))


def _between(cluster: RunningCluster, table: str, before: int) -> int:
    left = count(cluster, table)
    return left if 0 < left < before else 0


def agree(cluster: RunningCluster, table: str) -> None:
    """All replicas hold the same, by their scrubs."""
    wait_until("at rest", lambda: whole(cluster, table), 60)
    lines = cluster.command("admin", "scrub", table).splitlines()
    assert lines
    assert all("whole" in line for line in lines), lines


def test_items_expire_while_others_prolong_them(cluster: RunningCluster) -> None:
    """Streams tell who did it; their history is the accepted one, expired items included."""
    arn = create_streaming(cluster.port, "prolonged")
    enable(cluster, "prolonged")
    poller = Poller(cluster.port, arn)
    with Prolonging(cluster.port, "prolonged") as load:
        load.wait_for_acks(1500)
    print(load.check())
    assert not load.errors
    poller.read_until_equal("prolonged")
    poller.check()
    service = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    by = {"REMOVE": 0, "INSERT": 0, "MODIFY": 0}
    for record in poller.records:
        by[record["eventName"]] += 1
        change = record["dynamodb"]
        # Nobody but the service deletes here.
        assert record.get("userIdentity") == (service if record["eventName"] == "REMOVE" else None)
        if record["eventName"] == "REMOVE":
            assert expires(change["OldImage"]) <= change["ApproximateCreationDateTime"].timestamp()
    assert all(by.values()), by
    agree(cluster, "prolonged")


def test_an_item_that_a_client_deletes_has_no_service(cluster: RunningCluster) -> None:
    arn = create_streaming(cluster.port, "by-hand")
    enable(cluster, "by-hand")
    db = client(cluster.port)
    db.put_item(TableName="by-hand", Item={"pk": {"S": "a"}, "expires": {"N": str(int(time.time()) + FAR_S)}})
    db.delete_item(TableName="by-hand", Key={"pk": {"S": "a"}})
    poller = Poller(cluster.port, arn)
    wait_until("its records", lambda: poller.look() or len(poller.records) == 2, 60)
    assert [each["eventName"] for each in poller.records] == ["INSERT", "REMOVE"]
    assert not any("userIdentity" in each for each in poller.records)


def _kill_the_leader(cluster: RunningCluster, table: str) -> None:
    leader = cluster.leader(table)[0]
    kill(cluster.pids("storage-node")[leader])
    wait_until("another leader", lambda: cluster.leader(table)[0] != leader, 60)
    cluster.up()


def _split(cluster: RunningCluster, table: str) -> None:
    split(cluster, table, numbers(cluster, table)[0])


def _wipe_the_leader(cluster: RunningCluster, table: str) -> None:
    """It gets its rows from another replica, or its log, and makes its list of deadlines anew."""
    leader = cluster.leader(table)[0]
    kill(cluster.pids("storage-node")[leader])
    shutil.rmtree(cluster.data / leader)
    wait_until("another leader", lambda: cluster.leader(table)[0] != leader, 60)
    cluster.up()
    wait_until("whole", lambda: whole(cluster, table), 120)


@pytest.mark.parametrize("fault", [_kill_the_leader, _split, _wipe_the_leader], ids=lambda each: each.__name__[1:])
def test_a_sweep_under_load_goes_on_after(
    cluster: RunningCluster, fault: Callable[[RunningCluster, str], None]
) -> None:
    """Of a table that had its rows before; whoever leads then deletes the rest, and nothing that was prolonged."""
    table = fault.__name__.strip("_").replace("_", "-")
    cluster.create_table(table)
    fill(cluster, table, 1200, int(time.time()) - 10)
    enable(cluster, table)
    with Prolonging(cluster.port, table) as load:
        left = wait_until("a sweep", lambda: _filled(cluster, table) < 1150 and _filled(cluster, table), 60)
        fault(cluster, table)
        load.wait_for_acks(300)
    wait_until("the rest is gone", lambda: _filled(cluster, table) == 0, 120)
    print(table, "left at the fault", left, load.check())
    agree(cluster, table)


def _filled(cluster: RunningCluster, table: str) -> int:
    return sum(key.startswith(table) for key in items_of(cluster.port, table))


def test_a_sweep_goes_on_after_a_restart(cluster: RunningCluster) -> None:
    cluster.create_table("restarted")
    fill(cluster, "restarted", 1000, int(time.time()) - 10)
    db = client(cluster.port)
    db.put_item(TableName="restarted", Item={"pk": {"S": "stays"}, "expires": {"N": str(int(time.time()) + FAR_S)}})
    enable(cluster, "restarted")
    begun(cluster, "restarted", 1001)
    cluster.down()
    cluster.up()
    wait_until("what lasts is left", lambda: [*items_of(cluster.port, "restarted")] == ["stays"], 120)
    described = client(cluster.port).describe_time_to_live(TableName="restarted")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    agree(cluster, "restarted")


def test_status_and_metrics_tell_of_a_backlog(cluster: RunningCluster) -> None:
    cluster.create_table("behind")
    fill(cluster, "behind", 1500, int(time.time()) - 1000)
    enable(cluster, "behind")
    lines = wait_until("status tells it", lambda: _backlogs(cluster), 30)
    assert any("behind" in line for line in lines), lines
    node = cluster.leader("behind")[0]
    metrics = cluster.metrics(node)
    (line,) = (each for each in metrics.splitlines() if each.startswith("dynabus_node_time_to_live_backlog_seconds "))
    assert float(line.split()[1]) >= 1000
    gone(cluster, "behind")
    wait_until("no backlog", lambda: not _backlogs(cluster), 30)


def _backlogs(cluster: RunningCluster) -> list[str]:
    return [line for line in cluster.command("status").splitlines() if line.startswith("LATE")]
