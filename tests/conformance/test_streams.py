"""DynamoDB Streams through boto3's own client. Words: DDB-TABLE-050 (UpdateTable), DynamoDB Local (the Streams API),
or ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config

from tests.integration.cluster import RunningCluster, wait_until
from tests.integration.streams import streams_client

Refused = Callable[..., tuple[str, str]]

NOWHERE = "arn:aws:dynamodb:us-east-1:000000000000:table/no-such-table/stream/2026-01-01T00:00:00.000"
NO_SHARD = "shardId-00000000000000000099-00000001"
VALUES: dict[str, Any] = {
    "n": {"N": "-1.5"},
    "b": {"B": b"\x00\xff"},
    "t": {"BOOL": True},
    "z": {"NULL": True},
    "ss": {"SS": ["a", "é"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": [b"", b"x"]},
    "l": {"L": [{"S": ""}, {"L": []}, {"M": {}}]},
    "m": {"M": {"S": {"S": "x"}, "M": {"M": {"deep": {"N": "0"}}}}},
}


@pytest.fixture(scope="module")
def streams(cluster: RunningCluster) -> Any:
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1, "mode": "standard"})
    return streams_client(cluster.port, config)


@pytest.fixture(scope="module")
def make_stream(db: Any, make_table: Callable[..., str]) -> Callable[[str, str], str]:
    """A table with a stream of this view; the stream's ARN."""

    def make(name: str, view: str) -> str:
        specification = {"StreamEnabled": True, "StreamViewType": view}
        make_table(name, ("pk", "S"), BillingMode="PAY_PER_REQUEST", StreamSpecification=specification)
        arn: str = db.describe_table(TableName=name)["Table"]["LatestStreamArn"]
        return arn

    return make


@pytest.fixture(scope="module")
def arn(make_stream: Callable[[str, str], str]) -> str:
    """Of the table conformance-stream, both images."""
    return make_stream("conformance-stream", "NEW_AND_OLD_IMAGES")


def shards(streams: Any, arn: str) -> list[dict[str, Any]]:
    """Once there are any."""
    found: list[dict[str, Any]] = wait_until(
        "shards", lambda: streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"], 60
    )
    return found


def iterator(streams: Any, arn: str, kind: str, **more: Any) -> str:
    """Of the first shard."""
    shard = shards(streams, arn)[0]["ShardId"]
    found: str = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)[
        "ShardIterator"
    ]
    return found


def take(streams: Any, start: str, count: int) -> list[dict[str, Any]]:
    """So many records from an iterator on."""
    return list(_take(streams, start, count))


def _take(streams: Any, start: str, count: int) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while count > 0:
        answer = streams.get_records(ShardIterator=start, Limit=count)
        yield from answer["Records"]
        count -= len(answer["Records"])
        start = answer["NextShardIterator"]
        assert time.monotonic() < deadline


def put(db: Any, table: str, key: str, **more: Any) -> None:
    db.put_item(TableName=table, Item={"pk": {"S": key}, **more})


# -- tables -----------------------------------------------------------------------------------------------------


def test_a_table_tells_of_its_stream(db: Any, arn: str) -> None:
    table = db.describe_table(TableName="conformance-stream")["Table"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert arn == f"{table['TableArn']}/stream/{table['LatestStreamLabel']}"
    assert datetime.strptime(table["LatestStreamLabel"], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC).year > 2000


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"StreamEnabled": True}, "If stream is being enabled then UpdateViewType is required"),
        (
            {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"},
            "If stream is being disabled, then UpdateViewType must not be specified",
        ),
    ],
)
def test_specifications_that_contradict_themselves(
    db: Any, hash_table: str, refused: Refused, specification: dict[str, Any], message: str
) -> None:
    """DDB-TABLE-050."""
    found = refused(db.update_table, TableName=hash_table, StreamSpecification=specification)
    assert found == ("ValidationException", f"One or more parameter values were invalid: {message}")


