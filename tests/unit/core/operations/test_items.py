"""Single items and batches: what is returned, charged, refused and sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.operations.cluster import Cluster

from dynabus.core.errors import ApiError
from dynabus.core.messages import RequestPart
from dynabus.core.operations import batch_write_item, items, put_item
from dynabus.core.operations.calls import Code
from dynabus.core.rows import encode_row

FAILED = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
A = {"pk": {"S": "a"}}


@pytest.fixture
def table(cluster: Cluster) -> Cluster:
    cluster.table("tab")
    return cluster


def get(cluster: Cluster, key: dict[str, Any] = A, **more: Any) -> Any:
    return cluster.ask("GetItem", TableName="tab", Key=key, **more)


def test_numbers_come_back_in_normal_form(table: Cluster) -> None:
    table.ask("PutItem", TableName="tab", Item={**A, "n": {"N": "0100.50"}})
    assert get(table) == {"Item": {**A, "n": {"N": "100.5"}}}


def test_a_plain_put_sends_nothing_to_parse(table: Cluster) -> None:
    table.ask("PutItem", TableName="tab", Item=A, ReturnValues="NONE")
    call = table.calls[-1]
    assert (call.code, call.detail, orjson.loads(call.value), call.size) == (Code.PUT, b"", A, 3)


def test_a_plain_put_parses_no_item_at_the_node() -> None:
    part: RequestPart = {
        "operation": Code.PUT,
        "log": "x",
        "partition": 0,
        "generation": 1,
        "consistent": True,
        "key": b"k",
        "value": b"{not json",
        "size": 10,
        "detail": b"",
    }
    decision = put_item.node(part)(encode_row(b"{neither", 5000, 1), 2)
    assert (decision.write, decision.outcome.size, decision.outcome.body) == (True, 5000, b"")


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
@pytest.mark.parametrize("wanted", ["NONE", "ALL_OLD"])
def test_a_failed_condition_tells_the_old_item_if_asked(table: Cluster, operation: str, wanted: str) -> None:
    old = {**A, "n": {"N": "1"}}
    table.ask("PutItem", TableName="tab", Item=old)
    key = {"Item": A} if operation == "PutItem" else {"Key": A}
    answer = table.ask(
        operation,
        TableName="tab",
        **key,
        ConditionExpression="n > :v",
        ExpressionAttributeValues={":v": {"N": "1"}},
        ReturnValuesOnConditionCheckFailure=wanted,
    )
    assert answer["__type"] == FAILED
    assert answer["message"] == "The conditional request failed"
    assert answer.get("Item") == (old if wanted == "ALL_OLD" else None)
    assert get(table)["Item"] == old


@pytest.mark.parametrize(
    ("size_before", "size_after", "units"), [(0, 100, 1.0), (0, 1025, 2.0), (3000, 100, 3.0), (100, 3000, 3.0)]
)
@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_writes_cost_the_larger_of_old_and_new(
    table: Cluster, operation: str, size_before: int, size_after: int, units: float
) -> None:
    if size_before:
        table.ask("PutItem", TableName="tab", Item={**A, "x": {"S": "x" * (size_before - 4)}})
    text = {"S": "x" * (size_after - 4)}
    how: dict[str, Any] = {"Item": {**A, "x": text}}
    if operation == "UpdateItem":
        how = {"Key": A, "UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": text}}
    answer = table.ask(operation, TableName="tab", **how, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == {
        "TableName": "tab",
        "CapacityUnits": units,
        "Table": {"CapacityUnits": units},
    }


def test_deletes_cost_what_they_delete_and_one_unit_for_nothing(table: Cluster) -> None:
    table.ask("PutItem", TableName="tab", Item={**A, "x": {"S": "x" * 3000}})
    wanted = {"TableName": "tab", "Key": A, "ReturnConsumedCapacity": "TOTAL"}
    assert table.ask("DeleteItem", **wanted)["ConsumedCapacity"]["CapacityUnits"] == 3.0
    assert table.ask("DeleteItem", **wanted)["ConsumedCapacity"]["CapacityUnits"] == 1.0
    assert get(table) == {}


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(0, False, 0.5), (0, True, 1.0), (4096, True, 1.0), (4097, True, 2.0), (4097, False, 1.0)],
)
def test_reads_cost_4_kb_steps_and_half_if_eventual(
    table: Cluster, size: int, consistent: bool, units: float
) -> None:
    if size:
        table.ask("PutItem", TableName="tab", Item={**A, "x": {"S": "x" * (size - 4)}})
    answer = get(table, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL", ProjectionExpression="pk")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_deleting_nothing_appends_nothing(table: Cluster) -> None:
    assert table.ask("DeleteItem", TableName="tab", Key=A, ReturnValues="ALL_OLD") == {}
    assert all(store.get(table.calls[-1].key) is None for store in table.stores.values())


@pytest.mark.parametrize(
    ("wanted", "first", "second"),
    [
        ("NONE", None, None),
        ("ALL_OLD", None, {**A, "n": {"N": "1"}, "m": {"M": {"x": {"S": "1"}, "y": {"S": "2"}}}}),
        ("UPDATED_OLD", None, {"n": {"N": "1"}, "m": {"M": {"x": {"S": "1"}}}}),
        ("ALL_NEW", {**A, "n": {"N": "1"}}, {**A, "n": {"N": "2"}, "m": {"M": {"x": {"S": "9"}, "y": {"S": "2"}}}}),
        ("UPDATED_NEW", {"n": {"N": "1"}}, {"n": {"N": "2"}, "m": {"M": {"x": {"S": "9"}}}}),
    ],
)
def test_return_values_of_updates(table: Cluster, wanted: str, first: Any, second: Any) -> None:
    one, text = {":o": {"N": "1"}}, {":x": {"S": "9"}}
    request = {"TableName": "tab", "Key": A, "ReturnValues": wanted}
    answer = table.ask("UpdateItem", **request, UpdateExpression="ADD n :o", ExpressionAttributeValues=one)
    assert answer.get("Attributes") == first
    both = {"M": {"x": {"S": "1"}, "y": {"S": "2"}}}
    table.ask("PutItem", TableName="tab", Item={**A, "n": {"N": "1"}, "m": both})
    answer = table.ask(
        "UpdateItem",
        **request,
        UpdateExpression="SET m.x = :x ADD n :o",
        ExpressionAttributeValues={**one, **text},
    )
    assert answer.get("Attributes") == second


def test_an_update_beyond_400_kb_changes_nothing(table: Cluster) -> None:
    old = {**A, "x": {"S": "x" * 300_000}}
    table.ask("PutItem", TableName="tab", Item=old)
    text = table.message(
        "UpdateItem",
        TableName="tab",
        Key=A,
        UpdateExpression="SET y = x",
    )
    assert text == "Item size to update has exceeded the maximum allowed size"
    assert get(table)["Item"] == old


def test_an_item_that_is_huge_as_json_is_refused(table: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "ITEM_JSON_BYTES_MOST", 2000)
    numbers = {"L": [{"N": "1E125"}] * 100}
    text = table.message("PutItem", TableName="tab", Item={**A, "x": numbers})
    assert text == "Item size has exceeded the maximum allowed size"
    with pytest.raises(ApiError, match="Item size to update"):
        items.stored({**A, "x": {"S": "x" * 3000}}, update=True)


def test_the_largest_legal_item_of_empty_strings_is_stored(table: Cluster) -> None:
    """400 KB by DynamoDB's rule: 409,600 = 3 for the key, 1 for the name, 3 and one per element."""
    item = {**A, "x": {"L": [{"S": ""}] * (409_600 - 3 - 1 - 3)}}
    assert table.ask("PutItem", TableName="tab", Item=item) == {}
    assert table.calls[-1].size == 409_600
    assert len(table.calls[-1].value) > 3_600_000


