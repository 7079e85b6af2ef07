"""GetRecords. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html

Each change once, in order (`core.streams.reading`). Where the shard is closed and read to its end there is no
NextShardIterator; else there is always one, with or without records. Of a stream that is DISABLED all that is there
is the end, whether or not a propagator came to write it: a table's deletion waits for that, but not for ever. At most
1,000 records, and 1 MB of them as they lie in Kafka, though always one. Order of checks and words: DynamoDB Local.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from dynabus.core.errors import invalid_parameter, resource_not_found, validation_error
from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import Member, check
from dynabus.core.operations.stream_arns import find_stream
from dynabus.core.operations.stream_calls import Fetch, Fetched, StreamContext, StreamSteps, fetched
from dynabus.core.operations.stream_errors import expired, trimmed
from dynabus.core.streams.iterators import ShardIterator, read_iterator
from dynabus.core.streams.reading import Batch, Entry, count
from dynabus.core.streams.view import DISABLED

RECORDS_MOST = 1000
BYTES_MOST = 1 << 20
MEMBERS: dict[str, Member] = {
    "ShardIterator": Member("String", required=True, shortest=1, longest=2048),
    "Limit": Member("Integer", least=1),
}

Decode = Callable[[bytes], dict[str, Any]]
"""The stream record of a value (schema `stream_record`), its images in DynamoDB's JSON."""


def route(body: Request, context: StreamContext, decode: Decode) -> StreamSteps:
    """The router half."""
    request = check(body, MEMBERS)
    iterator = read_iterator(request["ShardIterator"])
    if iterator is None:
        raise validation_error("Invalid ShardIterator")
    wall_ms = context.context.wall_ms()
    if iterator.is_expired(wall_ms):
        raise expired()
    limit = request.get("Limit", RECORDS_MOST)
    if limit > RECORDS_MOST:
        raise invalid_parameter("Limit should be less than or equal to 1000")
    stream = find_stream(iterator.arn, context)
    if iterator.number not in stream.shards:
        raise resource_not_found("Invalid ShardId in ShardIterator")
    # One more, so that the end of a closed shard is seen with its last record.
    found = fetched((yield Fetch(stream, iterator.number, iterator.position.offset, limit + 1)))
    if iterator.position.offset < found.low:
        raise trimmed()
    batch = count(iterator.position, found.entries, limit, BYTES_MOST)
    answer: dict[str, Any] = {"Records": [_shown(each, decode(each.value), context) for each in batch.entries]}
    if not (batch.ended or (stream.status == DISABLED and _is_all(batch, found))):
        following = ShardIterator(iterator.arn, wall_ms, iterator.number, batch.position)
        answer["NextShardIterator"] = str(following)
    return orjson.dumps(answer)


def _is_all(batch: Batch, found: Fetched) -> bool:
    """Nothing lies behind what was read, and nothing of it is left for the next call."""
    return found.at_end and (not found.entries or batch.position.offset > found.entries[-1].offset)


def _shown(entry: Entry, record: dict[str, Any], context: StreamContext) -> dict[str, Any]:
    change: dict[str, Any] = {
        # Whole seconds, as DynamoDB rounds it.
        "ApproximateCreationDateTime": int(record["created"].timestamp()),
        "Keys": record["keys"],
        "SequenceNumber": str(entry.sequence),
        "SizeBytes": record["size_bytes"],
        "StreamViewType": record["view_type"],
    }
    for member, name in (("NewImage", "new_image"), ("OldImage", "old_image")):
        if record[name] is not None:
            change[member] = record[name]
    shown: dict[str, Any] = {
        "eventID": record["event_id"],
        "eventName": record["event_name"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": context.context.region,
        "dynamodb": change,
    }
    identity = record["user_identity"]
    if identity is not None:
        shown["userIdentity"] = {"Type": identity["type"], "PrincipalId": identity["principal_id"]}
    return shown