@pytest.mark.parametrize(
    ("specification", "part"),
    [
        (
            {},
            "Value null at 'streamSpecification.streamEnabled' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"StreamEnabled": True, "StreamViewType": "X"},
            "Value 'X' at 'streamSpecification.streamViewType' failed to",
        ),
    ],
)
def test_shapes_of_specifications(
    db: Any, hash_table: str, refused: Refused, specification: dict[str, Any], part: str
) -> None:
    code, message = refused(db.update_table, TableName=hash_table, StreamSpecification=specification)
    assert code == "ValidationException"
    assert part in message


def test_a_stream_is_switched_on_and_off_and_on(
    db: Any, streams: Any, make_table: Callable[..., str], refused: Refused
) -> None:
    """DDB-TABLE-050: another ARN each time; the old one stays to be read."""
    table = make_table("conformance-switched", ("pk", "S"))
    put(db, table, "before")
    first = _switch(db, table, StreamEnabled=True, StreamViewType="NEW_IMAGE")
    for view in ("NEW_IMAGE", "KEYS_ONLY"):
        specification = {"StreamEnabled": True, "StreamViewType": view}
        found = refused(db.update_table, TableName=table, StreamSpecification=specification)
        assert found == ("ValidationException", f"Table already has an enabled stream: TableName: {table}")
    put(db, table, "while")
    _switch(db, table, StreamEnabled=False)
    described = db.describe_table(TableName=table)["Table"]
    assert "StreamSpecification" not in described
    assert described["LatestStreamArn"] == first
    put(db, table, "between")
    second = _switch(db, table, StreamEnabled=True, StreamViewType="KEYS_ONLY")
    assert second != first
    put(db, table, "after")
    assert streams.describe_stream(StreamArn=first)["StreamDescription"]["StreamStatus"] == "DISABLED"
    assert [each["StreamArn"] for each in streams.list_streams(TableName=table)["Streams"]] == [first, second]
    (shard,) = shards(streams, first)
    assert int(shard["SequenceNumberRange"]["EndingSequenceNumber"]) > 0
    answer = streams.get_records(ShardIterator=iterator(streams, first, "TRIM_HORIZON"))
    assert [record["dynamodb"]["Keys"]["pk"]["S"] for record in answer["Records"]] == ["while"]
    assert "NextShardIterator" not in answer
    (record,) = take(streams, iterator(streams, second, "TRIM_HORIZON"), 1)
    assert record["dynamodb"]["Keys"] == {"pk": {"S": "after"}}


def _switch(db: Any, table: str, **specification: Any) -> str:
    answer = db.update_table(TableName=table, StreamSpecification=specification)["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    wait_until("ACTIVE", lambda: db.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE", 60)
    arn: str = answer["LatestStreamArn"]
    return arn


# -- records ----------------------------------------------------------------------------------------------------


