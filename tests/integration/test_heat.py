"""Splits by heat on a real Kafka: a hot table splits by itself and serves more; a hot key is not split for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.load import Clients, Load

pytestmark = [pytest.mark.broker, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(420)]

CAP = 25
"""Write units of a partition: so few that a busy machine offers more at every moment."""

WINDOW_S = 20
WRITERS = 4
UNITS = 500
"""Of the table: its own bucket refuses nothing, and one partition is enough for it."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    patch = pytest.MonkeyPatch()
    patch.setenv("DYNABUS_PARTITION_WRITE_UNITS", str(CAP))
    patch.setenv("DYNABUS_HEAT_WINDOW_S", str(WINDOW_S))
    patch.setenv("DYNABUS_HEAT_PARTITIONS_MOST", "4")
    with running(tmp_path_factory.mktemp("heat")) as started:
        yield started
    patch.undo()


def numbers(cluster: RunningCluster, table: str) -> list[int]:
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    return [each["id"] for each in found["partitions"]]


def make(cluster: RunningCluster, table: str) -> None:
    db = client(cluster.port)
    db.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": UNITS, "WriteCapacityUnits": UNITS},
    )
    db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


class Writers(Clients):
    """Clients that write without a pause: each its own items, or all of them the same one."""

    def __init__(self, port: int, table: str, spread: bool) -> None:
        self.acked: dict[str, int] = {}
        self.times: list[float] = []
        self.refused = 0
        self.errors: list[str] = []
        super().__init__(port, table)
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(number, spread), daemon=True) for number in range(WRITERS)
        ]

    def _write(self, writer: int, spread: bool) -> None:
        db: Any = client(self._port, total_max_attempts=1)
        number = 0
        while not self._stop.is_set():
            number += 1
            key = f"{writer}-{number % 500}" if spread else "the-one"
            try:
                db.put_item(TableName=self._table, Item={"pk": {"S": key}, "v": {"N": str(number)}})
            except ClientError as error:
                self._refusal(error.response)
            else:
                with self._lock:
                    self.acked[key] = number
                    self.times.append(time.monotonic())

    def _refusal(self, response: Any) -> None:
        reasons = [each["reason"] for each in response.get("ThrottlingReasons", ())]
        with self._lock:
            if reasons == ["TableWriteKeyRangeThroughputExceeded"]:
                self.refused += 1
            else:
                self.errors.append(str(response["Error"]))
        self._stop.wait(0.02)

    def rate(self, seconds: float) -> float:
        """Acknowledged writes a second, of now."""
        before = len(self.times)
        time.sleep(seconds)
        return (len(self.times) - before) / seconds

    def more_than(self, rate: float) -> float:
        """The rate, if it is above this one."""
        found = self.rate(10)
        return found if found > rate else 0.0


def test_a_hot_table_splits_by_itself_and_serves_more(cluster: RunningCluster) -> None:
    make(cluster, "spread")
    with Load(cluster.port, "spread") as load, Writers(cluster.port, "spread", spread=True) as writers:
        first = writers.rate(10)
        wait_until("two splits", lambda: len(numbers(cluster, "spread")) >= 3, 180)
        wait_until("no more than four partitions", lambda: len(numbers(cluster, "spread")) == 4, 180)
        later = wait_until("more than one partition's cap", lambda: writers.more_than(1.3 * CAP), 120)
        assert len(numbers(cluster, "spread")) == 4
    print(f"\n{first:.0f} writes a second with one partition, {later:.0f} with four; {writers.refused} refused")
    load.check()
    assert {why for _, why in load.recorded.errors if "ThroughputExceeded" not in why} == set()
    assert not writers.errors
    assert writers.refused > 0
    assert first < 1.3 * CAP
    events = cluster.command("admin", "events")
    assert "spread/0 is being split, because writes took" in events
    db = client(cluster.port)
    for key, value in writers.acked.items():
        item = db.get_item(TableName="spread", Key={"pk": {"S": key}}, ConsistentRead=True)
        assert int(item["Item"]["v"]["N"]) >= value


def test_a_single_hot_key_is_not_split(cluster: RunningCluster) -> None:
    make(cluster, "single")
    with Writers(cluster.port, "single", spread=False) as writers:
        told = wait_until("the plan says it", lambda: _about(cluster, "single/0 is hot and not split"), 120)
        time.sleep(WINDOW_S)
        assert len(numbers(cluster, "single")) == 1
    assert "100 % of the load lies on one item" in told
    assert writers.refused > 0
    assert not writers.errors


def _about(cluster: RunningCluster, what: str) -> str:
    return next((line for line in cluster.command("admin", "plan").splitlines() if what in line), "")
