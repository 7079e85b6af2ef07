"""Splits on a real Kafka, under load: nothing lost or doubled, no error, pages go on, whatever dies meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster import DYNABUS, RunningCluster, client, kill, running, wait_until
from tests.integration.load import Clients, Load

pytestmark = pytest.mark.broker

PAUSE_S = 4.0
"""The target is 1 s on a machine of its own; a machine that does other things meanwhile gets some more."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("splits")) as made:
        yield made


def numbers(cluster: RunningCluster, table: str) -> list[int]:
    """Partitions that serve, in key order."""
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    return [each["id"] for each in found["partitions"]]


def split(cluster: RunningCluster, table: str, number: int, *more: str) -> str:
    return cluster.command("admin", "split", table, str(number), *more)


def whole(cluster: RunningCluster, table: str) -> bool:
    """No split is under way, and every replica of each partition follows."""
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    replicas = [replica for each in found["partitions"] for replica in each["replicas"]]
    quiet = not found["sealed"] and not any(each["heirs"] for each in found["partitions"])
    return quiet and all(replica["state"] == "active" for replica in replicas)


STILL = [f"still-{number:03d}" for number in range(60)]
"""Items that nobody changes: every Scan must see each of them once, however often the table is split under it."""

BATCH = 25
"""The most that one BatchWriteItem takes: its parts belong to ever more partitions."""


class Batches(Clients):
    """One client that writes batches, one that scans in small pages."""

    def __init__(self, port: int, table: str) -> None:
        super().__init__(port, table)
        self.acked = self.tried = self.scans = 0
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._scan)]

    def put(self, keys: list[str], version: int) -> None:
        """All of them, in batches; whatever is unprocessed is wrong, since nothing is throttled here."""
        db = client(self._port)
        for first in range(0, len(keys), BATCH):
            items = [{"pk": {"S": key}, "v": {"N": str(version)}} for key in keys[first : first + BATCH]]
            puts = [{"PutRequest": {"Item": item}} for item in items]
            answer = db.batch_write_item(RequestItems={self._table: puts})
            if answer["UnprocessedItems"]:
                self.wrong.append(f"unprocessed: {answer['UnprocessedItems']}")

    def _write(self) -> None:
        while not self._stop.is_set():
            self.tried += 1
            self.put([f"batch-{number}" for number in range(BATCH)], self.tried)
            self.acked = self.tried

    def _scan(self) -> None:
        db = client(self._port)
        while not self._stop.is_set():
            seen = [key for key in scan(db, self._table, Limit=7) if key in STILL]
            self.scans += 1
            if sorted(seen) != STILL:
                self.wrong.append(f"a scan saw {len(seen)}, {len(set(seen))} of them different")

    def check(self) -> None:
        """After the block: each item of the batch has the last version."""
        db = client(self._port)
        assert not self.wrong
        assert self.acked == self.tried > 0
        for number in range(BATCH):
            item = db.get_item(TableName=self._table, Key={"pk": {"S": f"batch-{number}"}}, ConsistentRead=True)
            assert int(item["Item"]["v"]["N"]) == self.acked


def test_five_splits_in_a_row_under_load(cluster: RunningCluster) -> None:
    cluster.create_table("five")
    batches = Batches(cluster.port, "five")
    batches.put(STILL, 1)
    with Load(cluster.port, "five") as load, batches:
        load.wait_for_acks(100)
        since = time.monotonic()
        for _ in range(5):
            split(cluster, "five", numbers(cluster, "five")[0])
            load.wait_for_acks(100)
        gap_s = load.recorded.longest_gap_s(since)
    figures = load.check()
    print(figures, f"longest gap {gap_s:.2f} s")
    assert not load.recorded.errors
    assert gap_s < PAUSE_S
    assert len(numbers(cluster, "five")) == 6
    found = scan(client(cluster.port), "five")
    assert len(found) == len(set(found)) == len(load.recorded.acked) + 1 + len(STILL) + BATCH
    batches.check()
    print(f"{batches.acked} batches, {batches.scans} scans")
    wait_until("all replicas", lambda: whole(cluster, "five"))


