"""Query and Scan over several partitions, held against a list that is filtered and cut in Python."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from tests.unit.core.operations.cluster import Cluster

from dynabus.core.operations import pages
from dynabus.core.tables.descriptions import partition_bounds

PKS = [f"p{number:x}" for number in range(12)]
SKS = [f"s{number:02}" for number in range(10)]


@pytest.fixture
def filled(cluster: Cluster) -> Cluster:
    cluster.table("tab", "S")
    for pk in PKS:
        for number, sk in enumerate(SKS):
            cluster.ask("PutItem", TableName="tab", Item={"pk": {"S": pk}, "sk": {"S": sk}, "n": {"N": str(number)}})
    return cluster


def turned(cluster: Cluster, operation: str, **request: Any) -> list[list[dict[str, Any]]]:
    """All pages, one list of items each."""
    found: list[list[dict[str, Any]]] = []
    start: dict[str, Any] = {}
    while True:
        answer = cluster.ask(operation, TableName="tab", **request, **start)
        assert answer["Count"] == len(answer["Items"])
        found.append(answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return found
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def sort_keys(items: list[dict[str, Any]]) -> list[str]:
    return [item["sk"]["S"] for item in items]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 5, 10, 11])
@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("pk = :p", {}, SKS),
        ("pk = :p AND sk = :a", {":a": "s04"}, ["s04"]),
        ("pk = :p AND sk < :a", {":a": "s04"}, SKS[:4]),
        ("pk = :p AND sk <= :a", {":a": "s04"}, SKS[:5]),
        ("pk = :p AND sk > :a", {":a": "s04"}, SKS[5:]),
        ("pk = :p AND :a <= sk", {":a": "s04"}, SKS[4:]),
        ("sk BETWEEN :a AND :b AND pk = :p", {":a": "s02", ":b": "s05"}, SKS[2:6]),
        ("pk = :p AND begins_with(sk, :a)", {":a": "s0"}, SKS),
        ("pk = :p AND begins_with(sk, :a)", {":a": "x"}, []),
    ],
)
def test_queries(
    filled: Cluster, condition: str, values: dict[str, str], expected: list[str], limit: int, forward: bool
) -> None:
    values = {**values, ":p": "p3"}
    found = turned(
        filled,
        "Query",
        KeyConditionExpression=condition,
        ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
        ScanIndexForward=forward,
        Limit=limit,
    )
    assert sort_keys([item for page in found for item in page]) == (expected if forward else expected[::-1])
    assert all(len(page) == limit for page in found[:-1])
    assert {item["pk"]["S"] for page in found for item in page} <= {"p3"}


def test_a_page_that_ends_at_the_limit_has_a_last_key_even_if_nothing_follows(filled: Cluster) -> None:
    values = {":p": {"S": "p3"}}
    answer = filled.ask(
        "Query", TableName="tab", KeyConditionExpression="pk = :p", ExpressionAttributeValues=values, Limit=10
    )
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "p3"}, "sk": {"S": "s09"}}


@pytest.mark.parametrize("limit", [1, 7, 120, 121])
def test_scans_cross_partitions(filled: Cluster, limit: int) -> None:
    found = turned(filled, "Scan", Limit=limit)
    keys = [(item["pk"]["S"], item["sk"]["S"]) for page in found for item in page]
    assert sorted(keys) == [(pk, sk) for pk in PKS for sk in SKS]
    assert len(set(keys)) == len(keys)
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("total", [1, 2, 3, 7, 64])
def test_segments_divide_the_table(filled: Cluster, total: int) -> None:
    segments = [turned(filled, "Scan", Segment=number, TotalSegments=total) for number in range(total)]
    keys = [(item["pk"]["S"], item["sk"]["S"]) for found in segments for page in found for item in page]
    assert sorted(keys) == [(pk, sk) for pk in PKS for sk in SKS]


def test_a_start_key_of_another_segment_is_refused(filled: Cluster) -> None:
    last = filled.ask("Scan", TableName="tab", Segment=0, TotalSegments=2, Limit=1)["LastEvaluatedKey"]
    text = filled.message("Scan", TableName="tab", Segment=1, TotalSegments=2, ExclusiveStartKey=last)
    assert text.startswith("The provided starting key is invalid")


def test_filters_come_after_the_limit(filled: Cluster) -> None:
    values = {":p": {"S": "p1"}, ":n": {"N": "4"}}
    answer = filled.ask(
        "Query",
        TableName="tab",
        KeyConditionExpression="pk = :p",
        FilterExpression="n >= :n",
        ExpressionAttributeValues=values,
        Limit=5,
    )
    assert (answer["Count"], answer["ScannedCount"]) == (1, 5)
    assert answer["LastEvaluatedKey"]["sk"] == {"S": "s04"}


def test_counting_sends_no_items(filled: Cluster) -> None:
    answer = filled.ask("Scan", TableName="tab", Select="COUNT")
    assert answer == {"Count": 120, "ScannedCount": 120}


def test_projections(filled: Cluster) -> None:
    values = {":p": {"S": "p1"}}
    answer = filled.ask(
        "Query",
        TableName="tab",
        KeyConditionExpression="pk = :p",
        ProjectionExpression="n, nothing",
        ExpressionAttributeValues=values,
        Limit=2,
    )
    assert answer["Items"] == [{"n": {"N": "0"}}, {"n": {"N": "1"}}]
    assert answer["LastEvaluatedKey"] == {"pk": {"S": "p1"}, "sk": {"S": "s01"}}


def test_a_page_ends_once_it_holds_1_mb(cluster: Cluster) -> None:
    cluster.table("tab", "N")
    for number in range(12):
        item = {"pk": {"S": "p"}, "sk": {"N": str(number)}, "x": {"S": "x" * 200_000}}
        assert cluster.ask("PutItem", TableName="tab", Item=item) == {}
    request: dict[str, Any] = {
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "p"}},
        "ReturnConsumedCapacity": "TOTAL",
    }
    answer = cluster.ask("Query", TableName="tab", **request)
    assert answer["Count"] == 6, "the item that crosses 1 MB still belongs to the page"
    size = 6 * (2 + 1 + 2 + 2 + 1 + 200_000) - 1
    assert answer["ConsumedCapacity"]["CapacityUnits"] == -(-size // 4096) / 2
    answer = cluster.ask("Query", TableName="tab", **request, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert (answer["Count"], "LastEvaluatedKey" in answer) == (6, True)


def test_a_scans_budget_is_one_for_all_partitions(cluster: Cluster) -> None:
    cluster.table("tab")
    for number in range(12):
        cluster.ask("PutItem", TableName="tab", Item={"pk": {"S": str(number)}, "x": {"S": "x" * 200_000}})
    assert {cluster.ask("Scan", TableName="tab")["Count"]} == {6}
    assert [len(page) for page in turned(cluster, "Scan")] in ([6, 6], [6, 6, 0])


def test_a_page_fits_into_a_message(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_JSON_BYTES", 1000)
    cluster.table("tab", "S")
    for sk in SKS:
        cluster.ask("PutItem", TableName="tab", Item={"pk": {"S": "p"}, "sk": {"S": sk}, "x": {"S": "x" * 400}})
    found = turned(cluster, "Query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "p"}})
    assert sort_keys([item for page in found for item in page]) == SKS
    assert max(map(len, found)) == 3


@pytest.mark.parametrize("more", [{}, {"ScanIndexForward": False}, {"ProjectionExpression": "pk, sk"}])
@pytest.mark.parametrize(
    ("limit", "counts", "turns"),
    [
        (None, [10], 3),  # of 4, 4 and 2 rows
        (10, [10, 0], 4),
        (9, [9, 1], 4),
        (4, [4, 4, 2], 3),
        (3, [3, 3, 3, 1], 4),
    ],
)
def test_turns_of_a_node_are_bounded_and_pages_are_the_same(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    limit: int | None,
    counts: list[int],
    turns: int,
    more: dict[str, Any],
) -> None:
    cluster.table("tab", "S")
    for sk in SKS:
        cluster.ask("PutItem", TableName="tab", Item={"pk": {"S": "p"}, "sk": {"S": sk}})
    values = {":p": {"S": "p"}}
    request: dict[str, Any] = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": values, **more}
    if limit is not None:
        request["Limit"] = limit
    whole = turned(cluster, "Query", **request)
    monkeypatch.setattr(pages, "ROWS_MOST", 4)
    cluster.calls.clear()
    assert turned(cluster, "Query", **request) == whole
    assert [len(page) for page in whole] == counts
    assert len(cluster.calls) == turns


def test_a_scan_in_turns(filled: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over three partitions: a turn ends with its rows, or with its partition; the charge is that of one page."""
    request: dict[str, Any] = {"FilterExpression": "n >= :n", "ExpressionAttributeValues": {":n": {"N": "5"}}}
    request |= {"TableName": "tab", "Select": "COUNT", "ReturnConsumedCapacity": "TOTAL"}
    whole = filled.ask("Scan", **request)
    assert (whole["Count"], whole["ScannedCount"]) == (60, 120)
    monkeypatch.setattr(pages, "ROWS_MOST", 7)
    filled.calls.clear()
    assert filled.ask("Scan", **request) == whole
    assert 120 // 7 < len(filled.calls) <= 120 // 7 + 4


