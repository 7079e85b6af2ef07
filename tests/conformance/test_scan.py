"""Scan."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
COUNT = 60


@pytest.fixture(scope="module")
def table(db: Any, make_table: Callable[..., str]) -> str:
    throughput = {"ReadCapacityUnits": 5000, "WriteCapacityUnits": 2000}
    name = make_table("conformance-scan", ("pk", "S"), ProvisionedThroughput=throughput)
    for number in range(COUNT):
        db.put_item(TableName=name, Item={"pk": {"S": f"item-{number}"}, "n": {"N": str(number)}})
    return name


def scan_all(db: Any, table: str, **more: Any) -> list[int]:
    found: list[int] = []
    for _ in range(COUNT + 10):
        answer = db.scan(TableName=table, ConsistentRead=True, **more)
        found += [int(item["n"]["N"]) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return found
        more = {**more, "ExclusiveStartKey": answer["LastEvaluatedKey"]}
    raise AssertionError("the scan does not end")


@pytest.mark.parametrize("limit", [1, 7, 59, 60, 1000])
def test_each_item_once_whatever_the_limit(db: Any, table: str, limit: int) -> None:
    """PAGES, over four partitions."""
    found = scan_all(db, table, Limit=limit)
    assert sorted(found) == list(range(COUNT))


def test_the_order_is_stable(db: Any, table: str) -> None:
    """Hash order (ours)."""
    assert scan_all(db, table, Limit=3) == scan_all(db, table)


@pytest.mark.parametrize("total", [1, 2, 4, 7, 100])
def test_parallel_segments_are_a_partition(db: Any, table: str, total: int) -> None:
    """developerguide/Scan.ParallelScan."""
    found = [
        number for segment in range(total) for number in scan_all(db, table, Segment=segment, TotalSegments=total)
    ]
    assert sorted(found) == list(range(COUNT))


def test_filter_select_projection_capacity(db: Any, table: str) -> None:
    """API; CAPACITY: what the filter drops is charged."""
    answer = db.scan(
        TableName=table,
        ConsistentRead=True,
        FilterExpression="n < :ten",
        ExpressionAttributeValues={":ten": {"N": "10"}},
        ProjectionExpression="n",
        ReturnConsumedCapacity="TOTAL",
    )
    assert (answer["Count"], answer["ScannedCount"]) == (10, COUNT)
    assert all(set(item) == {"n"} for item in answer["Items"])
    assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 1.0}
    counted = db.scan(TableName=table, ConsistentRead=True, Select="COUNT")
    assert counted["Count"] == COUNT
    assert "Items" not in counted


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"Segment": 0}, "TotalSegments parameter is required"),
        ({"TotalSegments": 2}, "Segment parameter is required"),
        ({"Segment": 2, "TotalSegments": 2}, "Segment parameter is zero-based"),
        ({"Segment": 0, "TotalSegments": 1_000_001}, "less than or equal to 1000000"),
        ({"Segment": -1, "TotalSegments": 2}, "greater than or equal to 0"),
        ({"Limit": 0}, "greater than or equal to 1"),
        ({"ExclusiveStartKey": {"x": {"S": "1"}}}, "The provided starting key is invalid"),
    ],
)
def test_refusals(db: Any, table: str, refused: Refused, more: Any, part: str) -> None:
    """observed."""
    code, message = refused(db.scan, TableName=table, **more)
    assert code == "ValidationException"
    assert part in message


@pytest.mark.parametrize("limit", [1, 5])
def test_segments_have_pages_of_their_own(db: Any, table: str, limit: int) -> None:
    """developerguide/Scan.ParallelScan: Limit is a segment's."""
    found = [number for segment in range(3) for number in scan_all(db, table, Segment=segment, TotalSegments=3)]
    paged = [
        number
        for segment in range(3)
        for number in scan_all(db, table, Segment=segment, TotalSegments=3, Limit=limit)
    ]
    assert found == paged


def test_a_start_key_of_another_segment(db: Any, table: str, refused: Refused) -> None:
    """observed."""
    last = db.scan(TableName=table, Segment=0, TotalSegments=2, Limit=1, ConsistentRead=True)["LastEvaluatedKey"]
    code, message = refused(db.scan, TableName=table, Segment=1, TotalSegments=2, ExclusiveStartKey=last)
    assert code == "ValidationException"
    assert message.startswith("The provided starting key is invalid: Invalid ExclusiveStartKey.")


def test_the_page_that_ends_at_its_limit_has_a_last_key(db: Any, table: str) -> None:
    """PAGES: whether something follows is not looked at."""
    answer = db.scan(TableName=table, ConsistentRead=True, Limit=COUNT)
    after = db.scan(TableName=table, ConsistentRead=True, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert (answer["Count"], after["Count"], after["ScannedCount"]) == (COUNT, 0, 0)
    assert "LastEvaluatedKey" not in after
    assert "LastEvaluatedKey" not in db.scan(TableName=table, ConsistentRead=True, Limit=COUNT + 1)


def test_a_filter_may_name_the_key(db: Any, table: str) -> None:
    """API: unlike a Query's; and it counts after the Limit."""
    more = {"TableName": table, "ConsistentRead": True, "FilterExpression": "pk = :p"}
    answer = db.scan(**more, ExpressionAttributeValues={":p": {"S": "item-7"}})
    assert [item["n"]["N"] for item in answer["Items"]] == ["7"]
    assert (answer["Count"], answer["ScannedCount"]) == (1, COUNT)
    limited = db.scan(**more, ExpressionAttributeValues={":p": {"S": "nobody"}}, Limit=4)
    assert (limited["Count"], limited["ScannedCount"]) == (0, 4)
    assert "LastEvaluatedKey" in limited


def _put_when_admitted(db: Any, name: str, item: dict[str, Any]) -> None:
    """As SDKs do it: 300 KB are a third of what one partition takes in a second, and `db` does not send again."""
    while True:
        try:
            db.put_item(TableName=name, Item=item)
            return
        except db.exceptions.ProvisionedThroughputExceededException:
            time.sleep(0.2)


def test_a_page_ends_at_1_mb(db: Any, make_table: Callable[..., str]) -> None:
    """PAGES: one megabyte of all partitions together; the item that crosses it still belongs to the page."""
    throughput = {"ReadCapacityUnits": 5000, "WriteCapacityUnits": 2000}
    name = make_table("conformance-scan-large", ("pk", "S"), ProvisionedThroughput=throughput)
    for number in range(7):
        _put_when_admitted(db, name, {"pk": {"S": f"large-{number}"}, "v": {"S": "x" * 300_000}})
    counts: list[int] = []
    start: dict[str, Any] = {}
    while True:
        answer = db.scan(TableName=name, ConsistentRead=True, ProjectionExpression="pk", **start)
        counts.append(answer["ScannedCount"])
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert counts == [4, 3]


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """API."""
    assert refused(db.scan, TableName="no-such-table") == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )
