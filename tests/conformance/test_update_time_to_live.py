"""UpdateTimeToLive."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cluster import RunningCluster, client, wait_until

Refused = Callable[..., tuple[str, str]]
ON = {"AttributeName": "expires", "Enabled": True}
OFF = {"AttributeName": "expires", "Enabled": False}
DETECTED = "1 validation error detected: Value "


@pytest.fixture
def table(make_table: Callable[..., str], request: pytest.FixtureRequest) -> str:
    """Of the test's own."""
    return make_table("-".join(filter(str.isalnum, request.node.name))[:100], ("pk", "S"))


def described(db: Any, table: str) -> dict[str, Any]:
    found: dict[str, Any] = db.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return found


def test_on_and_off(db: Any, table: str) -> None:
    """API: the answer is the specification; the description has the attribute while it is on.

    ours: at once, without ENABLING and DISABLING, and as often as one likes.
    """
    for _ in range(2):
        answer = db.update_time_to_live(TableName=table, TimeToLiveSpecification=ON)
        assert answer["TimeToLiveSpecification"] == ON
        assert described(db, table) == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
        answer = db.update_time_to_live(TableName=table, TimeToLiveSpecification=OFF)
        assert answer["TimeToLiveSpecification"] == OFF
        assert described(db, table) == {"TimeToLiveStatus": "DISABLED"}


def test_by_arn(db: Any, table: str) -> None:
    """API: TableName may be an ARN."""
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    db.update_time_to_live(TableName=arn, TimeToLiveSpecification=ON)
    assert described(db, table)["TimeToLiveStatus"] == "ENABLED"


def test_what_changes_nothing(db: Any, table: str, refused: Refused) -> None:
    """scylladb test/alternator/test_ttl.py: enabling twice, disabling twice, another attribute."""

    def words(attribute: str, enabled: bool) -> tuple[str, str]:
        asked = {"AttributeName": attribute, "Enabled": enabled}
        return refused(db.update_time_to_live, TableName=table, TimeToLiveSpecification=asked)

    assert words("expires", False) == ("ValidationException", "TimeToLive is already disabled")
    db.update_time_to_live(TableName=table, TimeToLiveSpecification=ON)
    assert words("expires", True) == ("ValidationException", "TimeToLive is already enabled")
    other = "TimeToLive is active on a different AttributeName: current AttributeName is expires"
    assert words("other", True) == ("ValidationException", other)
    assert words("other", False) == ("ValidationException", other)


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """As of every operation that changes a table."""
    found = refused(db.update_time_to_live, TableName="no-such-table", TimeToLiveSpecification=ON)
    assert found == ("ResourceNotFoundException", "Requested resource not found: Table: no-such-table not found")


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        (
            None,
            "null at 'timeToLiveSpecification' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"AttributeName": "expires"},
            "null at 'timeToLiveSpecification.enabled' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"Enabled": True},
            "null at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"AttributeName": "", "Enabled": True},
            "'' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            {"AttributeName": "x" * 256, "Enabled": True},
            f"'{'x' * 256}' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: "
            "Member must have length less than or equal to 255",
        ),
    ],
)
def test_shapes(
    db: Any, hash_table: str, refused: Refused, specification: dict[str, Any] | None, message: str
) -> None:
    """API: both members are required, and the name has 1 to 255 characters; the words are coral's."""
    given = {} if specification is None else {"TimeToLiveSpecification": specification}
    found = refused(db.update_time_to_live, TableName=hash_table, **given)
    assert found == ("ValidationException", DETECTED + message)


def test_what_expires_and_what_stays(db: Any, table: str) -> None:
    """Developer guide, TTL: a Number of seconds in the past, not five years back; other types, milliseconds and items
    without the attribute stay. ours: expired items go within a second or two, of a table with rows too."""
    now = int(time.time())
    stays: dict[str, dict[str, Any]] = {
        "none": {},
        "future": {"expires": {"N": str(now + 86_400)}},
        "milliseconds": {"expires": {"N": str((now - 60) * 1000)}},
        "five years": {"expires": {"N": str(now - 6 * 366 * 86_400)}},
        "text": {"expires": {"S": str(now - 60)}},
        "set": {"expires": {"NS": [str(now - 60)]}},
        "inside": {"m": {"M": {"expires": {"N": str(now - 60)}}}},
        "negative": {"expires": {"N": "-1"}},
        "zero": {"expires": {"N": "0"}},
    }
    goes: dict[str, dict[str, Any]] = {
        "past": {"expires": {"N": str(now - 60)}},
        "years": {"expires": {"N": str(now - 4 * 365 * 86_400)}},
        "exponent": {"expires": {"N": f"{(now - 60) / 1e9:.9f}E9"}},
    }
    for key, more in {**stays, **goes}.items():
        db.put_item(TableName=table, Item={"pk": {"S": key}, **more})
    db.update_time_to_live(TableName=table, TimeToLiveSpecification=ON)
    db.put_item(TableName=table, Item={"pk": {"S": "later"}, "expires": {"N": str(now - 5)}})

    def keys() -> set[str]:
        return {item["pk"]["S"] for item in db.scan(TableName=table, ConsistentRead=True)["Items"]}

    wait_until("what is over is gone", lambda: not keys() & {*goes, "later"}, 30)
    assert keys() == set(stays)
    db.update_time_to_live(TableName=table, TimeToLiveSpecification=OFF)


def test_local_indexes_follow(db: Any, cluster: RunningCluster) -> None:
    """Developer guide, TTL: expired items are removed from indexes just as by DeleteItem."""
    name = "expiring-with-an-index"
    db.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "other")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-other",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "other", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client(cluster.port).get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    past = str(int(time.time()) - 60)
    for sort, more in {"a": {"expires": {"N": past}}, "b": {}}.items():
        db.put_item(TableName=name, Item={"pk": {"S": "p"}, "sk": {"S": sort}, "other": {"S": sort}, **more})
    db.update_time_to_live(TableName=name, TimeToLiveSpecification=ON)

    def sorts(**index: str) -> list[str]:
        values = {":p": {"S": "p"}}
        found = db.query(
            TableName=name,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            **index,
        )
        return [item["sk"]["S"] for item in found["Items"]]

    wait_until("gone", lambda: sorts() == ["b"], 30)
    assert sorts(IndexName="by-other") == ["b"]
