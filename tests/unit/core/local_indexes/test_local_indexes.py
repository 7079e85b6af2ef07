"""Local secondary indexes through both halves of the operations: entries, answers, capacity, limits."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import orjson
import pytest
from tests.unit.core.operations.cluster import Cluster

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.contents import Contents
from dynabus.core.local_indexes.entries import collection_size
from dynabus.core.local_indexes.leading import IndexRules
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations import pages
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.rows import encode_row, live_row

PAD = "x" * 2000


def index(name: str, sort: str, projection: str, *attributes: str) -> dict[str, Any]:
    projected: dict[str, Any] = {"ProjectionType": projection}
    if attributes:
        projected["NonKeyAttributes"] = list(attributes)
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": projected}


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.ask(
        "CreateTable",
        TableName="indexed",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "S"), ("moment", "N"), ("tag", "S"))
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            index("by-time", "moment", "KEYS_ONLY"),
            index("by-tag", "tag", "INCLUDE", "n"),
            index("whole", "tag", "ALL"),
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return made


def put(cluster: Cluster, pk: str, sk: str, **attributes: Any) -> Any:
    item = {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}
    return cluster.ask("PutItem", TableName="indexed", Item=item, ReturnConsumedCapacity="INDEXES")


def query(cluster: Cluster, name: str, condition: str = "pk = :p", **more: Any) -> Any:
    values = {":p": {"S": "a"}, **more.pop("values", {})}
    request = {"IndexName": name, "KeyConditionExpression": condition, "ExpressionAttributeValues": values}
    return cluster.ask("Query", TableName="indexed", **{**request, **more})


def sort_keys(answer: Any) -> list[str]:
    return [item["sk"]["S"] for item in answer["Items"]]


def test_the_index_orders_by_its_sort_key_then_by_the_tables(cluster: Cluster) -> None:
    for sk, at in (("1", "10"), ("2", "-3"), ("3", "10"), ("4", "2.5")):
        put(cluster, "a", sk, moment={"N": at})
    put(cluster, "a", "5")
    put(cluster, "b", "6", moment={"N": "1"})
    assert sort_keys(query(cluster, "by-time")) == ["2", "4", "1", "3"]
    assert sort_keys(query(cluster, "by-time", ScanIndexForward=False)) == ["3", "1", "4", "2"]


@pytest.mark.parametrize(
    ("condition", "low", "high", "found"),
    [
        ("#k = :l", "b", None, ["2", "3"]),
        ("#k < :l", "b", None, ["1"]),
        ("#k <= :l", "b", None, ["1", "2", "3"]),
        ("#k > :l", "b", None, ["4", "5"]),
        ("#k >= :l", "b", None, ["2", "3", "4", "5"]),
        ("#k BETWEEN :l AND :h", "b", "b\0", ["2", "3", "4"]),
        ("begins_with(#k, :l)", "b", None, ["2", "3", "4"]),
        ("begins_with(#k, :l)", "b\0", None, ["4"]),
    ],
)
def test_conditions_on_the_index_key(
    cluster: Cluster, condition: str, low: str, high: str | None, found: list[str]
) -> None:
    """Ties share their key, and a value may begin with another one."""
    for sk, tag in (("1", "a"), ("2", "b"), ("3", "b"), ("4", "b\0"), ("5", "c")):
        put(cluster, "a", sk, tag={"S": tag})
    values = {":l": {"S": low}, **({":h": {"S": high}} if high is not None else {})}
    answer = query(
        cluster, "by-tag", f"pk = :p AND {condition}", values=values, ExpressionAttributeNames={"#k": "tag"}
    )
    assert sort_keys(answer) == found


def test_pages_go_on_within_ties(cluster: Cluster) -> None:
    for number in range(7):
        put(cluster, "a", str(number), tag={"S": "same"})
    for forward in (True, False):
        found, start = [], None
        for _ in range(4):
            page = query(
                cluster,
                "by-tag",
                Limit=2,
                ScanIndexForward=forward,
                **({"ExclusiveStartKey": start} if start else {}),
            )
            found += sort_keys(page)
            start = page.get("LastEvaluatedKey")
            assert start is None or set(start) == {"pk", "sk", "tag"}
        assert found == sorted(map(str, range(7)), reverse=not forward)


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [{}, {"Limit": 9}])
@pytest.mark.parametrize("more", [{}, {"Select": "ALL_ATTRIBUTES"}])
def test_turns_of_a_node_do_not_end_a_page(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, forward: bool, limit: dict[str, int], more: dict[str, str]
) -> None:
    """Ties included: where a turn ended is a key of the index."""
    for number in range(10):
        put(cluster, "a", f"{number}", moment={"N": str(number // 5)}, pad={"S": PAD})
    request: dict[str, Any] = {"ScanIndexForward": forward, "ReturnConsumedCapacity": "INDEXES", **limit, **more}
    whole = query(cluster, "by-time", **request)
    assert whole["Count"] == limit.get("Limit", 10)
    monkeypatch.setattr(pages, "ROWS_MOST", 3)
    cluster.calls.clear()
    assert query(cluster, "by-time", **request) == whole
    assert len(cluster.calls) == (3 if limit else 4)


def test_what_turns_fetch_adds_up_to_a_page(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        put(cluster, "a", f"{number}", moment={"N": str(number)}, pad={"S": PAD})
    monkeypatch.setattr(pages, "ROWS_MOST", 2)
    monkeypatch.setattr(pages, "FETCHED_BYTES", 3 * len(PAD))
    page = query(cluster, "by-time", Select="ALL_ATTRIBUTES")
    assert sort_keys(page) == ["0", "1", "2", "3"]
    assert page["LastEvaluatedKey"]["sk"] == {"S": "3"}


def test_what_is_projected(cluster: Cluster) -> None:
    whole = {
        "pk": {"S": "a"},
        "sk": {"S": "1"},
        "moment": {"N": "1"},
        "tag": {"S": "t"},
        "n": {"N": "7"},
        "m": {"S": "u"},
    }
    cluster.ask("PutItem", TableName="indexed", Item=whole)
    assert set(query(cluster, "by-time")["Items"][0]) == {"pk", "sk", "moment"}
    assert set(query(cluster, "by-tag")["Items"][0]) == {"pk", "sk", "tag", "n"}
    assert query(cluster, "whole")["Items"] == [whole]
    assert query(cluster, "by-time", Select="ALL_ATTRIBUTES")["Items"] == [whole]
    assert query(cluster, "by-time", ProjectionExpression="m, sk")["Items"] == [{"m": {"S": "u"}, "sk": {"S": "1"}}]
    filtered = query(cluster, "by-tag", FilterExpression="n = :n", values={":n": {"N": "7"}})
    assert filtered["Count"] == 1
    assert set(cluster.ask("Scan", TableName="indexed", IndexName="by-tag")["Items"][0]) == {"pk", "sk", "tag", "n"}


def test_fetched_items_are_charged_to_the_table(cluster: Cluster) -> None:
    for number in range(3):
        put(cluster, "a", str(number), moment={"N": "1"}, pad={"S": "x" * 5000})
    wanted = {"ReturnConsumedCapacity": "INDEXES"}
    assert query(cluster, "by-time", **wanted)["ConsumedCapacity"] == {
        "TableName": "indexed",
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "LocalSecondaryIndexes": {"by-time": {"CapacityUnits": 0.5}},
    }
    fetched = query(cluster, "by-time", Select="ALL_ATTRIBUTES", ConsistentRead=True, **wanted)
    assert fetched["ConsumedCapacity"] == {
        "TableName": "indexed",
        "CapacityUnits": 7.0,
        "Table": {"CapacityUnits": 6.0},
        "LocalSecondaryIndexes": {"by-time": {"CapacityUnits": 1.0}},
    }


def units(answer: Any) -> dict[str, float]:
    of_indexes = answer["ConsumedCapacity"].get("LocalSecondaryIndexes", {})
    return {name: each["CapacityUnits"] for name, each in of_indexes.items()}


def test_what_a_write_costs_the_indexes(cluster: Cluster) -> None:
    """Comes, goes or changes: one write; moves: two; nothing of it changes: none."""
    assert units(put(cluster, "a", "1")) == {}
    assert units(put(cluster, "a", "1", moment={"N": "1"})) == {"by-time": 1.0}
    assert units(put(cluster, "a", "1", moment={"N": "1"}, other={"S": PAD})) == {}
    assert units(put(cluster, "a", "1", moment={"N": "2"}, other={"S": PAD})) == {"by-time": 2.0}
    assert units(put(cluster, "a", "1", tag={"S": "t"}, other={"S": PAD})) == {
        "by-time": 1.0,
        "by-tag": 1.0,
        "whole": 2.0,
    }
    gone = cluster.ask(
        "DeleteItem", TableName="indexed", Key={"pk": {"S": "a"}, "sk": {"S": "1"}}, ReturnConsumedCapacity="INDEXES"
    )
    assert units(gone) == {"by-tag": 1.0, "whole": 2.0}
    assert gone["ConsumedCapacity"]["CapacityUnits"] == 2.0 + 3.0


def test_updates_move_entries(cluster: Cluster) -> None:
    put(cluster, "a", "1", moment={"N": "1"}, n={"N": "1"})
    key = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    values = {":t": {"N": "9"}, ":g": {"S": "g"}}
    cluster.ask(
        "UpdateItem",
        TableName="indexed",
        Key=key,
        UpdateExpression="SET moment = :t, tag = :g",
        ExpressionAttributeValues=values,
    )
    assert query(cluster, "by-time")["Items"] == [{**key, "moment": {"N": "9"}}]
    assert query(cluster, "by-tag")["Items"][0]["n"] == {"N": "1"}
    cluster.ask("UpdateItem", TableName="indexed", Key=key, UpdateExpression="REMOVE moment")
    assert query(cluster, "by-time")["Items"] == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"S": "1"},
            "One or more parameter values were invalid: Type mismatch for Index Key moment Expected: N Actual: S "
            "IndexName: by-time",
        ),
        (
            {"NULL": True},
            "One or more parameter values were invalid: Type mismatch for Index Key moment Expected: N Actual: NULL "
            "IndexName: by-time",
        ),
    ],
)
def test_index_keys_have_the_type_of_the_schema(cluster: Cluster, value: Any, message: str) -> None:
    assert put(cluster, "a", "1", moment=value)["message"] == message
    refused = cluster.message(
        "UpdateItem",
        TableName="indexed",
        Key={"pk": {"S": "a"}, "sk": {"S": "1"}},
        UpdateExpression="SET moment = :v",
        ExpressionAttributeValues={":v": value},
    )
    assert refused == message
    batch = {"indexed": [{"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"S": "1"}, "moment": value}}}]}
    assert cluster.message("BatchWriteItem", RequestItems=batch) == message
    assert cluster.ask("Scan", TableName="indexed")["Count"] == 0


def test_index_keys_are_neither_empty_nor_long(cluster: Cluster) -> None:
    assert put(cluster, "a", "1", tag={"S": ""})["message"] == (
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-tag, "
        "IndexKey: tag"
    )
    assert (
        "Size limit exceeded for Index Key tag Actual Size: 1025 bytes Max Size: 1024 bytes"
        in (put(cluster, "a", "1", tag={"S": "x" * 1025})["message"])
    )
    assert "__type" not in put(cluster, "a", "1", tag={"S": "x" * 1024})


def test_an_item_and_its_entry_share_400_kb(cluster: Cluster) -> None:
    assert "__type" not in put(cluster, "a", "1", pad={"S": "x" * 300_000})
    refused = put(cluster, "a", "1", tag={"S": "t"}, pad={"S": "x" * 300_000})
    assert refused["message"] == "Item size has exceeded the maximum allowed size"


def test_metrics_say_which_collection_and_how_large(cluster: Cluster) -> None:
    item = {"pk": {"S": "a"}, "sk": {"S": "1"}, "tag": {"S": "t"}}
    metrics = {"ItemCollectionKey": {"pk": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    answer = cluster.ask("PutItem", TableName="indexed", Item=item, ReturnItemCollectionMetrics="SIZE")
    assert answer == {"ItemCollectionMetrics": metrics}
    assert cluster.ask("PutItem", TableName="indexed", Item=item) == {}
    batch = cluster.ask(
        "BatchWriteItem",
        RequestItems={
            "indexed": [{"PutRequest": {"Item": {**item, "sk": {"S": sk}}}} for sk in "23"]
            + [{"DeleteRequest": {"Key": {"pk": {"S": "b"}, "sk": {"S": "1"}}}}]
        },
        ReturnItemCollectionMetrics="SIZE",
    )
    assert batch["ItemCollectionMetrics"] == {
        "indexed": [metrics, {**metrics, "ItemCollectionKey": {"pk": {"S": "b"}}}],
    }


def test_a_collection_has_a_limit_for_what_makes_it_larger(cluster: Cluster) -> None:
    cluster.collection_bytes = 5000
    for sk in ("1", "2"):
        assert "__type" not in put(cluster, "a", sk, pad={"S": PAD})
    refused = put(cluster, "a", "3", pad={"S": PAD})
    assert refused["__type"].endswith("#ItemCollectionSizeLimitExceededException")
    assert "__type" not in put(cluster, "b", "3", pad={"S": PAD})
    assert "__type" not in put(cluster, "a", "1", pad={"S": "small"})
    assert "__type" not in put(cluster, "a", "3", pad={"S": PAD})


def test_what_another_region_has_accepted_is_not_refused_by_that_limit(cluster: Cluster) -> None:
    """Two regions may each have filled a collection: one that refuses what the other one has never gets it."""
    put(cluster, "a", "1", pad={"S": PAD})
    (row,) = {row for store in cluster.stores.values() for _, row in store.scan(b"", None)}
    rules = IndexRules(cluster.view.tables["indexed"].indexes, MemoryStore(), collection_most=100)
    for is_import, status in ((False, ReplyStatus.ERROR), (True, ReplyStatus.OK)):
        evaluate = rules.evaluation(lambda _old, _wall_ms: Decision(True, row, Outcome()), is_import=is_import)
        assert evaluate(None, 0).outcome.status == status


def test_an_item_and_its_entries_have_400_kb_together(cluster: Cluster) -> None:
    """LSI.html: of the item and of its entries in all local secondary indexes. A batch is refused as a whole."""
    tag, pad = {"S": "t"}, {"S": "x" * 205_000}
    assert "__type" not in put(cluster, "a", "1", tag=tag, pad={"S": "x" * 190_000})
    assert "__type" not in put(cluster, "a", "3", pad=pad)
    refused = put(cluster, "a", "2", tag=tag, pad=pad)
    assert refused["message"] == "Item size has exceeded the maximum allowed size"
    items = [{"pk": {"S": "b"}, "sk": {"S": "1"}}, {"pk": {"S": "b"}, "sk": {"S": "2"}, "tag": tag, "pad": pad}]
    batch = {"indexed": [{"PutRequest": {"Item": each}} for each in items]}
    assert cluster.ask("BatchWriteItem", RequestItems=batch)["__type"].endswith("#ValidationException")
    assert query(cluster, "whole", values={":p": {"S": "b"}})["Items"] == []
    key = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    values = {":pad": pad}
    updated = cluster.ask(
        "UpdateItem",
        TableName="indexed",
        Key=key,
        UpdateExpression="SET filling = :pad",
        ExpressionAttributeValues=values,
    )
    assert updated["message"] == "Item size to update has exceeded the maximum allowed size"


def test_a_larger_one_that_another_region_has_is_taken(cluster: Cluster) -> None:
    put(cluster, "a", "1", tag={"S": "t"})
    (row,) = {row for store in cluster.stores.values() for _, row in store.scan(b"", None)}
    found = live_row(row)
    assert found is not None
    large = encode_row(orjson.dumps({**orjson.loads(found.item_json), "pad": {"S": "x" * 300_000}}), 300_000, 1)
    rules = IndexRules(cluster.view.tables["indexed"].indexes, MemoryStore())
    for write, is_import, status in (
        (True, False, ReplyStatus.ERROR),
        (True, True, ReplyStatus.OK),
        (False, False, ReplyStatus.OK),
    ):
        decision = Decision(write, large if write else None, Outcome())
        evaluate = rules.evaluation(Mock(return_value=decision), is_import=is_import)
        assert evaluate(large, 0).outcome.status == status


def test_entries_and_sizes_are_a_function_of_the_rows(cluster: Cluster) -> None:
    """After any history: what an empty replica derives from the rows alone."""
    for round_ in range(3):
        for number in range(20):
            attributes: dict[str, Any] = {"n": {"N": str(round_)}}
            if (number + round_) % 3:
                attributes["moment"] = {"N": str(number * round_)}
            if (number + round_) % 2:
                attributes["tag"] = {"S": f"tag {number % 4}"}
            put(cluster, f"pk {number % 5}", str(number), **attributes)
    for number in range(0, 20, 7):
        key = {"pk": {"S": f"pk {number % 5}"}, "sk": {"S": str(number)}}
        cluster.ask("DeleteItem", TableName="indexed", Key=key)
    indexes = cluster.view.tables["indexed"].indexes
    for place, store in cluster.stores.items():
        fresh = MemoryStore()
        derived = Contents(fresh, indexes)
        for key_bytes, row in store.scan(b"", None):
            fresh.put(key_bytes, row)
            derived.follow(key_bytes, None, row)
        assert list(store.scan_entries(b"", None)) == list(fresh.scan_entries(b"", None))
        assert cluster.contents[place].totals == derived.totals == Contents(fresh, indexes).totals
    emptied = {"pk": {"S": "pk 1"}}
    for number in range(1, 20, 5):
        cluster.ask("DeleteItem", TableName="indexed", Key={**emptied, "sk": {"S": str(number)}})
    assert {collection_size(store, indexes, emptied) for store in cluster.stores.values()} == {0}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
        ({"KeyConditionExpression": "pk = :p AND sk = :p"}, "Query condition missed key schema element: tag"),
        (
            {"ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"S": "1"}}},
            "The provided starting key is invalid",
        ),
        (
            {"FilterExpression": "tag = :p"},
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: tag",
        ),
    ],
)
def test_refused_queries(cluster: Cluster, request_: dict[str, Any], message: str) -> None:
    answer = query(cluster, **{"name": request_.pop("IndexName", "by-tag"), **_condition(request_)})
    assert answer["message"] == message


def _condition(request: dict[str, Any]) -> dict[str, Any]:
    condition = request.pop("KeyConditionExpression", None)
    return {**request, **({"condition": condition} if condition else {})}


def test_the_tables_sort_key_may_be_filtered_in_an_index(cluster: Cluster) -> None:
    put(cluster, "a", "1", tag={"S": "t"})
    put(cluster, "a", "2", tag={"S": "t"})
    answer = query(cluster, "by-tag", FilterExpression="sk = :s", values={":s": {"S": "2"}})
    assert (sort_keys(answer), answer["ScannedCount"]) == (["2"], 2)


def test_a_parallel_scan_of_an_index_finds_each_entry_once(cluster: Cluster) -> None:
    for number in range(30):
        put(cluster, f"pk {number}", str(number), **({"moment": {"N": "1"}} if number % 2 else {}))
    found = []
    for segment in range(4):
        start: dict[str, Any] = {}
        while True:
            page = cluster.ask(
                "Scan", TableName="indexed", IndexName="by-time", Segment=segment, TotalSegments=4, Limit=3, **start
            )
            found += sort_keys(page)
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert sorted(map(int, found)) == list(range(1, 30, 2))


def test_a_page_ends_at_1_mb_of_fetched_items_too(cluster: Cluster) -> None:
    for number in range(4):
        put(cluster, "a", str(number), moment={"N": "1"}, pad={"S": "x" * 390_000})
    first = query(cluster, "by-time", Select="ALL_ATTRIBUTES")
    assert sort_keys(first) == ["0", "1", "2"]
    rest = query(cluster, "by-time", Select="ALL_ATTRIBUTES", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sort_keys(rest) == ["3"]
    assert sort_keys(query(cluster, "by-time")) == ["0", "1", "2", "3"]
