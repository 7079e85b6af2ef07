"""Throttling as clients see it: errors and their members, batches, what is charged, what UpdateTable changes.

Items of 100 KB use up a table's first five minutes in a few requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.wire import ask, post
from tests.integration.cluster import RunningCluster, wait_until

SMALL = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
PAD = {"S": "x" * 100_000}
TRIES_MOST = 60
"""A table with one unit takes 300 at once, an item has 98; reads cost a quarter of it."""

PROVISIONED = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
    "provisioning level with the UpdateTable API."
)
MAXIMUM = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"


def until_refused(call: Callable[[], Any]) -> Any:
    """Repeat until it is throttled; the error's answer."""
    for _ in range(TRIES_MOST):
        try:
            call()
        except ClientError as error:
            return error.response
    raise AssertionError(f"none of {TRIES_MOST} calls was refused")


def arn(table: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}"


@pytest.fixture(scope="module")
def table(db: Any, make_table: Callable[..., str]) -> str:
    """Without write units left, and with one large item; later writes leave it in debt."""
    name = make_table("conformance-throttled", ("pk", "S"), ProvisionedThroughput=SMALL)
    until_refused(lambda: db.put_item(TableName=name, Item={"pk": {"S": "large"}, "pad": PAD}))
    return name


def test_an_exhausted_table_refuses_writes(db: Any, table: str) -> None:
    refused = until_refused(lambda: db.put_item(TableName=table, Item={"pk": {"S": "small"}}))
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused["Error"] == {"Code": "ProvisionedThroughputExceededException", "Message": PROVISIONED}
    assert refused["ThrottlingReasons"] == [
        {"reason": "TableWriteProvisionedThroughputExceeded", "resource": arn(table)}
    ]


def test_the_error_on_the_wire(cluster: RunningCluster, table: str) -> None:
    answer = ask(cluster.port, post("DeleteItem", {"TableName": table, "Key": {"pk": {"S": "none"}}}))
    assert answer.status == 400
    assert answer.json["__type"] == "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    assert set(answer.json) == {"__type", "message", "ThrottlingReasons"}


def test_a_batch_of_which_nothing_is_processed_is_refused(db: Any, table: str, refused: Any) -> None:
    writes = [{"PutRequest": {"Item": {"pk": {"S": f"k{number}"}}}} for number in range(3)]
    name, _ = refused(db.batch_write_item, RequestItems={table: writes})
    assert name == "ProvisionedThroughputExceededException"


def test_the_throttled_part_of_a_batch_comes_back(db: Any, table: str, hash_table: str) -> None:
    write = [{"PutRequest": {"Item": {"pk": {"S": "beside"}}}}]
    answer = db.batch_write_item(RequestItems={table: write, hash_table: write}, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedItems"] == {table: write}
    assert [each["TableName"] for each in answer["ConsumedCapacity"]] == [hash_table]


def test_reads_have_units_of_their_own(db: Any, table: str, hash_table: str) -> None:
    key = {"pk": {"S": "large"}}
    until = until_refused(lambda: db.get_item(TableName=table, Key=key, ConsistentRead=True))
    assert until["ThrottlingReasons"] == [
        {"reason": "TableReadProvisionedThroughputExceeded", "resource": arn(table)}
    ]
    for call in (
        lambda: db.query(
            TableName=table, KeyConditionExpression="pk = :k", ExpressionAttributeValues={":k": {"S": "large"}}
        ),
        lambda: db.scan(TableName=table),
    ):
        assert until_refused(call)["Error"]["Code"] == "ProvisionedThroughputExceededException"
    keys = {table: {"Keys": [key]}, hash_table: {"Keys": [key]}}
    assert db.batch_get_item(RequestItems=keys)["UnprocessedKeys"] == {table: {"Keys": [key]}}


def test_failed_conditions_are_charged(db: Any, make_table: Callable[..., str]) -> None:
    name = make_table("conformance-throttled-conditions", ("pk", "S"), ProvisionedThroughput=SMALL)
    item = {"pk": {"S": "large"}, "pad": PAD}
    db.put_item(TableName=name, Item=item)

    def fail() -> None:
        try:
            db.put_item(TableName=name, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    assert until_refused(fail)["Error"]["Code"] == "ProvisionedThroughputExceededException"


def test_more_throughput_admits_again(db: Any, table: str) -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 500}
    db.update_table(TableName=table, ProvisionedThroughput=units)

    def writes() -> bool:
        try:
            db.put_item(TableName=table, Item={"pk": {"S": "small"}})
        except db.exceptions.ProvisionedThroughputExceededException:
            return False
        return True

    wait_until("the table admits writes", writes, 20)


def test_maximums_of_on_demand_throughput(db: Any, make_table: Callable[..., str]) -> None:
    name = make_table(
        "conformance-throttled-maximum",
        ("pk", "S"),
        BillingMode="PAY_PER_REQUEST",
        OnDemandThroughput={"MaxWriteRequestUnits": 1},
    )
    refused = until_refused(lambda: db.put_item(TableName=name, Item={"pk": {"S": "large"}, "pad": PAD}))
    assert refused["Error"] == {"Code": "ThrottlingException", "Message": MAXIMUM}
    assert refused["throttlingReasons"] == [
        {"reason": "TableWriteMaxOnDemandThroughputExceeded", "resource": arn(name)}
    ]
