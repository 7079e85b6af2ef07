"""A table's writes meet what its index cannot take: a limit on its lag, and the caps of its partitions."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.indexes import INDEX, V, create, settles
from tests.integration.load import Clients

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

CAP = 40
"""Write units of a partition: of a table of four partitions 160, and 40 of an index with one hot key."""

FOUR = {"ReadCapacityUnits": 100, "WriteCapacityUnits": 3500}
"""So much throughput has four partitions."""

LIMIT_S = 2
WRITERS = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DYNABUS_PARTITION_WRITE_UNITS", str(CAP))
        environment.setenv("DYNABUS_HEAT_PARTITIONS_MOST", "0")
        with running(tmp_path_factory.mktemp("pressure"), "--propagators", "1") as made:
            yield made


def arn(cluster: RunningCluster, table: str) -> str:
    described = client(cluster.port).describe_table(TableName=table)["Table"]
    return str(described["GlobalSecondaryIndexes"][0]["IndexArn"])


def refusal(cluster: RunningCluster, table: str, **more: Any) -> dict[str, Any] | None:
    """Why a write is refused; None: it is not."""
    try:
        client(cluster.port, total_max_attempts=1).put_item(TableName=table, Item={"pk": {"S": "p"}, **more})
    except ClientError as error:
        response: Any = error.response
        (reason,) = response.get("throttlingReasons") or [response["Error"]]
        return dict(reason)
    return None


def lag_s(cluster: RunningCluster, table: str) -> float:
    (found,) = [each["lag_s"] for each in cluster.status()["indexes"] if each["table"] == table]
    return float(found)


def number(value: int) -> dict[str, str]:
    return {"N": str(value)}


NEWS = count(100)


def another() -> dict[str, str]:
    """A value that no item had: a write that says what the item says does not touch the index."""
    return number(next(NEWS))


def test_an_index_that_is_too_far_behind_throttles_writes_that_touch_it(cluster: RunningCluster) -> None:
    create(cluster, "late")
    expected = {"reason": "IndexWriteKeyRangeThroughputExceeded", "resource": arn(cluster, "late")}
    assert refusal(cluster, "late", v=number(0)) is None
    wait_until("the index has it", lambda: lag_s(cluster, "late") == 0.0)
    kill(cluster.pids("log-propagator")["propagator-1"])
    assert refusal(cluster, "late", v=number(1)) is None
    wait_until("the lag grows while nobody writes the index", lambda: lag_s(cluster, "late") > 2 * LIMIT_S)
    assert refusal(cluster, "late", v=number(2)) is None, "without a limit an index that is ill takes no write"
    cluster.command("admin", "index-lag-limit", "late", "by-v", str(LIMIT_S))
    wait_until("it is refused", lambda: refusal(cluster, "late", v=another()) == expected)
    assert refusal(cluster, "late") is not None, "the write that takes the row away touches the index too"
    db = client(cluster.port)
    item = db.get_item(TableName="late", Key={"pk": {"S": "p"}}, ConsistentRead=True)["Item"]
    assert db.query(
        TableName="late",
        IndexName="by-v",
        KeyConditionExpression="v = :v",
        ExpressionAttributeValues={":v": number(0)},
    )["Count"], "reads are untouched"
    db.put_item(TableName="late", Item={**item, "other": {"S": "not projected"}})
    leader, term = cluster.leader("late")
    kill(cluster.pids("storage-node")[leader])
    wait_until("another leader", lambda: cluster.leader("late")[1] > term, 60)
    wait_until("it is refused by the next leader too", lambda: refusal(cluster, "late", v=another()) == expected, 60)
    cluster.up()
    wait_until("a propagator catches up", lambda: lag_s(cluster, "late") == 0.0, 60)
    wait_until("writes pass again", lambda: refusal(cluster, "late", v=another()) is None)
    settles(cluster, "late")
    cluster.command("admin", "index-lag-limit", "late", "by-v", "off")
    kill(cluster.pids("log-propagator")["propagator-1"])
    wait_until("writes that pass though the index is behind", lambda: _passes(cluster, "late"), 60)
    cluster.up()


def _passes(cluster: RunningCluster, table: str) -> bool:
    assert refusal(cluster, table, v=another()) is None or lag_s(cluster, table) < 1
    return lag_s(cluster, table) > 2 * LIMIT_S


class Writers(Clients):
    """Write without a pause; all rows of `hot` lie under one key of the index."""

    def __init__(self, port: int, table: str) -> None:
        super().__init__(port, table)
        self.acked = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._write, args=(each,), daemon=True) for each in range(WRITERS)]

    def _write(self, writer: int) -> None:
        db: Any = client(self._port, total_max_attempts=1)
        written = 0
        while not self._stop.is_set():
            written += 1
            try:
                db.put_item(TableName=self._table, Item={"pk": {"S": f"{writer}-{written}"}, "v": number(7)})
            except ClientError as error:
                (reason,) = error.response["ThrottlingReasons"]  # type: ignore[typeddict-item]
                with self._lock:
                    self.reasons[reason["reason"], reason["resource"]] += 1
                self._stop.wait(0.02)
            else:
                with self._lock:
                    self.acked += 1


def test_an_index_partition_at_its_cap_throttles_the_writes_whose_rows_lie_there(cluster: RunningCluster) -> None:
    units = {"ReadCapacityUnits": 500, "WriteCapacityUnits": 500}
    db = client(cluster.port)
    db.create_table(
        TableName="capped",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, V],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[{**INDEX, "ProvisionedThroughput": units}],
        ProvisionedThroughput=FOUR,
    )
    db.get_waiter("table_exists").wait(TableName="capped", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    hot = ("IndexWriteKeyRangeThroughputExceeded", arn(cluster, "capped"))
    with Writers(cluster.port, "capped") as writers:
        wait_until("clients are told", lambda: writers.reasons[hot] > 50, 60)
        before = writers.acked
        wait_until("several caps' worth are written all the same", lambda: writers.acked > before + 5 * CAP, 60)
        worst = max(lag_s(cluster, "capped") for _ in range(5))
    assert {resource for _, resource in writers.reasons} <= {hot[1], hot[1].split("/index/")[0]}
    assert worst < 30, "the index falls behind no further than what was on its way"
    wait_until("all is in the index", lambda: lag_s(cluster, "capped") == 0.0, 120)
    settles(cluster, "capped")
    told = cluster.command("admin", "throttled")
    assert "capped/index/by-v" in told