@pytest.mark.parametrize("constant", ["PAGE_BYTES", "PAGE_JSON_BYTES"])
def test_turns_add_up_to_the_size_of_a_page(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, constant: str) -> None:
    cluster.table("tab", "S")
    for sk in SKS:
        cluster.ask("PutItem", TableName="tab", Item={"pk": {"S": "p"}, "sk": {"S": sk}, "x": {"S": "x" * 400}})
    monkeypatch.setattr(pages, "ROWS_MOST", 2)
    monkeypatch.setattr(pages, constant, 2000)
    values = {":p": {"S": "p"}}
    found = turned(cluster, "Query", KeyConditionExpression="pk = :p", ExpressionAttributeValues=values)
    assert sort_keys([item for page in found for item in page]) == SKS
    assert {len(page) for page in found[:-1]} <= {5, 6}


@pytest.mark.parametrize("forward", [True, False])
def test_one_item_collection_over_several_partitions(cluster: Cluster, forward: bool) -> None:
    """Bounds are encoded keys, so that a collection can be split; both directions must cross its bounds."""
    cluster.table("tab", "S")
    table = cluster.view.tables["tab"]
    cuts = [table.schema.encode({"pk": {"S": "p"}, "sk": {"S": sk}}) for sk in ("s03", "s06")]
    for partition, (lower, upper) in zip(
        table.partitions, zip([b"", *cuts], [*cuts, None], strict=True), strict=True
    ):
        partition["lower"], partition["upper"] = lower, upper
    table.__post_init__()
    for sk in SKS:
        cluster.ask("PutItem", TableName="tab", Item={"pk": {"S": "p"}, "sk": {"S": sk}})
    values = {":p": {"S": "p"}}
    for limit in (2, 3, 10, 11):
        found = turned(
            cluster,
            "Query",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
            Limit=limit,
        )
        assert sort_keys([item for page in found for item in page]) == (SKS if forward else SKS[::-1])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 4096])
def test_partition_bounds_divide_the_hash_space(count: int) -> None:
    bounds = partition_bounds(count)
    assert bounds[0][0] == b""
    assert bounds[-1][1] is None
    assert all(before[1] == after[0] for before, after in pairwise(bounds))
    widths = {
        int.from_bytes(upper or b"\xff" * 8, "big") - int.from_bytes(lower or bytes(8), "big")
        for lower, upper in bounds
    }
    assert max(widths) - min(widths) <= 1
