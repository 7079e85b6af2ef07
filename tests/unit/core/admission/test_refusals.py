"""DynamoDB's errors for what is throttled, and the list of them."""

from __future__ import annotations

import pytest
from tests.unit.core.admission.tables import ARN, on_demand, provisioned

from dynabus.core.admission.capacity import READ, WRITE, Limit
from dynabus.core.admission.refusals import reason_of, refusal
from dynabus.core.admission.throttled import KEPT_MOST, Event, Throttled, readable
from dynabus.core.keys import encode_key


def test_a_provisioned_tables_error() -> None:
    assert refusal(provisioned(), WRITE, Limit.PROVISIONED).body() == {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "The level of configured provisioned throughput for the table was exceeded. Consider increasing "
        "your provisioning level with the UpdateTable API.",
        "ThrottlingReasons": [{"reason": "TableWriteProvisionedThroughputExceeded", "resource": ARN}],
    }


def test_an_on_demand_tables_error() -> None:
    error = refusal(on_demand(), READ, Limit.KEY_RANGE)
    assert error.status == 400
    assert error.type == "com.amazon.coral.availability#ThrottlingException"
    assert error.message.startswith("Throughput exceeds the current capacity of your table or index.")
    assert error.extra == {"throttlingReasons": [{"reason": "TableReadKeyRangeThroughputExceeded", "resource": ARN}]}


def test_the_error_of_a_maximum() -> None:
    error = refusal(on_demand(), READ, Limit.MAX_ON_DEMAND)
    assert error.message == "Throughput exceeds the maximum OnDemandThroughput configured on table or index"


def test_an_index_is_named() -> None:
    own = {**provisioned(), "TableArn": f"{ARN}/index/by-time", "Index": {"Name": "by-time"}}
    error = refusal(own, WRITE, Limit.PROVISIONED)
    assert error.extra == {
        "ThrottlingReasons": [
            {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{ARN}/index/by-time"}
        ]
    }
    assert "one or more global secondary indexes" in error.message


def test_there_are_sixteen_reasons() -> None:
    reasons = {reason_of(way, limit, of_index=index) for way in (0, 1) for limit in Limit for index in (False, True)}
    assert len(reasons) == 16


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ({"S": "customer 7"}, "customer 7"),
        ({"S": "a\x00b"}, "6100ff62"),
        ({"N": "5"}, "038260"),
        ({"B": "//8="}, "ffff"),
        ({"S": "größe"}, "größe"),
    ],
)
def test_keys_are_shown_as_people_read_them(key: dict[str, str], shown: str) -> None:
    assert readable(encode_key(key, {"S": "sort"} if "N" not in key else None)) == shown


def test_the_newest_events_are_kept_and_all_are_counted() -> None:
    throttled = Throttled()
    for number in range(KEPT_MOST + 5):
        throttled.note(Event(number, "t", 0, encode_key({"S": "k"}), "TableWriteProvisionedThroughputExceeded", 3))
    shown = throttled.shown()
    assert [event["time_ms"] for event in shown["events"]] == list(range(5, KEPT_MOST + 5))
    assert shown["counts"] == [
        {"table": "t", "reason": "TableWriteProvisionedThroughputExceeded", "count": KEPT_MOST + 5}
    ]
    assert shown["events"][0] == {
        "time_ms": 5,
        "table": "t",
        "partition": 0,
        "key": "k",
        "reason": "TableWriteProvisionedThroughputExceeded",
        "units": 1.5,
    }
