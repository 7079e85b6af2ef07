"""Scan."""

from __future__ import annotations

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


@pytest.mark.parametrize("total", [1, 2, 4, 7, 1000])
def test_parallel_segments_are_a_partition(db: Any, table: str, total: int) -> None:
    """developerguide/Scan.ParallelScan."""
    segments = range(total) if total < 100 else range(0, total, 1)
    found = [number for segment in segments for number in scan_all(db, table, Segment=segment, TotalSegments=total)]
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
        ({"ScanFilter": {}}, "ScanFilter"),
        ({"ExclusiveStartKey": {"x": {"S": "1"}}}, "The provided starting key is invalid"),
    ],
)
def test_refusals(db: Any, table: str, refused: Refused, more: Any, part: str) -> None:
    """observed; the one about ScanFilter is ours."""
    code, message = refused(db.scan, TableName=table, **more)
    assert code == "ValidationException"
    assert part in message
