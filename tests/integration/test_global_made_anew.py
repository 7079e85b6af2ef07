"""A replica that is deleted and made anew under its name, on two real clusters."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from dynabus.adapters.replication_codec import decode_batch
from tests.integration.cluster import RunningCluster, client, kill, wait_until
from tests.integration.global_load import (
    EAST,
    TOPICS,
    WEST,
    bootstrap,
    messages,
    replicas_active,
    replicate,
    two_regions,
)
from tests.integration.streams import items_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

COUNT, SENT = 30, 2
"""Items, and how many are sent at least: four batches are under way, and the others wait behind them."""


def sent(west: RunningCluster) -> set[bytes]:
    """Keys of changes that lie in its Kafka."""
    found = messages(bootstrap(west), TOPICS.replication(EAST).name)
    return {export.key for message in found for export in decode_batch(message.value()).batch.exports}


def passed(west: RunningCluster) -> float:
    """Changes for a table that was there before."""
    text = west.metrics("rep-in-1")
    return sum(float(count) for count in re.findall(r"^dynabus_rep_in_passed_total (\S+)$", text, re.M))


def test_what_was_on_its_way_to_the_deleted_one_is_not_written_into_the_new_one(tmp_path: Path) -> None:
    with two_regions(tmp_path, "--nodes", "1") as regions:
        east, west = regions[EAST], regions[WEST]
        east.create_table("shared")
        replicate(east, "shared", WEST, regions.values())
        kill(next(iter(west.pids("rep-in").values())))
        db = client(east.port)
        keys = [f"gone-{number}" for number in range(COUNT)]
        for key in keys:
            db.put_item(TableName="shared", Item={"pk": {"S": key}})
        wait_until("some are on their way", lambda: len(sent(west)) >= SENT)
        db.update_table(TableName="shared", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
        there = client(west.port)
        wait_until("the replica is deleted", lambda: there.list_tables()["TableNames"] == [], 120)
        wait_until("that is known", lambda: "Replicas" not in db.describe_table(TableName="shared")["Table"], 120)
        for key in keys:
            db.delete_item(TableName="shared", Key={"pk": {"S": key}})
        db.put_item(TableName="shared", Item={"pk": {"S": "stays"}})
        db.update_table(TableName="shared", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
        west.up()
        for each in regions.values():
            wait_until("the new one is ACTIVE", partial(replicas_active, each, "shared"), 120)
        wait_until("what was for the old one is passed by", lambda: passed(west) >= SENT, 120)
        db.put_item(TableName="shared", Item={"pk": {"S": "last"}})
        wait_until("changes go on", lambda: "last" in items_of(west.port, "shared"), 60)
        assert {*items_of(west.port, "shared")} == {*items_of(east.port, "shared")} == {"stays", "last"}
