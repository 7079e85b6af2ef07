"""Global tables on two real clusters."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.integration.cluster import client, kill
from tests.integration.global_load import EAST, WEST, Writers, check, replicate, two_regions
from tests.integration.streams import items_of

pytestmark = pytest.mark.broker

SERVICES = ("rep-out", "rep-in", "repl-admin", "request-router", "log-propagator", "storage-node")


def test_whoever_is_killed_the_last_writer_of_each_item_wins_in_both_regions(tmp_path: Path) -> None:
    dice = random.Random(1)
    with two_regions(tmp_path) as regions:
        east, west = regions[EAST], regions[WEST]
        east.create_table("shared")
        db = client(east.port)
        for number in range(300):
            db.put_item(TableName="shared", Item={"pk": {"S": f"before-{number}"}, "v": {"S": f"{number}"}})
        replicate(east, "shared", WEST, regions.values())
        with Writers(east, "shared", EAST, 40) as here, Writers(west, "shared", WEST, 40) as there:
            for service in SERVICES:
                cluster, writers = dice.choice([(east, here), (west, there)])
                kill(dice.choice([*cluster.pids(service).values()]))
                if service != "request-router":  # the only one
                    writers.wait_for(30)
                cluster.up()
                writers.wait_for(10)
            here.wait_for(50)
            there.wait_for(50)
        check(regions, "shared", (here, there))
        assert sum(key.startswith("before-") for key in items_of(west.port, "shared")) == 300
