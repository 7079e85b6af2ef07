"""Two clusters on one machine that know each other: a table gets a replica, shares its settings, and loses it.

Initial copies are not made here: the test says that they were acknowledged, as who makes them does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynabus.core.global_tables.links import Link
from tests.integration.cluster import DYNABUS, kill, wait_until
from tests.integration.regions import Region, planet

pytestmark = [pytest.mark.broker]
HOME, AWAY = "eu-west-1", "us-east-1"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Region]]:
    with planet(tmp_path_factory.mktemp("regions"), HOME, AWAY) as regions:
        yield regions


def make(region: Region, table: str) -> None:
    region.db.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    region.db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def change(region: Region, table: str, **action: str) -> Any:
    updates = [{what: {"RegionName": other}} for what, other in action.items()]
    return region.db.update_table(TableName=table, ReplicaUpdates=updates)["TableDescription"]


def copied(*regions: Region) -> bool:
    """Every link has its initial copy."""
    for region in regions:
        for link in region.planet().links.all.values():
            if link.status == "COPYING":
                asked = {"TableId": link.table, "Destination": link.destination, "CreatedMs": link.created_ms}
                region.ask("ReplicaCopied", **asked)
    return True


def both_are(pair: list[Region], table: str, status: str) -> bool:
    home, away = pair
    if not copied(*pair) or gone(away, table):
        return False
    return home.replicas(table) == {AWAY: status} and away.replicas(table) == {HOME: status}


def gone(region: Region, table: str) -> bool:
    try:
        region.described(table)
    except ClientError as error:
        return error.response["Error"]["Code"] == "ResourceNotFoundException"
    return False


def test_the_life_of_a_replica(pair: list[Region]) -> None:
    home, away = pair
    make(home, "music")
    answer = change(home, "music", Create=AWAY)
    assert [each["RegionName"] for each in answer["Replicas"]] == [AWAY]
    wait_until("both ACTIVE", lambda: both_are(pair, "music", "ACTIVE"), 60)
    assert away.described("music")["TableArn"] == f"arn:aws:dynamodb:{AWAY}:000000000000:table/music"
    (shown,) = home.status()["replicas"]
    assert (shown["table"], shown["region"], shown["link"], shown["alarm"]) == ("music", AWAY, "ACTIVE", "")
    listed = away.db.list_global_tables()["GlobalTables"]
    assert listed == [{"GlobalTableName": "music", "ReplicationGroup": [{"RegionName": HOME}, {"RegionName": AWAY}]}]
    specification = {"Enabled": True, "AttributeName": "end"}
    away.db.update_time_to_live(TableName="music", TimeToLiveSpecification=specification)

    def expires() -> Any:
        return home.db.describe_time_to_live(TableName="music")["TimeToLiveDescription"].get("AttributeName") == "end"

    wait_until("time to live there too", expires, 30)
    change(home, "music", Delete=AWAY)
    wait_until("gone there", lambda: gone(away, "music"), 60)
    wait_until("no global table", lambda: "Replicas" not in home.described("music"), 30)
    assert home.status()["replicas"] == []


def test_a_region_that_leaves_sends_first_what_was_written_in_it(pair: list[Region]) -> None:
    """Nobody reads its stream when it does, and all know of it before anybody does."""
    home, away = pair
    make(home, "moved")
    change(home, "moved", Create=AWAY)
    wait_until("both ACTIVE", lambda: both_are(pair, "moved", "ACTIVE"), 60)
    kill(away.cluster.pids("rep-out")["rep-out-1"])
    for number in range(ITEMS):
        away.db.put_item(TableName="moved", Item={"pk": {"S": str(number)}})
    away.db.delete_table(TableName="moved")
    wait_until("it is known", lambda: home.replicas("moved") == {AWAY: "DELETING"}, 30)
    wait_until("its stream has all", lambda: [each.status for each in links(away, "moved")] == ["DRAINING"], 60)
    assert home.db.scan(TableName="moved", Select="COUNT")["Count"] == 0
    away.cluster.up()
    wait_until("gone there", lambda: gone(away, "moved"), 90)
    wait_until("no global table", lambda: home.replicas("moved") == {}, 30)
    assert home.db.scan(TableName="moved", Select="COUNT", ConsistentRead=True)["Count"] == ITEMS


ITEMS = 50


def links(region: Region, table: str) -> list[Link]:
    return [each for each in region.planet().links.all.values() if each.name == table]


def test_a_region_that_is_down_for_a_while(pair: list[Region]) -> None:
    """Its whole cluster; ReplAdmin dies meanwhile, and another run goes on."""
    home, away = pair
    make(home, "later")
    away.cluster.down()
    change(home, "later", Create=AWAY)

    def silent() -> Any:
        return any(each["silent"] for each in home.status()["regions"])

    wait_until("told", silent, 30)
    kill(home.cluster.pids("repl-admin")["repl-admin-1"])
    assert home.replicas("later") == {AWAY: "CREATING"}
    home.cluster.up()
    away.cluster.up()
    wait_until("both ACTIVE", lambda: both_are(pair, "later", "ACTIVE"), 90)


def test_a_table_that_is_there_is_not_overwritten(pair: list[Region]) -> None:
    home, away = pair
    for region in pair:
        make(region, "taken")
    away.db.put_item(TableName="taken", Item={"pk": {"S": "a"}})
    wait_until("counted", lambda: away.described("taken")["ItemCount"] == 1)
    change(home, "taken", Create=AWAY)
    wait_until("refused", lambda: home.replicas("taken") == {AWAY: "CREATION_FAILED"}, 30)
    assert "ALARM  taken in us-east-1: Failed to create" in home.cluster.command("region", "status")
    assert away.replicas("taken") == {}
    change(home, "taken", Delete=AWAY)
    wait_until("given up", lambda: home.replicas("taken") == {}, 30)
    assert away.db.get_item(TableName="taken", Key={"pk": {"S": "a"}})["Item"] == {"pk": {"S": "a"}}


def refused(region: Region, *arguments: str) -> str:
    command = [DYNABUS, "region", *arguments, "--data", str(region.cluster.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def test_what_is_no_other_region(pair: list[Region]) -> None:
    home, away = pair
    there = ["--kafka", away.kafka, "--endpoint", "http://127.0.0.1:1"]
    here = ["--kafka", home.kafka, "--endpoint", "http://127.0.0.1:1"]
    assert "calls itself us-east-1" in refused(home, "add", "mars-1", *there)
    assert "is this one" in refused(home, "add", "mars-1", *here)
    assert "no cluster of namespace other" in refused(home, "add", AWAY, *there, "--namespace", "other")
    nowhere = ["--kafka", "127.0.0.1:1", "--endpoint", "http://127.0.0.1:1"]
    assert "does not answer" in refused(home, "add", AWAY, *nowhere)
    assert "there is no region mars-1" in refused(home, "remove", "mars-1")