def test_records_have_what_dynamodb_s_have(db: Any, streams: Any, arn: str) -> None:
    latest = iterator(streams, arn, "LATEST")
    put(db, "conformance-stream", "types", **VALUES)
    put(db, "conformance-stream", "types", **{**VALUES, "ss": {"SS": ["é", "a"]}})
    put(db, "conformance-stream", "types", v={"N": "2"})
    db.delete_item(TableName="conformance-stream", Key={"pk": {"S": "types"}})
    db.delete_item(TableName="conformance-stream", Key={"pk": {"S": "types"}})
    first, second, third = take(streams, latest, 3)
    item = {"pk": {"S": "types"}, **VALUES}
    change = first.pop("dynamodb")
    assert len(first.pop("eventID")) == 32
    assert first == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
    }
    assert abs(change.pop("ApproximateCreationDateTime").timestamp() - time.time()) < 120
    assert len(change.pop("SequenceNumber")) == 40
    assert change.pop("SizeBytes") > 0
    assert change == {"Keys": {"pk": {"S": "types"}}, "NewImage": item, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert (second["eventName"], second["dynamodb"]["OldImage"]) == ("MODIFY", item)
    assert (third["eventName"], "NewImage" in third["dynamodb"]) == ("REMOVE", False)
    assert third["dynamodb"]["OldImage"] == {"pk": {"S": "types"}, "v": {"N": "2"}}


@pytest.mark.parametrize(
    ("view", "images"),
    [("KEYS_ONLY", set()), ("NEW_IMAGE", {"NewImage"}), ("OLD_IMAGE", {"OldImage"})],
)
def test_views(db: Any, streams: Any, make_stream: Callable[[str, str], str], view: str, images: set[str]) -> None:
    table = f"conformance-view-{view.lower()}"
    arn = make_stream(table, view)
    put(db, table, "a", v={"N": "1"})
    put(db, table, "a", v={"N": "2"})
    _, record = take(streams, iterator(streams, arn, "TRIM_HORIZON"), 2)
    assert record["dynamodb"].keys() & {"NewImage", "OldImage"} == images
    assert record["dynamodb"]["StreamViewType"] == view


# -- iterators --------------------------------------------------------------------------------------------------


def test_iterators_of_every_kind(db: Any, streams: Any, make_stream: Callable[[str, str], str]) -> None:
    arn = make_stream("conformance-iterators", "NEW_IMAGE")
    for number in range(10):
        put(db, "conformance-iterators", f"k{number}")
    every = take(streams, iterator(streams, arn, "TRIM_HORIZON"), 10)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in every]
    assert numbers == sorted(set(numbers), key=int)
    for place in (0, 4, 9):
        at = iterator(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=numbers[place])
        assert take(streams, at, 10 - place) == every[place:]
        after = iterator(streams, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[place])
        assert take(streams, after, 9 - place) == every[place + 1 :]
    start = shards(streams, arn)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert take(streams, iterator(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=start), 10) == every
    assert take(streams, iterator(streams, arn, "AT_TIMESTAMP", Timestamp=0), 10) == every
    latest = iterator(streams, arn, "LATEST")
    future = iterator(streams, arn, "AT_TIMESTAMP", Timestamp=9e9)
    assert streams.get_records(ShardIterator=latest)["Records"] == []
    put(db, "conformance-iterators", "last")
    (record,) = take(streams, latest, 1)
    assert record["dynamodb"]["Keys"] == {"pk": {"S": "last"}}
    assert streams.get_records(ShardIterator=future)["Records"] == []
    again = iterator(streams, arn, "TRIM_HORIZON")
    assert [record["eventID"] for record in take(streams, again, 11)][:10] == [each["eventID"] for each in every]


def test_a_megabyte_is_enough(db: Any, streams: Any, make_stream: Callable[[str, str], str]) -> None:
    arn = make_stream("conformance-stream-large", "NEW_IMAGE")
    for number in range(4):
        put(db, "conformance-stream-large", f"k{number}", v={"S": "x" * 390_000})
    start = iterator(streams, arn, "TRIM_HORIZON")
    wait_until("all", lambda: len(_all(streams, start)) == 4, 60)
    answer = streams.get_records(ShardIterator=start)
    assert len(answer["Records"]) == 2
    assert len(streams.get_records(ShardIterator=answer["NextShardIterator"])["Records"]) == 2


def _all(streams: Any, start: str) -> list[Any]:
    found: list[Any] = []
    while True:
        answer = streams.get_records(ShardIterator=start)
        if not answer["Records"]:
            return found
        found += answer["Records"]
        start = answer["NextShardIterator"]


INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"StreamArn": NOWHERE}, "ResourceNotFoundException", f"Stream: {NOWHERE} not found"),
        ({"StreamArn": "x" * 40}, "ValidationException", "Invalid StreamArn"),
        ({"ShardId": NO_SHARD}, "ResourceNotFoundException", "Shard does not exist"),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "ValidationException", INVALID + "SequenceNumber must be"),
        ({"SequenceNumber": "1" * 40}, "ValidationException", INVALID + "SequenceNumber must not be"),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "9" * 40},
            "ValidationException",
            "Invalid SequenceNumber for the shard",
        ),
        ({"ShardIteratorType": "AT_TIMESTAMP"}, "ValidationException", INVALID + "Timestamp must be"),
        ({"ShardIteratorType": "X"}, "ValidationException", "Value 'X' at 'shardIteratorType' failed to satisfy"),
        ({"ShardId": "short"}, "ValidationException", "Value 'short' at 'shardId' failed to satisfy constraint"),
        ({"StreamArn": None}, "ValidationException", "Value null at 'streamArn' failed to satisfy constraint"),
        ({"SequenceNumber": 7}, "SerializationException", "NUMBER_VALUE cannot be converted to String"),
    ],
)
def test_iterators_that_are_refused(
    streams: Any, arn: str, refused: Refused, change: dict[str, Any], code: str, message: str
) -> None:
    shard = shards(streams, arn)[0]["ShardId"]
    good = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    request = {name: value for name, value in {**good, **change}.items() if value is not None}
    found, text = refused(streams.get_shard_iterator, **request)
    assert found == code
    assert message in text


