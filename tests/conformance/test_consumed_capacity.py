"""ReturnConsumedCapacity: NONE, TOTAL and INDEXES, exact shapes, for every operation that has it.

Per 4 KB read (half of it where not strongly consistent) and per 1 KB written, rounded up item by item; what Query and
Scan look at is added up first.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-unit-calculations.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cluster import wait_until

SIZE = 5000
"""Of the item below, as DynamoDB counts it: 2 read units, 5 write units."""

WRITE, STRONG, EVENTUAL = 5.0, 2.0, 1.0
KEY = {"pk": {"S": "capacity"}}
ITEM: dict[str, Any] = {**KEY, "v": {"S": "x" * (SIZE - len("pkcapacityv"))}}
QUERY = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "capacity"}}}
LEVELS = [None, "NONE", "TOTAL", "INDEXES"]


@pytest.fixture(scope="module")
def table(make_table: Callable[..., str]) -> str:
    return make_table("conformance-capacity", ("pk", "S"))


@pytest.fixture(autouse=True)
def _item(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item=ITEM)


def capacity(table: str, units: float, level: str | None) -> Any:
    """What must be answered; None: no such member."""
    if level in (None, "NONE"):
        return None
    total = {"TableName": table, "CapacityUnits": units}
    return total if level == "TOTAL" else {**total, "Table": {"CapacityUnits": units}}


def asking(level: str | None) -> dict[str, str]:
    return {} if level is None else {"ReturnConsumedCapacity": level}


@pytest.mark.parametrize("level", LEVELS)
def test_writes(db: Any, table: str, level: str | None) -> None:
    """The larger of the item before and after."""
    expected = capacity(table, WRITE, level)
    same = db.put_item(TableName=table, Item=ITEM, **asking(level))
    smaller = db.put_item(TableName=table, Item=KEY, **asking(level))
    larger = db.put_item(TableName=table, Item=ITEM, **asking(level))
    removed = db.update_item(TableName=table, Key=KEY, UpdateExpression="REMOVE v", **asking(level))
    values = {":v": ITEM["v"]}
    grown = db.update_item(
        TableName=table, Key=KEY, UpdateExpression="SET v = :v", ExpressionAttributeValues=values, **asking(level)
    )
    deleted = db.delete_item(TableName=table, Key=KEY, **asking(level))
    answers = (same, smaller, larger, removed, grown, deleted)
    assert [answer.get("ConsumedCapacity") for answer in answers] == [expected] * 6
    nothing = db.delete_item(TableName=table, Key=KEY, **asking(level))
    assert nothing.get("ConsumedCapacity") == capacity(table, 1.0, level)


@pytest.mark.parametrize("level", LEVELS)
def test_strong_reads(db: Any, table: str, level: str | None) -> None:
    more = {"TableName": table, "ConsistentRead": True, **asking(level)}
    expected = capacity(table, STRONG, level)
    assert db.get_item(Key=KEY, **more).get("ConsumedCapacity") == expected
    assert db.query(**QUERY, **more).get("ConsumedCapacity") == expected
    assert db.scan(**more).get("ConsumedCapacity") == expected
    assert db.get_item(Key={"pk": {"S": "nobody"}}, **more).get("ConsumedCapacity") == capacity(table, 1.0, level)


@pytest.mark.parametrize("level", LEVELS)
def test_eventually_consistent_reads(db: Any, table: str, level: str | None) -> None:
    """Half of it. The replica that is asked may be behind: asked until it has the item."""
    more = {"TableName": table, **asking(level)}
    expected = capacity(table, EVENTUAL, level)

    def got() -> Any:
        answer = db.get_item(Key=KEY, **more)
        return answer if "Item" in answer else None

    def found(call: Any) -> Any:
        answer = call(**more)
        return answer if answer["Count"] else None

    assert wait_until("the item", got).get("ConsumedCapacity") == expected
    assert wait_until("a page", lambda: found(lambda **m: db.query(**QUERY, **m))).get("ConsumedCapacity") == expected
    assert wait_until("a page", lambda: found(db.scan)).get("ConsumedCapacity") == expected
    nothing = db.get_item(Key={"pk": {"S": "nobody"}}, **more)
    assert nothing.get("ConsumedCapacity") == capacity(table, 0.5, level)


@pytest.mark.parametrize("level", LEVELS)
def test_batches(db: Any, table: str, hash_table: str, level: str | None) -> None:
    """One entry per table; items are rounded one by one; missing ones are charged."""
    small = {"pk": {"S": "capacity-small"}}
    puts = [{"PutRequest": {"Item": item}} for item in (ITEM, small)]
    others = [{"DeleteRequest": {"Key": {"pk": {"S": "capacity-nobody"}}}}]
    written = db.batch_write_item(RequestItems={table: puts, hash_table: others}, **asking(level))
    assert by_table(written) == listed(level, {table: WRITE + 1, hash_table: 1.0})
    keys = {"Keys": [KEY, small], "ConsistentRead": True}
    nobody = {"Keys": [{"pk": {"S": "capacity-nobody"}}], "ConsistentRead": False}
    read = db.batch_get_item(RequestItems={table: keys, hash_table: nobody}, **asking(level))
    assert by_table(read) == listed(level, {table: STRONG + 1, hash_table: 0.5})


def test_keys_that_are_missing_and_reads_that_are_mixed(db: Any, table: str, hash_table: str) -> None:
    """Each key is rounded for itself; a missing one costs what the smallest item costs."""
    nobody = [{"pk": {"S": f"capacity-nobody-{number}"}} for number in range(3)]
    for strong in (True, False):
        wanted = {
            table: {"Keys": [KEY, *nobody], "ConsistentRead": strong},
            hash_table: {"Keys": nobody, "ConsistentRead": not strong},
        }
        answer = db.batch_get_item(RequestItems=wanted, ReturnConsumedCapacity="TOTAL")
        one, other = (1.0, 0.5) if strong else (0.5, 1.0)
        got = {each["TableName"]: each["CapacityUnits"] for each in answer["ConsumedCapacity"]}
        present = one if not answer["Responses"][table] else 2 * one  # the replica that is asked may be behind
        assert got == {table: present + 3 * one, hash_table: 3 * other}


def test_a_table_by_its_name_and_its_arn_is_one_entry(db: Any, table: str) -> None:
    """Ours: it is one table. What is found is listed as it was asked for."""
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    small = {"pk": {"S": "capacity-arn"}}
    writes = {table: [{"PutRequest": {"Item": ITEM}}], arn: [{"PutRequest": {"Item": small}}]}
    written = db.batch_write_item(RequestItems=writes, ReturnConsumedCapacity="INDEXES")
    assert written["ConsumedCapacity"] == [capacity(table, WRITE + 1, "INDEXES")]
    wanted = {table: {"Keys": [small], "ConsistentRead": True}, arn: {"Keys": [KEY], "ConsistentRead": True}}
    read = db.batch_get_item(RequestItems=wanted, ReturnConsumedCapacity="TOTAL")
    assert read["ConsumedCapacity"] == [capacity(table, STRONG + 1, "TOTAL")]
    assert read["Responses"] == {table: [small], arn: [ITEM]}


@pytest.mark.parametrize(
    ("size", "written", "read"),
    [(1, 1.0, 1.0), (1024, 1.0, 1.0), (1025, 2.0, 1.0), (4096, 4.0, 1.0), (4097, 5.0, 2.0), (409_600, 400.0, 100.0)],
)
def test_where_a_unit_ends(db: Any, table: str, size: int, written: float, read: float) -> None:
    """Every name and value counts: sizes are those of developerguide/CapacityUnitCalculations."""
    key = {"pk": {"S": "unit"}}
    item: dict[str, Any] = {**key, **({"v": {"S": "x" * (size - len("pkunitv"))}} if size > 7 else {})}
    more = {"TableName": table, "ReturnConsumedCapacity": "TOTAL"}
    assert db.put_item(Item=item, **more)["ConsumedCapacity"]["CapacityUnits"] == written
    got = db.get_item(Key=key, ConsistentRead=True, **more)
    assert got["ConsumedCapacity"]["CapacityUnits"] == read
    projected = db.get_item(Key=key, ConsistentRead=True, ProjectionExpression="pk", **more)
    assert (projected["Item"], projected["ConsumedCapacity"]["CapacityUnits"]) == (key, read)
    assert db.delete_item(Key=key, **more)["ConsumedCapacity"]["CapacityUnits"] == written


def test_pages_of_nothing(db: Any, table: str) -> None:
    """An empty page costs what the smallest item costs."""
    query = {**QUERY, "ExpressionAttributeValues": {":p": {"S": "nobody"}}}
    for strong, units in ((True, 1.0), (False, 0.5)):
        answer = db.query(TableName=table, ConsistentRead=strong, ReturnConsumedCapacity="TOTAL", **query)
        assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_updates_that_change_nothing(db: Any, table: str) -> None:
    """The item's size is charged whatever is written of it; one that comes into being is charged for itself."""
    more = {"TableName": table, "ReturnConsumedCapacity": "TOTAL"}
    nothing = db.update_item(Key=KEY, **more)
    same = db.update_item(Key=KEY, UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": ITEM["v"]}, **more)
    absent = db.update_item(Key=KEY, UpdateExpression="REMOVE nothing", **more)
    units = [answer["ConsumedCapacity"]["CapacityUnits"] for answer in (nothing, same, absent)]
    assert units == [WRITE] * 3
    new = db.update_item(Key={"pk": {"S": "capacity-new"}}, **more)
    assert new["ConsumedCapacity"]["CapacityUnits"] == 1.0
    db.delete_item(TableName=table, Key={"pk": {"S": "capacity-new"}})


def by_table(answer: dict[str, Any]) -> Any:
    """The list in the order of table names; None where there is no such member."""
    found = answer.get("ConsumedCapacity")
    return None if found is None else sorted(found, key=lambda each: str(each["TableName"]))


def listed(level: str | None, units: dict[str, float]) -> Any:
    if level in (None, "NONE"):
        return None
    return [capacity(name, units[name], level) for name in sorted(units)]


def test_pages_add_up_before_they_round(db: Any, make_table: Callable[..., str]) -> None:
    """Ten items of 500 bytes are 2 units, not 10; what the filter drops is charged, and so is what only counts."""
    table = make_table("conformance-capacity-pages", ("pk", "S"), ("sk", "N"))
    for number in range(10):
        item = {"pk": {"S": "capacity"}, "sk": {"N": str(number)}}
        used = len("pkcapacityskv") + (1 if number == 0 else 2)
        db.put_item(TableName=table, Item={**item, "v": {"S": "x" * (500 - used)}})
    more = {"TableName": table, "ConsistentRead": True, "ReturnConsumedCapacity": "TOTAL"}
    expected = {"TableName": table, "CapacityUnits": 2.0}
    for asked in ({}, {"FilterExpression": "attribute_not_exists(v)"}, {"Select": "COUNT"}):
        assert db.query(**QUERY, **more, **asked)["ConsumedCapacity"] == expected
        assert db.scan(**more, **asked)["ConsumedCapacity"] == expected
    assert db.query(**QUERY, **more, Limit=8)["ConsumedCapacity"]["CapacityUnits"] == 1.0
    assert db.query(**QUERY, **more, Limit=9)["ConsumedCapacity"]["CapacityUnits"] == 2.0


@pytest.mark.parametrize("call", ["put_item", "delete_item", "update_item"])
def test_a_failed_condition_consumes_but_tells_nothing(db: Any, table: str, call: str) -> None:
    """API: an error has no ConsumedCapacity."""
    needed = {"Item": ITEM} if call == "put_item" else {"Key": KEY}
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as failed:
        getattr(db, call)(
            TableName=table, ConditionExpression="attribute_not_exists(pk)", ReturnConsumedCapacity="TOTAL", **needed
        )
    assert "ConsumedCapacity" not in failed.value.response


@pytest.mark.parametrize("level", ["total", "ALL", ""])
def test_levels_that_do_not_exist(db: Any, table: str, refused: Callable[..., tuple[str, str]], level: str) -> None:
    """observed."""
    found = refused(db.get_item, TableName=table, Key=KEY, ReturnConsumedCapacity=level)
    assert found == (
        "ValidationException",
        f"1 validation error detected: Value '{level}' at 'returnConsumedCapacity' failed to satisfy constraint: "
        "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
    )
