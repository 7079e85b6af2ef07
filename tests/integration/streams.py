"""A poller of DynamoDB Streams as the documentation has it, and what a stream must be: the accepted history.

Each record has both images, so history checks itself: the old image of a record is the new one of the record before
it of that item, the first has none, and the last is what the table holds. A record that is missing, or comes twice,
or too early, breaks it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from tests.integration.cluster import client

EMPTY_S = 0.1
"""Between two looks at a shard that has nothing."""


def streams_client(port: int, config: Config | None = None) -> Any:
    """boto3's own client for DynamoDB Streams; with its own defaults if nothing else is asked for."""
    return boto3.client(
        "dynamodbstreams",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config or Config(read_timeout=30),
    )


def create_streaming(port: int, table: str, view: str = "NEW_AND_OLD_IMAGES") -> str:
    """A table with a stream; the stream's ARN."""
    db = client(port)
    db.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )
    db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    arn: str = db.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    return arn


def items_of(port: int, table: str) -> dict[str, dict[str, Any]]:
    """What the table holds, by key."""
    pages = client(port).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["pk"]["S"]: item for page in pages for item in page["Items"]}


@dataclass
class Poller:
    """Reads each shard from its begin, a child only when its parent was read to its end."""

    port: int
    arn: str
    records: list[dict[str, Any]] = field(default_factory=list)
    shards: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    by_shard: dict[str, list[str]] = field(default_factory=dict)
    _iterators: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._streams = streams_client(self.port)

    def look(self) -> int:
        """One look at the stream and at each shard that may be read; how many records came."""
        before = len(self.records)
        for shard in self._described():
            self.shards[shard["ShardId"]] = shard
        for name, shard in self.shards.items():
            parent = shard.get("ParentShardId")
            if name not in self.ended and (parent is None or parent in self.ended):
                self._read(name)
        return len(self.records) - before

    def read_until_equal(self, table: str, timeout_s: float = 120.0) -> None:
        """Until the newest image of each item is what the table holds; nobody may write meanwhile."""
        wanted, deadline = items_of(self.port, table), time.monotonic() + timeout_s
        while self.newest() != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"the stream is not the table after {timeout_s:.0f} s: {self.difference(wanted)}"
                )
            if not self.look():
                time.sleep(EMPTY_S)

    def newest(self) -> dict[str, dict[str, Any]]:
        """Each item as the last record of it has it."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.records:
            change = record["dynamodb"]
            key = change["Keys"]["pk"]["S"]
            if "NewImage" in change:
                found[key] = change["NewImage"]
            else:
                found.pop(key, None)
        return found

    def difference(self, wanted: dict[str, Any]) -> list[str]:
        found = self.newest()
        keys = sorted(found.keys() | wanted.keys())
        return [f"{key}: {found.get(key)} is {wanted.get(key)}" for key in keys if found.get(key) != wanted.get(key)][
            :5
        ]

    def check(self) -> None:
        """The module's docstring; and sequence numbers rise in each shard, and are never used twice."""
        last: dict[str, Any] = {}
        for record in self.records:
            change = record["dynamodb"]
            key = change["Keys"]["pk"]["S"]
            assert change.get("OldImage") == last.get(key), (record, last.get(key))
            last[key] = change.get("NewImage")
            event = "INSERT" if "OldImage" not in change else "MODIFY" if "NewImage" in change else "REMOVE"
            assert record["eventName"] == event
        for numbers in self.by_shard.values():
            assert numbers == sorted(set(numbers), key=int)
        events = [record["eventID"] for record in self.records]
        assert len(set(events)) == len(events)

    def _described(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = []
        start: dict[str, str] = {}
        while True:
            page = self._streams.describe_stream(StreamArn=self.arn, Limit=2, **start)["StreamDescription"]
            shards += page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return shards
            start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}

    def _read(self, name: str) -> None:
        if name not in self._iterators:
            found = self._streams.get_shard_iterator(
                StreamArn=self.arn, ShardId=name, ShardIteratorType="TRIM_HORIZON"
            )
            self._iterators[name] = found["ShardIterator"]
        answer = self._streams.get_records(ShardIterator=self._iterators[name])
        self.records += answer["Records"]
        numbers = [record["dynamodb"]["SequenceNumber"] for record in answer["Records"]]
        self.by_shard.setdefault(name, []).extend(numbers)
        if "NextShardIterator" in answer:
            self._iterators[name] = answer["NextShardIterator"]
        else:
            self.ended.add(name)