def test_arns_name_tables(table: Cluster) -> None:
    arn = table.ask("DescribeTable", TableName="tab")["Table"]["TableArn"]
    assert arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/tab"
    assert table.ask("PutItem", TableName=arn, Item=A) == {}
    assert table.ask("DescribeTable", TableName=arn)["Table"]["TableName"] == "tab"
    assert table.ask("BatchGetItem", RequestItems={arn: {"Keys": [A]}})["Responses"] == {arn: [A]}


# -- batches ----------------------------------------------------------------------------------------------------


def keys(count: int) -> list[dict[str, Any]]:
    return [{"pk": {"S": str(number)}} for number in range(count)]


def puts(wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": key}} for key in wanted]


def test_batches_write_and_read(table: Cluster) -> None:
    assert table.ask("BatchWriteItem", RequestItems={"tab": puts(keys(25))}) == {"UnprocessedItems": {}}
    answer = table.ask("BatchGetItem", RequestItems={"tab": {"Keys": keys(100)}}, ReturnConsumedCapacity="TOTAL")
    assert sorted(item["pk"]["S"] for item in answer["Responses"]["tab"]) == sorted(map(str, range(25)))
    assert answer["UnprocessedKeys"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": "tab", "CapacityUnits": 50.0}]


def test_what_nobody_answered_comes_back(table: Cluster) -> None:
    table.ask("BatchWriteItem", RequestItems={"tab": puts(keys(25))})
    table.silent = {1}
    left = table.ask("BatchWriteItem", RequestItems={"tab": puts(keys(25))})["UnprocessedItems"]["tab"]
    assert 0 < len(left) < 25
    asked = {"Keys": keys(25), "ConsistentRead": True, "ProjectionExpression": "#p"}
    request = {"tab": {**asked, "ExpressionAttributeNames": {"#p": "pk"}}}
    answer = table.ask("BatchGetItem", RequestItems=request)
    unprocessed = answer["UnprocessedKeys"]["tab"]
    assert {**unprocessed, "Keys": keys(25)} == request["tab"]
    assert len(unprocessed["Keys"]) + len(answer["Responses"]["tab"]) == 25
    table.silent = set()
    rest = table.ask("BatchGetItem", RequestItems=answer["UnprocessedKeys"])
    assert len(rest["Responses"]["tab"]) == len(unprocessed["Keys"])


def test_a_batch_that_nobody_answered_is_a_500(table: Cluster) -> None:
    table.silent = {0, 1, 2}
    for answer in (
        table.ask("BatchWriteItem", RequestItems={"tab": puts(keys(5))}),
        table.ask("BatchGetItem", RequestItems={"tab": {"Keys": keys(5)}}),
        table.ask("PutItem", TableName="tab", Item=A),
        get(table),
        table.ask("Scan", TableName="tab"),
    ):
        assert answer["__type"] == "com.amazonaws.dynamodb.v20120810#InternalServerError"


def test_a_batch_that_is_huge_as_json_is_done_in_parts(table: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_write_item, "MESSAGE_LIMIT_BYTES", 5000)
    wanted = [{**key, "x": {"L": [{"N": "1E125"}] * 10}} for key in keys(10)]
    left, rounds = {"tab": puts(wanted)}, 0
    while left:
        left, rounds = table.ask("BatchWriteItem", RequestItems=left)["UnprocessedItems"], rounds + 1
    assert rounds == 4
    assert table.ask("Scan", TableName="tab", Select="COUNT")["Count"] == 10


def test_an_answer_holds_16_mb_at_most(table: Cluster) -> None:
    wanted = keys(50)
    for key in wanted:
        table.ask("PutItem", TableName="tab", Item={**key, "x": {"S": "x" * 400_000}})
    seen, left = 0, {"tab": {"Keys": wanted}}
    rounds = 0
    while left:
        answer = table.ask("BatchGetItem", RequestItems=left)
        seen, left, rounds = seen + len(answer["Responses"]["tab"]), answer["UnprocessedKeys"], rounds + 1
    assert (seen, rounds) == (50, 2)