def scan(db: Any, table: str, **more: Any) -> list[str]:
    """All partition keys, page by page."""
    keys: list[str] = []
    request = {"TableName": table, "ConsistentRead": True, **more}
    while True:
        page = db.scan(**request)
        keys += [item["pk"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return keys
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


# -- pages --------------------------------------------------------------------------------------------------------

ITEMS = [f"{number:03d}" for number in range(120)]


def test_pages_from_before_a_split_go_on_after_it(cluster: RunningCluster) -> None:
    cluster.create_table("pages", sort_key=True)
    db = client(cluster.port)
    for sort in ITEMS:
        db.put_item(TableName="pages", Item={"pk": {"S": "one"}, "sk": {"S": sort}, "pad": {"S": "x" * 200}})
    first = {way: query(db, 50, ScanIndexForward=way) for way in (True, False)}
    scanned = db.scan(TableName="pages", Limit=50, ConsistentRead=True)
    # Inside of the only item collection, twice.
    split(cluster, "pages", 0)
    split(cluster, "pages", numbers(cluster, "pages")[1], "--at", '{"pk": {"S": "one"}, "sk": {"S": "090"}}')
    assert len(numbers(cluster, "pages")) == 3
    for way, page in first.items():
        rest = query(db, 1000, ScanIndexForward=way, ExclusiveStartKey=page["LastEvaluatedKey"])
        assert sorts(page) + sorts(rest) == (ITEMS if way else ITEMS[::-1])
        assert sorts(query(db, 75, ScanIndexForward=way)) == (ITEMS if way else ITEMS[::-1])[:75]
    rest = db.scan(TableName="pages", ConsistentRead=True, ExclusiveStartKey=scanned["LastEvaluatedKey"])
    assert sorts(scanned) + sorts(rest) == ITEMS
    segments = [db.scan(TableName="pages", Segment=number, TotalSegments=4) for number in range(4)]
    assert sorted(sort for page in segments for sort in sorts(page)) == ITEMS
    keys = [{"pk": {"S": "one"}, "sk": {"S": sort}} for sort in ITEMS[:100]]
    answer = db.batch_get_item(RequestItems={"pages": {"Keys": keys, "ConsistentRead": True}})
    assert len(answer["Responses"]["pages"]) == 100
    wait_until("the count", lambda: db.describe_table(TableName="pages")["Table"]["ItemCount"] == len(ITEMS))


def query(db: Any, limit: int, **more: Any) -> dict[str, Any]:
    values = {":pk": {"S": "one"}}
    found: dict[str, Any] = db.query(
        TableName="pages",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues=values,
        Limit=limit,
        ConsistentRead=True,
        **more,
    )
    return found


def sorts(page: Any) -> list[str]:
    return [item["sk"]["S"] for item in page["Items"]]


def test_a_table_with_an_index_is_split_between_collections(cluster: RunningCluster) -> None:
    db = client(cluster.port)
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "at")]
    hashed = {"AttributeName": "pk", "KeyType": "HASH"}
    keys = {name: [hashed, {"AttributeName": name, "KeyType": "RANGE"}] for name in ("sk", "at")}
    index = {"IndexName": "by-at", "KeySchema": keys["at"], "Projection": {"ProjectionType": "ALL"}}
    db.create_table(
        TableName="indexed",
        AttributeDefinitions=attributes,
        KeySchema=keys["sk"],
        LocalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
    )
    wait_until("a leader", lambda: cluster.partition("indexed").get("leader"))
    names = [f"pk-{number}" for number in range(6)]
    for pk in names:
        for number in range(10):
            item = {"pk": pk, "sk": f"{number}", "at": f"{9 - number}"}
            db.put_item(TableName="indexed", Item={name: {"S": text} for name, text in item.items()})
    inside = '{"pk": {"S": "pk-1"}, "sk": {"S": "5"}}'
    with pytest.raises(AssertionError, match="not split there"):
        split(cluster, "indexed", 0, "--at", inside)
    split(cluster, "indexed", 0)
    assert len(numbers(cluster, "indexed")) == 2
    for pk in names:
        found = db.query(
            TableName="indexed",
            IndexName="by-at",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        assert [item["sk"]["S"] for item in found["Items"]] == [f"{9 - number}" for number in range(10)]
    scanned = db.scan(TableName="indexed", IndexName="by-at", ConsistentRead=True)
    assert scanned["Count"] == 60

    def sizes() -> tuple[int, int]:
        described = db.describe_table(TableName="indexed")["Table"]
        return described["ItemCount"], described["LocalSecondaryIndexes"][0]["ItemCount"]

    wait_until("the counts", lambda: sizes() == (60, 60))


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing", "0"), "not found"),
        (("refused", "9"), "has no partition 9: it has 0"),
        (("refused", "0", "--at", "{"), "--at is no JSON"),
        (("refused", "0", "--at", '{"pk": {"N": "1"}}'), "does not match the schema"),
    ],
)
def test_what_cannot_be_split_is_refused(cluster: RunningCluster, arguments: tuple[str, ...], words: str) -> None:
    if not any(each["name"] == "refused" for each in cluster.status()["tables"]):
        cluster.create_table("refused")
    with pytest.raises(AssertionError, match=words):
        cluster.command("admin", "split", *arguments)
    assert numbers(cluster, "refused") == [0]


