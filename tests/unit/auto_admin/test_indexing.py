"""Rows of indexes follow those of their tables: made, ACTIVE before the table is, and gone before it is, whoever
dies after whatever effect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.tables.test_decisions import PLACEMENTS, REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.tables import index_decisions
from dynabus.auto_admin.tables.decisions import TableState, read_row
from dynabus.core.global_indexes import index_log, index_name
from dynabus.core.tables.index_changes import finish_indexes
from dynabus.core.tables.indexes import OF, index_id, own_description

KEYS = [{"AttributeName": "year", "KeyType": "HASH"}, {"AttributeName": "title", "KeyType": "RANGE"}]
INDEX = {"IndexName": "by-year", "KeySchema": KEYS, "Projection": {"ProjectionType": "ALL"}}
WITH_INDEX: dict[str, Any] = {
    **REQUEST,
    "AttributeDefinitions": [
        *REQUEST["AttributeDefinitions"],
        {"AttributeName": "year", "AttributeType": "N"},
        {"AttributeName": "title", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [INDEX],
}
NAME = REQUEST["TableName"]


def states(life: Life) -> dict[str, TableState]:
    return {state.name: state for admin in life.active() for state in admin.tables.all().values()}


def statuses(life: Life) -> dict[str, str]:
    return {name: state.status for name, state in states(life).items()}


def live(crash_after: int | None, *names: str, restarts: bool) -> Life:
    """Made, and deleted again."""
    life = Life(*names)
    life.restarts = restarts
    life.kafka.crash_after = crash_after
    described = life.ask("CreateTable", **WITH_INDEX)["TableDescription"]
    assert described["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    own = index_name(NAME, "by-year")
    seen: list[dict[str, str]] = []

    def made() -> bool:
        seen.append(statuses(life))
        return seen[-1] == {NAME: "ACTIVE", own: "ACTIVE"}

    life.until("both are active", made)
    assert not [each for each in seen if each.get(NAME) == "ACTIVE" and each.get(own) != "ACTIVE"]
    _check_made(life, described)
    life.ask("DeleteTable", TableName=NAME)
    seen.clear()

    def gone() -> bool:
        found = statuses(life)
        seen.append(found)
        return bool(life.active()) and not found

    life.until("both are gone", gone)
    assert not [each for each in seen if own in each and NAME not in each and each]
    life.until("nothing is left", lambda: life.kafka.metadata == {})
    assert life.kafka.logs == {}
    return life


def _check_made(life: Life, described: dict[str, Any]) -> None:
    table, index = states(life)[NAME], states(life)[index_name(NAME, "by-year")]
    assert index.id == index_log(table.id, table.indexes[0]["id"])
    assert set(life.kafka.logs) == {table.id, index.id}
    assert all(len(records) == 1 for records in life.kafka.logs[index.id].values())
    life.until("published", lambda: f"index/{table.id}/{table.indexes[0]['id']}" in life.kafka.metadata)
    told = life.kafka.metadata[f"index/{table.id}/{table.indexes[0]['id']}"]
    assert (told["log"], told["status"], told["from_start"]) == (index.id, "ENABLED", True)
    assert {shard["number"]: shard["parent"] for shard in told["shards"]} == {0: -1, 1: -1}

    def shown() -> bool:
        description = orjson.loads(life.kafka.metadata[f"table/{table.id}"]["description"])
        return bool(description["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE")

    life.until("shown", shown)
    of = orjson.loads(life.kafka.metadata[f"table/{index.id}"]["description"])[OF]
    assert of == {"Table": table.id, "TableName": NAME, "Name": "by-year"}
    assert described["GlobalSecondaryIndexes"][0]["IndexArn"] == f"{described['TableArn']}/index/by-year"


EFFECTS = live(None, "admin-1", restarts=False).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    live(crash_after, "admin-1", restarts=True)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    live(crash_after, "admin-1", "admin-2", restarts=False)


def test_an_index_that_is_deleted_is_written_no_more_before_its_partitions_go() -> None:
    """Propagators would write to nobody, and stop reading the table's logs once too much is under way."""
    life = Life("admin-1")
    life.ask("CreateTable", **WITH_INDEX)
    own = index_name(NAME, "by-year")
    life.until("both are active", lambda: statuses(life) == {NAME: "ACTIVE", own: "ACTIVE"})
    table = states(life)[NAME]
    told = f"index/{table.id}/{table.indexes[0]['id']}"
    life.until("published", lambda: told in life.kafka.metadata)
    life.nodes.deaf = set(life.nodes.names)
    life.ask("UpdateTable", TableName=NAME, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-year"}}])
    life.until("told", lambda: told not in life.kafka.metadata)
    assert own in statuses(life)
    life.nodes.deaf = set()
    life.until("gone", lambda: statuses(life) == {NAME: "ACTIVE"})


def test_ids_differ_by_request_and_by_name() -> None:
    assert len({index_id(request, name) for request in (b"1", b"2") for name in ("a", "b")}) == 4
    assert len(index_id(b"1", "a")) == 16


def test_a_row_of_an_index_is_not_made_twice_and_not_deleted_for_another() -> None:
    table = {"TableName": NAME, **_described()}
    own = own_description(table, "t", "by-year")
    made = index_decisions.create_index("t.i", "music/index/by-year", "t", own, PLACEMENTS)(None, 0)
    assert made.row is not None
    assert read_row(made.row).of_table == "t"
    assert not index_decisions.create_index("t.j", "music/index/by-year", "t", own, PLACEMENTS)(made.row, 0).write
    assert not index_decisions.delete_index("t.other")(made.row, 0).write
    gone = index_decisions.delete_index("t.i")(made.row, 0)
    assert gone.row is not None
    assert read_row(gone.row).status == "DELETING"
    assert not index_decisions.delete_index("t.i")(gone.row, 0).write


def test_an_index_has_its_own_throughput_in_its_tables_mode() -> None:
    own = own_description(_described(), "t", "by-year")
    assert own["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    assert own["TableArn"] == "arn/index/by-year"
    assert "BillingModeSummary" not in own
    on_demand = own_description(
        {**_described(), "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}, "t", "by-year"
    )
    assert on_demand["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert own["KeySchema"] == KEYS


def test_what_was_under_way_is_done() -> None:
    """Those that are left are ACTIVE; an index that was deleted goes with the attributes that only it used."""
    described = _described()
    begun = {**described["GlobalSecondaryIndexes"][0], "Backfilling": True}
    description, rows = finish_indexes(
        {**described, "GlobalSecondaryIndexes": [begun]}, [{"name": "by-year", "status": "ENABLING"}]
    )
    assert description["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert "Backfilling" not in description["GlobalSecondaryIndexes"][0]
    assert rows == [{"name": "by-year", "status": "ENABLED"}]
    description, rows = finish_indexes(described, [{"name": "by-year", "status": "DELETING"}])
    assert "GlobalSecondaryIndexes" not in description
    assert [each["AttributeName"] for each in description["AttributeDefinitions"]] == ["artist"]
    assert rows == []


def _described() -> dict[str, Any]:
    units = {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    index = {**INDEX, "IndexStatus": "CREATING", "IndexArn": "arn/index/by-year", "ProvisionedThroughput": units}
    return {
        "TableName": NAME,
        "KeySchema": REQUEST["KeySchema"],
        "AttributeDefinitions": WITH_INDEX["AttributeDefinitions"],
        "CreationDateTime": 1.0,
        "GlobalSecondaryIndexes": [index],
    }
