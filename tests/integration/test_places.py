"""What was written through one router is read through another, at any replica, if the place travels along."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from dynabus.client import Ingest, NoIngestError, SeenPlaces, ingest, read_your_writes
from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.test_splits import numbers, split

pytestmark = pytest.mark.broker

TABLE, READS = "seen", 300


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("places"), "--routers", "2") as made:
        made.create_table(TABLE)
        yield made


def read(db: Any, key: str) -> Any:
    answer = db.get_item(TableName=TABLE, Key={"pk": {"S": key}}, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 0.5, "eventually consistent"
    return answer.get("Item", {}).get("n", {}).get("N")


def scanned(db: Any) -> dict[str, str]:
    pages = db.get_paginator("scan").paginate(TableName=TABLE, PaginationConfig={"PageSize": 7})
    return {item["pk"]["S"]: item["n"]["N"] for page in pages for item in page["Items"]}


def written(writer: Any, reader: Any, seen: SeenPlaces, told: SeenPlaces, number: int) -> None:
    key = f"k{number % 20}"
    writer.put_item(TableName=TABLE, Item={"pk": {"S": key}, "n": {"N": str(number)}})
    told.add(str(seen))
    assert read(reader, key) == str(number)


def test_no_read_is_behind_what_was_seen(cluster: RunningCluster) -> None:
    writer, reader = client(cluster.port), client(cluster.port + 1)
    seen, told = read_your_writes(writer), read_your_writes(reader)
    for number in range(READS):
        written(writer, reader, seen, told, number)
    split(cluster, TABLE, 0)
    for number in range(READS, 2 * READS):
        written(writer, reader, seen, told, number)
        if number % 50 == 0:
            # Page by page, over both children, one place each.
            assert scanned(reader)[f"k{number % 20}"] == str(number)
    assert len(numbers(cluster, TABLE)) == 2


def test_an_item_that_is_gone_stays_so(cluster: RunningCluster) -> None:
    writer, reader = client(cluster.port), client(cluster.port + 1)
    seen, told = read_your_writes(writer), read_your_writes(reader)
    for number in range(50):
        written(writer, reader, seen, told, number)
        writer.delete_item(TableName=TABLE, Key={"pk": {"S": f"k{number % 20}"}})
        told.add(str(seen))
        assert read(reader, f"k{number % 20}") is None


def test_what_came_through_kafka_is_read_too(cluster: RunningCluster) -> None:
    cluster.command("admin", "ingest", TABLE, "on")
    reader, kafka = client(cluster.port + 1), cluster.status()["kafka"]["bootstrap"]
    told = read_your_writes(reader)
    with wait_until("commands are taken", partial(_producer, kafka), 60) as commands:
        for number in range(100):
            applied = commands.put({"pk": f"k{number % 20}", "n": number}).result(30)
            told.add(applied.seen)
            assert read(reader, f"k{number % 20}") == str(number)


def _producer(kafka: str) -> Ingest | None:
    try:
        return ingest(TABLE, kafka=kafka)
    except NoIngestError:
        return None


def test_a_failed_condition_has_seen_the_item(cluster: RunningCluster) -> None:
    writer, other, reader = client(cluster.port), client(cluster.port), client(cluster.port + 1)
    seen, told = read_your_writes(other), read_your_writes(reader)
    for number in range(50):
        writer.put_item(TableName=TABLE, Item={"pk": {"S": "c"}, "n": {"N": str(number)}})
        with pytest.raises(other.exceptions.ConditionalCheckFailedException):
            other.delete_item(
                TableName=TABLE,
                Key={"pk": {"S": "c"}},
                ConditionExpression="n <> :n",
                ExpressionAttributeValues={":n": {"N": str(number)}},
            )
        told.add(str(seen))
        assert read(reader, "c") == str(number)
