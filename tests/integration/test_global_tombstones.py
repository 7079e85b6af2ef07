"""The end of deletions' tombstones in a global table, on two real clusters."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from tests.integration.cluster import RunningCluster, client, kill, wait_until
from tests.integration.global_load import EAST, WEST, Writers, check, replicate, two_regions
from tests.integration.streams import items_of
from tests.integration.test_index_tombstones import tombstones

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]


def removed(cluster: RunningCluster) -> int:
    """By the storage nodes that run, since they were started."""
    texts = [cluster.metrics(name) for name in cluster.pids("storage-node")]
    found = [
        float(count)
        for text in texts
        for count in re.findall(r"^dynabus_global_table_tombstones_removed_total\S* (\S+)$", text, re.M)
    ]
    return int(sum(found))


def forgets(cluster: RunningCluster, count: int) -> None:
    before = removed(cluster)
    wait_until(f"{count} deletions are forgotten", lambda: removed(cluster) >= before + count, 120)


def test_deletions_are_forgotten_in_both_regions_and_nothing_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNABUS_FLOORS_EVERY_S", "1")
    monkeypatch.setenv("DYNABUS_TOMBSTONE_LEAST_S", "0")
    with two_regions(tmp_path, "--nodes", "1") as regions:
        east, west = regions[EAST], regions[WEST]
        east.create_table("shared")
        for number in range(50):
            client(east.port).put_item(TableName="shared", Item={"pk": {"S": f"before-{number}"}})
        replicate(east, "shared", WEST, regions.values())
        with Writers(east, "shared", EAST, 20) as here, Writers(west, "shared", WEST, 20) as there:
            for cluster in (east, west):
                forgets(cluster, 5)
            for cluster, service in ((east, "rep-out"), (west, "rep-in"), (east, "storage-node"), (west, "rep-out")):
                kill(next(iter(cluster.pids(service).values())))
                cluster.up()
                here.wait_for(20)
                there.wait_for(20)
            for cluster in (east, west):
                forgets(cluster, 5)
        check(regions, "shared", (here, there))
        for turn, key in enumerate(sorted(items_of(east.port, "shared"))):
            db = client((east, west)[turn % 2].port)
            db.delete_item(TableName="shared", Key={"pk": {"S": key}})
        for cluster in (east, west):
            wait_until("no tombstone is left", partial(has_none, cluster), 120)
        check(regions, "shared", (here, there))
        assert [items_of(cluster.port, "shared") for cluster in (east, west)] == [{}, {}]


def has_none(cluster: RunningCluster) -> bool:
    return not tombstones(cluster, "shared") and not items_of(cluster.port, "shared")
