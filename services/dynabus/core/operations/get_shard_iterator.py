"""GetShardIterator. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html

| type                  | reads from                                                                 |
|-----------------------|----------------------------------------------------------------------------|
| TRIM_HORIZON          | what is the oldest                                                         |
| LATEST                | what comes next                                                            |
| AT_SEQUENCE_NUMBER    | the record of this number, or the next after it                            |
| AFTER_SEQUENCE_NUMBER | the next after it                                                          |
| AT_TIMESTAMP          | the first record of this time (in seconds, or an ISO string), or after it  |

Order of checks and words: DynamoDB Local, but for those that are said to be ours.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import orjson

from dynabus.core.errors import ApiError, invalid_parameter, resource_not_found, validation_error
from dynabus.core.operations.calls import Request
from dynabus.core.operations.describe_stream import SHARD_ID
from dynabus.core.operations.shapes import Member, check
from dynabus.core.operations.stream_arns import STREAM_ARN, find_stream
from dynabus.core.operations.stream_calls import (
    Extent,
    Seek,
    StreamCall,
    StreamContext,
    StreamReply,
    StreamSteps,
    extents_for,
    found,
    is_visible,
)
from dynabus.core.operations.stream_errors import trimmed
from dynabus.core.streams.iterators import ShardIterator
from dynabus.core.streams.reading import CLOSED, Position
from dynabus.core.streams.sequence import BEFORE_ALL, Sequence, read_sequence
from dynabus.core.streams.shards import Shard
from dynabus.core.streams.view import Stream

AT, AFTER, LATEST, HORIZON = "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "LATEST", "TRIM_HORIZON"
AT_TIME = "AT_TIMESTAMP"
FAR_S = 9_999_999_999
"""Beyond which no sequence number has a time (the year 2286)."""

MEMBERS: dict[str, Member] = {
    "StreamArn": STREAM_ARN,
    "ShardId": replace(SHARD_ID, required=True),
    "ShardIteratorType": Member("String", required=True, values=(AFTER, LATEST, AT, AT_TIME, HORIZON)),
    "SequenceNumber": Member("String", shortest=21, longest=40),
    "Timestamp": Member("Double"),
}


def route(body: Request, context: StreamContext) -> StreamSteps:
    """The router half."""
    request = check(body, MEMBERS)
    kind = request["ShardIteratorType"]
    _check_combination(kind, request)
    stream = find_stream(request["StreamArn"], context)
    shard = stream.shard(request["ShardId"])
    if shard is None:
        raise _no_such_shard(request)
    extents = yield from extents_for(stream, [shard])
    if not is_visible(stream, shard, extents):
        raise _no_such_shard(request)
    position = yield from _position(kind, request, stream, shard, extents[shard.number])
    issued_ms = context.context.wall_ms()
    return orjson.dumps(
        {"ShardIterator": str(ShardIterator(request["StreamArn"], issued_ms, shard.number, position))}
    )


def _check_combination(kind: str, request: Request) -> None:
    given = "SequenceNumber" in request
    if kind in (AT, AFTER) and not given:
        raise invalid_parameter(f"SequenceNumber must be specified when ShardIteratorType is {kind}")
    if kind in (LATEST, HORIZON) and given:
        raise invalid_parameter(f"SequenceNumber must not be specified when ShardIteratorType is {kind}")
    if kind == AT_TIME and "Timestamp" not in request:  # ours
        raise invalid_parameter(f"Timestamp must be specified when ShardIteratorType is {kind}")


def _no_such_shard(request: Request) -> ApiError:
    return resource_not_found(
        f"Requested resource not found: Shard does not exist: {request['ShardId']} in {request['StreamArn']}"
    )


Find = Generator[StreamCall, StreamReply, Position]


def _position(kind: str, request: Request, stream: Stream, shard: Shard, extent: Extent) -> Find:
    # Behind a shard's end nobody would ever meet it, and go on to its children.
    last = extent.last
    most = last.offset if last is not None and last.type == CLOSED else extent.end
    if kind == HORIZON:
        return Position(extent.low, BEFORE_ALL)
    if kind == LATEST:
        # What is there already does not count, even if a propagator should write some of it again.
        return Position(most, BEFORE_ALL if last is None else last.sequence)
    if kind == AT_TIME:
        time_ms = int(min(max(0, request["Timestamp"]), FAR_S) * 1000)
        offset = min(most, found((yield Seek(stream, shard.number, time_ms))))
        return Position(offset, Sequence(shard.generation, time_ms, 0))
    sequence = _asked(request["SequenceNumber"], shard)
    if extent.low > 0 and (extent.first is None or sequence < extent.first.sequence):
        # Where nothing is left nobody knows whether it was the last.
        raise trimmed()
    offset = min(most, found((yield Seek(stream, shard.number, sequence.time_ms))))
    return Position(offset, sequence if kind == AFTER else _before(sequence))


def _asked(text: str, shard: Shard) -> Sequence:
    sequence = read_sequence(text)
    if sequence is None or sequence.generation != shard.generation:
        raise validation_error("Invalid SequenceNumber for the shard")
    return sequence


def _before(sequence: Sequence) -> Sequence:
    """Above all that come before this one, and below it. Offset 0 is the log's genesis, which is no change."""
    return sequence._replace(offset=max(0, sequence.offset - 1))
