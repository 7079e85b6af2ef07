"""The operations of DynamoDB Streams, which have a target prefix of their own (DynamoDBStreams_20120810), by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dynabus.core.operations import describe_stream, get_records, get_shard_iterator, list_streams
from dynabus.core.operations.calls import Request
from dynabus.core.operations.get_records import Decode
from dynabus.core.operations.stream_calls import StreamContext, StreamSteps

stream_routes: Mapping[str, Callable[[Request, StreamContext, Decode], StreamSteps]] = {
    "DescribeStream": lambda request, context, _: describe_stream.route(request, context),
    "GetRecords": get_records.route,
    "GetShardIterator": lambda request, context, _: get_shard_iterator.route(request, context),
    "ListStreams": lambda request, context, _: list_streams.route(request, context),
}
"""The router halves; there are no others. `Decode` is the encoding of records, which the pure core leaves to Avro."""