def test_records_that_are_refused(streams: Any, arn: str, refused: Refused) -> None:
    good = iterator(streams, arn, "TRIM_HORIZON")
    forged = good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB")
    for wrong in ("x", forged, good + "AAAA"):
        assert refused(streams.get_records, ShardIterator=wrong) == ("ValidationException", "Invalid ShardIterator")
    code, message = refused(streams.get_records, ShardIterator=good, Limit=1001)
    assert (code, message) == ("ValidationException", INVALID + "Limit should be less than or equal to 1000")
    code, message = refused(streams.get_records, ShardIterator=good, Limit=0)
    assert (code, "greater than or equal to 1" in message) == ("ValidationException", True)
    code, message = refused(streams.get_records)
    assert (code, "Value null at 'shardIterator'" in message) == ("ValidationException", True)


# -- what there is ----------------------------------------------------------------------------------------------


def test_streams_are_listed_in_pages(streams: Any, arn: str, make_stream: Callable[[str, str], str]) -> None:
    make_stream("conformance-listed", "KEYS_ONLY")
    every = streams.list_streams()["Streams"]
    seen: list[Any] = []
    start: dict[str, str] = {}
    while True:
        page = streams.list_streams(Limit=1, **start)
        seen += page["Streams"]
        if "LastEvaluatedStreamArn" not in page:
            break
        start = {"ExclusiveStartStreamArn": page["LastEvaluatedStreamArn"]}
    assert seen == every
    assert {"StreamArn", "StreamLabel", "TableName"} == set(every[0])
    assert streams.list_streams(TableName="no-such-table")["Streams"] == []


def test_a_stream_is_described(streams: Any, arn: str) -> None:
    (shard,) = shards(streams, arn)
    described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert abs(described.pop("CreationRequestDateTime").timestamp() - time.time()) < 3600
    described["Shards"] = [each["ShardId"] for each in described["Shards"]]
    assert described == {
        "StreamArn": arn,
        "StreamLabel": arn.rpartition("/")[2],
        "StreamStatus": "ENABLED",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "TableName": "conformance-stream",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "Shards": [shard["ShardId"]],
    }
    assert 28 <= len(shard["ShardId"]) <= 65
    children = {"Type": "CHILD_SHARDS", "ShardId": shard["ShardId"]}
    assert streams.describe_stream(StreamArn=arn, ShardFilter=children)["StreamDescription"]["Shards"] == []
    later = streams.describe_stream(StreamArn=arn, ExclusiveStartShardId=shard["ShardId"])
    assert later["StreamDescription"]["Shards"] == []


def test_a_stream_outlives_its_table(db: Any, streams: Any, make_stream: Callable[[str, str], str]) -> None:
    """It is DISABLED, read to its end as before; a new table of that name has a stream of its own."""
    name = "conformance-deleted"
    arn = make_stream(name, "NEW_IMAGE")
    (shard,) = shards(streams, arn)
    db.put_item(TableName=name, Item={"pk": {"S": "last words"}})
    db.delete_table(TableName=name)
    wait_until("gone", lambda: name not in db.list_tables()["TableNames"], 60)
    described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert (described["StreamStatus"], described["TableName"]) == ("DISABLED", name)
    assert "EndingSequenceNumber" in described["Shards"][0]["SequenceNumberRange"]
    again = make_stream(name, "NEW_IMAGE")
    assert again != arn
    both = [each["StreamArn"] for each in streams.list_streams(TableName=name)["Streams"]]
    assert both == [arn, again]
    asked = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    answer = streams.get_records(ShardIterator=streams.get_shard_iterator(**asked)["ShardIterator"])
    assert [each["dynamodb"]["Keys"]["pk"] for each in answer["Records"]] == [{"S": "last words"}]
    assert "NextShardIterator" not in answer
    db.delete_table(TableName=name)
