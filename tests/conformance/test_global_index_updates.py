"""UpdateTable with GlobalSecondaryIndexUpdates: an index is added to a table that changes meanwhile, and taken away.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html, and ack-api-quirks.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest

from tests.conformance.test_global_secondary_indexes import INVALID, index
from tests.integration.cluster import wait_until

Refused = Callable[..., tuple[str, str]]
TABLE = "conformance-global-updates"
WHO = {"AttributeName": "who", "AttributeType": "S"}


@pytest.fixture(scope="module")
def table(make_table: Callable[..., str]) -> str:
    return make_table(TABLE, ("pk", "S"))


def update(db: Any, what: str, definitions: list[dict[str, str]] | None = None, **members: Any) -> Any:
    more = {"AttributeDefinitions": definitions} if definitions else {}
    return db.update_table(TableName=TABLE, GlobalSecondaryIndexUpdates=[{what: members}], **more)


def described(db: Any) -> dict[str, Any]:
    found: dict[str, Any] = db.describe_table(TableName=TABLE)["Table"]
    return found


def is_active(db: Any) -> bool:
    return bool(described(db)["TableStatus"] == "ACTIVE")


def of_index(db: Any) -> dict[str, str]:
    pages = db.get_paginator("scan").paginate(TableName=TABLE, IndexName="by-who")
    return {item["pk"]["S"]: item["who"]["S"] for page in pages for item in page["Items"]}


def of_table(db: Any) -> dict[str, str]:
    pages = db.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    return {item["pk"]["S"]: item["who"]["S"] for page in pages for item in page["Items"] if "S" in item["who"]}


def test_an_index_is_added_while_items_change_and_taken_away_again(db: Any, table: str, refused: Refused) -> None:
    for number in range(300):
        who = {"N": "1"} if number % 50 == 0 else {"S": f"w{number % 7}"}
        db.put_item(TableName=table, Item={"pk": {"S": f"item-{number:03}"}, "who": who})
    stop = Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            key = {"pk": {"S": f"item-{number * 37 % 300:03}"}}
            if number % 5 == 0:
                db.delete_item(TableName=table, Key=key)
            else:
                db.put_item(TableName=table, Item={**key, "who": {"S": f"x{number}"}})
            number += 1

    changing = Thread(target=change)
    changing.start()
    answer = update(db, "Create", [WHO], **index("by-who", "who"))["TableDescription"]
    shown = answer["GlobalSecondaryIndexes"][0]
    assert (answer["TableStatus"], shown["IndexStatus"], shown["Backfilling"]) == ("UPDATING", "CREATING", True)
    try:
        wait_until("the index is filled", lambda: is_active(db), 60)
    finally:
        stop.set()
        changing.join()
    shown = described(db)["GlobalSecondaryIndexes"][0]
    assert shown["IndexStatus"] == "ACTIVE"
    assert "Backfilling" not in shown
    wait_until("the index is the projection of the table", lambda: of_index(db) == of_table(db))
    assert update(db, "Delete", IndexName="by-who")["TableDescription"]["TableStatus"] == "UPDATING"
    wait_until("it is gone", lambda: is_active(db) and "GlobalSecondaryIndexes" not in described(db), 60)
    assert [each["AttributeName"] for each in described(db)["AttributeDefinitions"]] == ["pk"]
    words = "The table does not have the specified index: by-who"
    assert refused(db.scan, TableName=table, IndexName="by-who") == ("ValidationException", words)


@pytest.mark.parametrize(
    ("updates", "definitions", "words"),
    [
        (
            [{}],
            None,
            INVALID + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
            "GlobalSecondaryIndexUpdate.Delete must not be null",
        ),
        (
            [{"Create": index("one", "who"), "Delete": {"IndexName": "two"}}],
            None,
            INVALID + "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
        ),
        (
            [{"Delete": {"IndexName": "two"}}, {"Delete": {"IndexName": "two"}}],
            None,
            INVALID + "Only one global secondary index update per index is allowed simultaneously. Index: two",
        ),
        (
            [{"Create": index("one", "who")}],
            None,
            INVALID + "AttributeDefinitions is not specified for index: one",
        ),
        (
            [{"Update": {"IndexName": "two", "WarmThroughput": {}}}],
            None,
            INVALID
            + "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for "
            "index: two",
        ),
        (
            [{"Update": {"IndexName": "two", "OnDemandThroughput": {}}}],
            None,
            INVALID + "The only Updates for index: two when TableThroughputMode is PAY_PER_REQUEST can be to "
            "OnDemandThroughput, WarmThroughput",
        ),
        (
            [{"Update": {"IndexName": "two", "OnDemandThroughput": {"MaxReadRequestUnits": -7}}}],
            None,
            INVALID
            + "Requested MaxReadRequestUnits for OnDemandThroughput for index : two is outside of valid range",
        ),
        (
            [{"Create": {**index("one", "who"), "WarmThroughput": {"ReadUnitsPerSecond": 1}}}],
            [WHO],
            INVALID
            + "Requested ReadUnitsPerSecond for WarmThroughput for index one is lower than initial throughput "
            "for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
            "on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
        ),
    ],
)
def test_updates_that_are_refused(
    db: Any, table: str, refused: Refused, updates: list[Any], definitions: Any, words: str
) -> None:
    more = {"AttributeDefinitions": definitions} if definitions else {}
    found = refused(db.update_table, TableName=table, GlobalSecondaryIndexUpdates=updates, **more)
    assert found == ("ValidationException", words)


def test_indexes_that_are_not_there(db: Any, table: str, refused: Refused) -> None:
    updates = [{"Delete": {"IndexName": "none"}}]
    assert refused(db.update_table, TableName=table, GlobalSecondaryIndexUpdates=updates) == (
        "ResourceNotFoundException",
        f"Requested resource not found: Index none for table {table}",
    )


def test_two_at_a_time(db: Any, table: str, refused: Refused) -> None:
    updates = [{"Create": index("one", "who")}, {"Create": index("two", "who")}]
    found = refused(db.update_table, TableName=table, GlobalSecondaryIndexUpdates=updates, AttributeDefinitions=[WHO])
    assert found == (
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )
