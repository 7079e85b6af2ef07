"""Global secondary indexes: tables that are made with them, what Query and Scan answer, what is refused.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html and, for words, dynalite's recorded
answers (validations/createTable, query, scan) and ack-api-quirks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.integration.cluster import wait_until

Refused = Callable[..., tuple[str, str]]
TABLE = "conformance-global"
INVALID = "One or more parameter values were invalid: "
ATTRIBUTES = (("pk", "S"), ("sk", "N"), ("who", "S"), ("score", "N"), ("when", "S"), ("raw", "B"))


def keys(hashes: str, ranges: str = "") -> list[dict[str, str]]:
    found = [{"AttributeName": name, "KeyType": "HASH"} for name in hashes.split()]
    return found + [{"AttributeName": name, "KeyType": "RANGE"} for name in ranges.split()]


def index(name: str, hashes: str, ranges: str = "", projection: str = "ALL", *named: str) -> dict[str, Any]:
    projected: dict[str, Any] = {"ProjectionType": projection}
    if named:
        projected["NonKeyAttributes"] = [*named]
    return {"IndexName": name, "KeySchema": keys(hashes, ranges), "Projection": projected}


INDEXES = [
    index("by-who", "who"),
    index("by-score", "who", "score", "KEYS_ONLY"),
    index("by-two", "who when", "score raw", "INCLUDE", "note"),
]


def request(*indexes: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {
        "TableName": TABLE,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in ATTRIBUTES],
        "KeySchema": keys("pk", "sk"),
        "GlobalSecondaryIndexes": [*indexes],
        "BillingMode": "PAY_PER_REQUEST",
    }
    return {**made, **more}


@pytest.fixture(scope="module")
def table(db: Any) -> str:
    db.create_table(**request(*INDEXES))
    db.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return TABLE


def put(db: Any, pk: str, **more: Any) -> None:
    db.put_item(TableName=TABLE, Item={"pk": {"S": pk}, "sk": {"N": "1"}, **more})


def query(db: Any, name: str, who: str, **more: Any) -> list[dict[str, Any]]:
    """All items of a partition key."""
    values = {":who": {"S": who}, **more.pop("ExpressionAttributeValues", {})}
    condition = "who = :who" + more.pop("also", "")
    answer = db.query(
        TableName=TABLE,
        IndexName=name,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        **more,
    )
    items: list[dict[str, Any]] = answer["Items"]
    return items


def settled(db: Any, name: str, who: str, wanted: list[str]) -> list[dict[str, Any]]:
    """Once the index has these items of a partition key, by their `pk`; each time any replica answers."""
    found: list[dict[str, Any]] = []

    def has() -> bool:
        found[:] = query(db, name, who)
        return sorted(item["pk"]["S"] for item in found) == sorted(wanted)

    wait_until(f"{name} has {wanted} of {who}", has)
    return found


def test_describe_table(db: Any, table: str) -> None:
    found = db.describe_table(TableName=table)["Table"]
    assert [each["IndexName"] for each in found["GlobalSecondaryIndexes"]] == ["by-who", "by-score", "by-two"]
    whole = found["GlobalSecondaryIndexes"][2]
    assert whole["IndexStatus"] == "ACTIVE"
    assert whole["KeySchema"] == INDEXES[2]["KeySchema"]
    assert whole["Projection"] == INDEXES[2]["Projection"]
    assert whole["IndexArn"] == found["TableArn"] + "/index/by-two"
    assert whole["ProvisionedThroughput"] == {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": 0,
        "WriteCapacityUnits": 0,
    }
    assert not [name for name in db.list_tables()["TableNames"] if "/" in name]


def test_items_come_change_and_go(db: Any, table: str) -> None:
    put(db, "move", who={"S": "ann"}, score={"N": "5"}, note={"S": "first"})
    assert settled(db, "by-who", "ann", ["move"])[0]["note"] == {"S": "first"}
    settled(db, "by-score", "ann", ["move"])
    put(db, "move", who={"S": "bob"}, score={"N": "6"}, note={"S": "second"})
    settled(db, "by-who", "ann", [])
    assert settled(db, "by-who", "bob", ["move"])[0]["note"] == {"S": "second"}
    db.update_item(
        TableName=table,
        Key={"pk": {"S": "move"}, "sk": {"N": "1"}},
        UpdateExpression="REMOVE score",
    )
    settled(db, "by-score", "bob", [])
    wait_until("the index follows", lambda: all("score" not in each for each in query(db, "by-who", "bob")))
    db.delete_item(TableName=table, Key={"pk": {"S": "move"}, "sk": {"N": "1"}})
    settled(db, "by-who", "bob", [])


def test_projections(db: Any, table: str) -> None:
    every = {"who": {"S": "pia"}, "score": {"N": "5"}, "when": {"S": "now"}, "raw": {"B": b"x"}}
    put(db, "shown", **every, note={"S": "n"}, other={"S": "o"})
    key = {"pk": {"S": "shown"}, "sk": {"N": "1"}}
    assert settled(db, "by-who", "pia", ["shown"]) == [{**key, **every, "note": {"S": "n"}, "other": {"S": "o"}}]
    assert settled(db, "by-score", "pia", ["shown"]) == [{**key, "who": every["who"], "score": every["score"]}]
    found: list[Any] = []

    def there() -> bool:
        found[:] = query(
            db,
            "by-two",
            "pia",
            also=" AND #when = :now",
            ExpressionAttributeNames={"#when": "when"},
            ExpressionAttributeValues={":now": {"S": "now"}},
        )
        return bool(found)

    wait_until("the index of several attributes has it", there)
    assert found == [{**key, **every, "note": {"S": "n"}}]


def test_pages_of_items_that_tie(db: Any, table: str) -> None:
    names = [f"tie-{number:02}" for number in range(25)]
    for name in names:
        put(db, name, who={"S": "tie"}, score={"N": "7"})
    for forward in (True, False):
        # Any replica answers each page: until all have all of them, some may be missing, but none comes twice.
        wait_until("all of them in pages", partial(_has_in_pages, db, forward, names))


def _has_in_pages(db: Any, forward: bool, names: list[str]) -> bool:
    return sorted(_in_pages(db, forward)) == names


def _in_pages(db: Any, forward: bool) -> list[str]:
    seen: list[str] = []
    start: dict[str, Any] = {}
    while True:
        answer = db.query(
            TableName=TABLE,
            IndexName="by-score",
            KeyConditionExpression="who = :who AND score = :score",
            ExpressionAttributeValues={":who": {"S": "tie"}, ":score": {"N": "7"}},
            Limit=4,
            ScanIndexForward=forward,
            **start,
        )
        seen += [item["pk"]["S"] for item in answer["Items"]]
        assert len(seen) == len(set(seen))
        if "LastEvaluatedKey" not in answer:
            return seen
        assert set(answer["LastEvaluatedKey"]) == {"who", "score", "pk", "sk"}
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def test_sort_keys_are_in_order(db: Any, table: str) -> None:
    for number in (30, -2, 4):
        put(db, f"order{number}", who={"S": "order"}, score={"N": str(number)})
    settled(db, "by-score", "order", ["order30", "order-2", "order4"])

    def found() -> list[str]:
        items = query(
            db, "by-score", "order", also=" AND score > :least", ExpressionAttributeValues={":least": {"N": "-2"}}
        )
        return [item["score"]["N"] for item in items]

    wait_until("each replica has them", lambda: found() == ["4", "30"])


def test_scan(db: Any, table: str) -> None:
    put(db, "scanned", who={"S": "scan"}, score={"N": "1"})
    put(db, "not-scanned")
    settled(db, "by-score", "scan", ["scanned"])

    def seen() -> list[str]:
        pages = db.get_paginator("scan").paginate(TableName=table, IndexName="by-score", Limit=7)
        return [item["pk"]["S"] for page in pages for item in page["Items"]]

    wait_until("each replica has it", lambda: "scanned" in seen())
    assert "not-scanned" not in seen()
    found = seen()
    assert len(found) == len(set(found))


def test_consumed_capacity_of_reads(db: Any, table: str) -> None:
    put(db, "paid", who={"S": "paid"})
    settled(db, "by-who", "paid", ["paid"])
    answer = db.query(
        TableName=table,
        IndexName="by-who",
        KeyConditionExpression="who = :who",
        ExpressionAttributeValues={":who": {"S": "paid"}},
        ReturnConsumedCapacity="INDEXES",
    )
    assert answer["ConsumedCapacity"] == {
        "TableName": table,
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"by-who": {"CapacityUnits": 0.5}},
    }


def test_item_counts(db: Any, table: str) -> None:
    put(db, "counted", who={"S": "counted"})

    def count() -> bool:
        found = db.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"][0]
        return bool(found["ItemCount"] > 0 and found["IndexSizeBytes"] > 0)

    wait_until("counts are told", count)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"who": {"N": "1"}}, INVALID + "Type mismatch for Index Key who Expected: S Actual: N IndexName: by-score"),
        (
            {"who": {"S": ""}},
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            "supported. The AttributeValue for a key attribute cannot contain an empty string value. "
            "IndexName: by-score, IndexKey: who",
        ),
    ],
)
def test_items_that_do_not_fit(db: Any, table: str, refused: Refused, item: dict[str, Any], words: str) -> None:
    whole = {"pk": {"S": "p"}, "sk": {"N": "1"}, **item}
    assert refused(db.put_item, TableName=table, Item=whole) == ("ValidationException", words)


def test_updates_that_do_not_fit(db: Any, table: str, refused: Refused) -> None:
    put(db, "fits", who={"S": "fits"}, score={"N": "1"}, note={"S": "n"})
    asked = {"TableName": table, "Key": {"pk": {"S": "fits"}, "sk": {"N": "1"}}}
    by_value = refused(
        db.update_item, **asked, UpdateExpression="SET who = :n", ExpressionAttributeValues={":n": {"N": "1"}}
    )
    assert by_value == (
        "ValidationException",
        INVALID + "Type mismatch for Index Key who Expected: S Actual: N IndexName: by-score",
    )
    assert refused(db.update_item, **asked, UpdateExpression="SET who = score") == (
        "ValidationException",
        "The update expression attempted to update the secondary index key to unsupported type",
    )
    db.update_item(**asked, UpdateExpression="SET who = note")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ConsistentRead": True}, "Consistent reads are not supported on global secondary indexes"),
        (
            {"Select": "ALL_ATTRIBUTES"},
            INVALID + "Select type ALL_ATTRIBUTES is not supported for global secondary index by-score because its "
            "projection type is not ALL",
        ),
        (
            {"ProjectionExpression": "pk, note"},
            INVALID + "Global secondary index by-score does not project [note]",
        ),
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
    ],
)
def test_reads_that_are_refused(db: Any, table: str, refused: Refused, more: dict[str, Any], words: str) -> None:
    of_scan = {"TableName": table, "IndexName": "by-score", **more}
    assert refused(db.scan, **of_scan) == ("ValidationException", words)
    of_query = {
        **of_scan,
        "KeyConditionExpression": "who = :who",
        "ExpressionAttributeValues": {":who": {"S": "ann"}},
    }
    assert refused(db.query, **of_query) == ("ValidationException", words)


def test_a_filter_of_a_query_looks_at_what_is_projected(db: Any, table: str, refused: Refused) -> None:
    """As of local indexes, in the same words; a Scan's filter finds that nothing is there."""
    asked: dict[str, Any] = {
        "TableName": table,
        "IndexName": "by-score",
        "FilterExpression": "note = :note",
        "ExpressionAttributeValues": {":note": {"S": "x"}},
    }
    values = {**asked["ExpressionAttributeValues"], ":who": {"S": "ann"}}
    assert refused(
        db.query, **{**asked, "KeyConditionExpression": "who = :who", "ExpressionAttributeValues": values}
    ) == (
        "ValidationException",
        INVALID + "Secondary index by-score does not project one or more filter attributes: [note]",
    )
    assert db.scan(**asked)["Items"] == []


def provisioned(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}


ONE = index("one", "who")


@pytest.mark.parametrize(
    ("indexes", "words"),
    [
        ([], INVALID + "List of GlobalSecondaryIndexes is empty"),
        ([ONE, ONE], INVALID + "Duplicate index name: one"),
        (
            [index(f"one{number}", "who") for number in range(21)],
            INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ),
        ([index("one", "who who")], "The KeySchema contains multiple key attributes with the same name"),
        (
            [index("one", "who", "who")],
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            [{**ONE, "KeySchema": [*keys("", "who"), *keys("score")]}],
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            [{**ONE, "KeySchema": [*keys("who", "score"), *keys("when")]}],
            INVALID + "All HASH key attributes must precede RANGE key attributes in the KeySchema",
        ),
        (
            [index("one", "pk sk who score when")],
            INVALID + "The KeySchema exceeds the maximum allowed number of HASH key attributes",
        ),
        (
            [provisioned(ONE)],
            INVALID
            + "ProvisionedThroughput should not be specified for index: one when BillingMode is PAY_PER_REQUEST",
        ),
        (
            [{**ONE, "Projection": {"ProjectionType": "INCLUDE"}}],
            INVALID + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
    ],
)
def test_tables_that_are_refused(db: Any, refused: Refused, indexes: list[Any], words: str) -> None:
    assert refused(db.create_table, **request(*indexes, TableName="refused")) == ("ValidationException", words)


def test_a_provisioned_table_needs_throughput_for_each_index(db: Any, refused: Refused) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    asked = request(ONE, TableName="refused", BillingMode="PROVISIONED", ProvisionedThroughput=units)
    words = INVALID + "ProvisionedThroughput is not specified for index: one"
    assert refused(db.create_table, **asked) == ("ValidationException", words)


def test_undefined_and_unused_attributes(db: Any, refused: Refused) -> None:
    asked = request(index("one", "nobody"), TableName="refused")
    names = ", ".join(name for name, _ in ATTRIBUTES)
    assert refused(db.create_table, **asked) == (
        "ValidationException",
        INVALID
        + "Some index key attributes are not defined in AttributeDefinitions. Keys: [nobody], "
        + f"AttributeDefinitions: [{names}]",
    )
    assert refused(db.create_table, **request(ONE, TableName="refused")) == (
        "ValidationException",
        INVALID
        + f"Some AttributeDefinitions are not used. AttributeDefinitions: [{names}], keys used: [pk, sk, who]",
    )


def test_a_table_goes_with_its_indexes_and_may_come_again(db: Any) -> None:
    asked = request(
        ONE,
        TableName="conformance-global-again",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in ATTRIBUTES[:3]],
    )
    for value in ("first", "second"):
        db.create_table(**asked)
        db.get_waiter("table_exists").wait(TableName=asked["TableName"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        item = {"pk": {"S": value}, "sk": {"N": "1"}, "who": {"S": "w"}}
        db.put_item(TableName=asked["TableName"], Item=item)

        def there(value: str = value) -> bool:
            answer = db.scan(TableName=asked["TableName"], IndexName="one")
            return [each["pk"]["S"] for each in answer["Items"]] == [value]

        wait_until("the index has the new item alone", there)
        db.delete_table(TableName=asked["TableName"])
        db.get_waiter("table_not_exists").wait(
            TableName=asked["TableName"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
