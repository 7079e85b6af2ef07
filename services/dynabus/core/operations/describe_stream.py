"""DescribeStream. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html

Shards come from metadata, their sequence numbers from the topic. Those of one parent, and those without one, are
shown together or not at all. ShardFilter (CHILD_SHARDS) shows the children of one shard.
"""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.errors import validation_error
from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import Member, detected, faults_of, read
from dynabus.core.operations.stream_arns import STREAM_ARN, find_stream
from dynabus.core.operations.stream_calls import Extent, StreamContext, StreamSteps, extents_for, is_visible
from dynabus.core.streams.reading import CLOSED
from dynabus.core.streams.sequence import Sequence
from dynabus.core.streams.shards import Shard
from dynabus.core.streams.view import Stream

SHARDS_MOST = 100
"""Of one page: the API reference's upper limit."""

SHARD_ID = Member("String", shortest=28, longest=65)
MEMBERS: dict[str, Member] = {
    "StreamArn": STREAM_ARN,
    "Limit": Member("Integer", least=1, most=SHARDS_MOST),
    "ExclusiveStartShardId": SHARD_ID,
    "ShardFilter": Member("Map"),
}
_FILTER: dict[str, Member] = {"Type": Member("String", values=("CHILD_SHARDS",)), "ShardId": SHARD_ID}


def route(body: Request, context: StreamContext) -> StreamSteps:
    """The router half."""
    request = _shaped(body)
    stream = find_stream(request["StreamArn"], context)
    shards = _chosen(stream, request)
    limit = request.get("Limit", SHARDS_MOST)
    seen: list[Shard] = []
    extents: dict[int, Extent] = {}
    # No more than a page wants: each shard is several questions to Kafka.
    for first in range(0, len(shards), limit + 1):
        some = shards[first : first + limit + 1]
        extents = yield from extents_for(stream, some, extents)
        seen += [shard for shard in some if is_visible(stream, shard, extents)]
        if len(seen) > limit:
            break
    description: dict[str, Any] = {
        "StreamArn": context.arn(stream),
        "StreamLabel": stream.label,
        "StreamStatus": stream.status,
        "StreamViewType": stream.view.value,
        "CreationRequestDateTime": stream.created_ms / 1000,
        "TableName": stream.name,
        "KeySchema": stream.key_schema,
        "Shards": [_described(stream, shard, extents[shard.number]) for shard in seen[:limit]],
    }
    if len(seen) > limit:
        description["LastEvaluatedShardId"] = seen[limit - 1].id
    return orjson.dumps({"StreamDescription": description})


def _shaped(body: Request) -> Request:
    request = read(body, MEMBERS)
    faults = faults_of(request, MEMBERS)
    if "ShardFilter" in request:
        request["ShardFilter"] = read(request["ShardFilter"], _FILTER)
        faults += faults_of(request["ShardFilter"], _FILTER, "shardFilter.")
    if faults:
        raise detected(faults)
    if "ShardFilter" in request and len(request["ShardFilter"]) < len(_FILTER):
        # Ours: nobody is known to have recorded what DynamoDB says.
        raise validation_error("ShardFilter needs both Type and ShardId")
    return request


def _chosen(stream: Stream, request: Request) -> list[Shard]:
    """In the order of their numbers, in which parents come before children."""
    shards = [stream.shards[number] for number in sorted(stream.shards)]
    if "ShardFilter" in request:
        parent = stream.shard(request["ShardFilter"]["ShardId"])
        shards = [shard for shard in shards if parent is not None and shard.parent == parent.number]
    if "ExclusiveStartShardId" in request:
        start = stream.shard(request["ExclusiveStartShardId"])
        shards = [shard for shard in shards if start is not None and shard.number > start.number]
    return shards


def _described(stream: Stream, shard: Shard, extent: Extent) -> dict[str, Any]:
    first, last = extent.first, extent.last
    # Of an open shard that is empty, since it has just begun or is older than the retention, nothing better is known.
    numbers = {"StartingSequenceNumber": str(first.sequence if first else Sequence(shard.generation, 0, 0))}
    if last is not None and last.type == CLOSED:
        numbers["EndingSequenceNumber"] = str(last.sequence)
    shown: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parent is not None:
        shown["ParentShardId"] = stream.shards[shard.parent].id
    return shown
