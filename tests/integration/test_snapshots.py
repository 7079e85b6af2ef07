"""A table at one place and what came after: no gap and no overlap, while it is written, split and a node dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dynabus.client import BusyGroupError, Change, Item, NoStreamError, snapshot, stream
from dynabus.client.values import item_of
from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.load import Load
from tests.integration.streams import create_streaming, items_of
from tests.integration.test_splits import numbers, split

pytestmark = pytest.mark.broker

FILLERS = 2000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("snapshots"), "--throttling", "report") as made:
        yield made


def kafka_of(cluster: RunningCluster) -> str:
    return str(cluster.status()["kafka"]["bootstrap"])


def fill(cluster: RunningCluster, table: str, count: int) -> None:
    create_streaming(cluster.port, table)
    db = client(cluster.port)
    for first in range(0, count, 25):
        batch = [{"pk": {"S": f"filler-{each}"}, "pad": {"S": "x" * 300}} for each in range(first, first + 25)]
        db.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in batch]})


class Mirror:
    """What a table must hold: a snapshot, and changes that each begin where the one before them ended."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.changes = 0

    def add(self, item: Item) -> None:
        assert item["pk"] not in self.items, "an item came twice"
        self.items[item["pk"]] = item

    def apply(self, change: Change[Item]) -> None:
        key = change.keys["pk"]
        assert change.old == self.items.get(key), f"{change.event} of {key} does not follow what was there"
        self.changes += 1
        if change.new is None:
            del self.items[key]
        else:
            self.items[key] = change.new

    def equals(self, held: dict[str, dict[str, Any]]) -> bool:
        return self.items == {key: item_of(image) for key, image in held.items()}


def test_changes_go_on_exactly_where_the_snapshot_ends(cluster: RunningCluster) -> None:
    table, group, kafka = "mirrored", "mirror", kafka_of(cluster)
    fill(cluster, table, FILLERS)
    mirror = Mirror()
    with Load(cluster.port, table) as load:
        load.wait_for_acks(100, 240)
        split(cluster, table, 0)
        with snapshot(table, group=group, kafka=kafka) as items:
            first, second = numbers(cluster, table)
            for item in items:
                mirror.add(item)
                if len(mirror.items) == 10:
                    # The first one is here; what is copied next is split before, and what is here since.
                    split(cluster, table, second)
                    split(cluster, table, first)
                    node, pid = min(cluster.pids("storage-node").items())
                    kill(pid)
                    load.wait_for_acks(100, 240)
        assert len(mirror.items) >= FILLERS
        load.wait_for_acks(200, 240)
    load.check()
    held = items_of(cluster.port, table)
    with stream(table, group=group, kafka=kafka) as changes:

        def caught_up() -> bool:
            change = changes.poll(1.0)
            if change is not None:
                mirror.apply(change)
            return change is None and mirror.equals(held)

        wait_until("the mirror holds what the table does", caught_up, 120)
    print(len(mirror.items), "items", mirror.changes, "changes behind the snapshot", numbers(cluster, table), node)


def test_a_snapshot_that_was_not_read_to_its_end_sets_nothing(cluster: RunningCluster) -> None:
    table, kafka = "given-up", kafka_of(cluster)
    fill(cluster, table, 50)
    with snapshot(table, group="impatient", kafka=kafka) as items:
        next(items)
    with stream(table, group="impatient", kafka=kafka) as changes:
        assert next(changes).event == "INSERT", "the stream's first change"


def test_a_group_that_reads_is_not_moved(cluster: RunningCluster) -> None:
    table, kafka = "busy", kafka_of(cluster)
    fill(cluster, table, 25)
    with stream(table, group="reading", kafka=kafka) as changes:
        next(changes)
        with pytest.raises(BusyGroupError, match="group reading has members"):
            snapshot(table, group="reading", kafka=kafka)


def test_a_table_without_a_stream_has_no_snapshot(cluster: RunningCluster) -> None:
    cluster.create_table("unstreamed")
    with pytest.raises(NoStreamError, match="StreamSpecification of UpdateTable"):
        snapshot("unstreamed", group="g", kafka=kafka_of(cluster))


def test_event_loops_read_snapshots_too(cluster: RunningCluster) -> None:
    table, kafka = "looped", kafka_of(cluster)
    fill(cluster, table, 100)

    async def read() -> set[str]:
        async with snapshot(table, group="loop", kafka=kafka, parse=lambda item: str(item["pk"])) as keys:
            return {key async for key in keys}

    assert asyncio.run(read()) == set(items_of(cluster.port, table))
    client(cluster.port).delete_item(TableName=table, Key={"pk": {"S": "filler-7"}})
    with stream(table, group="loop", kafka=kafka) as changes:
        assert [(change.event, change.keys) for change in [next(changes)]] == [("REMOVE", {"pk": "filler-7"})]
