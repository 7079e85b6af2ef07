"""ListStreams. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html

Disabled streams too, until their retention is over. Answered from metadata; order by table and age is ours.
"""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import NAME_PATTERN, Member, check
from dynabus.core.operations.stream_arns import find_stream
from dynabus.core.operations.stream_calls import StreamContext, StreamSteps

LIMIT_MOST = 100
MEMBERS: dict[str, Member] = {
    "TableName": Member("String", shortest=3, longest=255, pattern=NAME_PATTERN),
    "Limit": Member("Integer", least=1, most=LIMIT_MOST),
    "ExclusiveStartStreamArn": Member("String", shortest=37, longest=1024),
}


def route(body: Request, context: StreamContext) -> StreamSteps:
    """Asks nobody."""
    request = check(body, MEMBERS)
    streams = context.streams.all()
    if "TableName" in request:
        streams = [each for each in streams if each.name == request["TableName"]]
    if "ExclusiveStartStreamArn" in request:
        start = find_stream(request["ExclusiveStartStreamArn"], context)
        streams = [each for each in streams if (each.name, each.label) > (start.name, start.label)]
    limit = request.get("Limit", LIMIT_MOST)
    shown = streams[:limit]
    answer: dict[str, Any] = {
        "Streams": [
            {"StreamArn": context.arn(each), "StreamLabel": each.label, "TableName": each.name} for each in shown
        ]
    }
    if len(streams) > limit:
        answer["LastEvaluatedStreamArn"] = context.arn(shown[-1])
    yield from ()
    return orjson.dumps(answer)