# -- what dies meanwhile ------------------------------------------------------------------------------------------


def splitting(cluster: RunningCluster, table: str) -> str:
    """How far the split of partition 0 is: none, heirs, sealed, done."""
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    serving = {each["id"]: each for each in found["partitions"]}
    if 0 in serving:
        return "heirs" if serving[0]["heirs"] else "none"
    return "sealed" if found["sealed"] else "done"


@pytest.mark.parametrize("step", ["none", "heirs", "sealed"])
def test_auto_admin_dies_during_a_split(cluster: RunningCluster, step: str) -> None:
    table = f"admin-{step}"
    cluster.create_table(table)
    with Load(cluster.port, table) as load:
        load.wait_for_acks(200)
        since = time.monotonic()
        split(cluster, table, 0, "--no-wait")
        _wait_for_step(cluster, table, step)
        kill(cluster.pids("auto-admin")["admin-1"])
        if step == "sealed":
            # The data plane finishes what is sealed, with nobody to ask.
            load.wait_for_acks(200)
        cluster.up()
        wait_until("the split is done", lambda: splitting(cluster, table) == "done", 60)
        load.wait_for_acks(100)
        gap_s = load.recorded.longest_gap_s(since)
    print(step, load.check(), f"longest gap {gap_s:.2f} s")
    assert not load.recorded.errors
    assert gap_s < PAUSE_S


def _wait_for_step(cluster: RunningCluster, table: str, step: str) -> None:
    order = ["none", "heirs", "sealed", "done"]
    wait_until(step, lambda: order.index(splitting(cluster, table)) >= order.index(step), 60)


@pytest.mark.parametrize("step", ["heirs", "sealed"])
def test_the_leader_dies_during_a_split(cluster: RunningCluster, step: str) -> None:
    table = f"leader-{step}"
    cluster.create_table(table)
    with Load(cluster.port, table) as load:
        load.wait_for_acks(200)
        leader, _ = cluster.leader(table)
        split(cluster, table, 0, "--no-wait")
        _wait_for_step(cluster, table, step)
        kill(cluster.pids("storage-node")[leader])
        load.wait_for_acks(100, 60)
        cluster.up()
        wait_until("the split is done", lambda: splitting(cluster, table) == "done", 60)
        load.wait_for_acks(100)
    print(step, load.check())
    wait_until("all replicas", lambda: whole(cluster, table), 60)


def test_a_member_that_is_away_is_not_waited_for(cluster: RunningCluster) -> None:
    cluster.create_table("away")
    with Load(cluster.port, "away") as load:
        load.wait_for_acks(200)
        leader, _ = cluster.leader("away")
        away = next(name for name in cluster.pids("storage-node") if name != leader)
        kill(cluster.pids("storage-node")[away])
        split(cluster, "away", 0)
        split(cluster, "away", numbers(cluster, "away")[0])
        load.wait_for_acks(100)
        cluster.up()
        # It was there for no step of either split, and reads the logs of all generations.
        wait_until("all replicas", lambda: whole(cluster, "away"), 60)
    print(load.check())


def test_a_wiped_node_replays_the_lineage(cluster: RunningCluster) -> None:
    cluster.create_table("wiped")
    with Load(cluster.port, "wiped") as load:
        load.wait_for_acks(300)
        split(cluster, "wiped", 0)
        split(cluster, "wiped", numbers(cluster, "wiped")[0])
        load.wait_for_acks(100)
        kill(cluster.pids("storage-node")["node-2"])
        shutil.rmtree(Path(cluster.data) / "node-2")
        cluster.up()
        wait_until("all replicas", lambda: whole(cluster, "wiped"), 60)
        load.wait_for_acks(100, 60)
    print(load.check())
    assert not load.recorded.errors


def test_what_is_too_large_is_split_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNABUS_SPLIT_BYTES", "40000")
    with running(tmp_path) as own:
        own.create_table("large")
        db = client(own.port)
        for key in STILL:
            db.put_item(TableName="large", Item={"pk": {"S": key}, "pad": {"S": "x" * 1000}})
        # 61 KB: two halves of some 30 KB, which are small enough.
        wait_until("the split", lambda: len(numbers(own, "large")) == 2 and whole(own, "large"), 60)
        assert sorted(scan(db, "large")) == STILL


def test_two_operators_at_once(cluster: RunningCluster) -> None:
    cluster.create_table("twice")
    arguments = [DYNABUS, "admin", "split", "twice", "0", "--data", str(cluster.data)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    said = [each.communicate(timeout=60)[0].decode() for each in both]
    assert sorted(each.returncode for each in both) == [0, 1], said
    assert any("is being split already" in text or "has no partition 0" in text for text in said), said
    assert len(numbers(cluster, "twice")) == 2
