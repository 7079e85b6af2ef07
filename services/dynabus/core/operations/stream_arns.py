"""Streams by ARN: `arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>`.

| StreamArn                  | answer                                                                     | source |
|----------------------------|-----------------------------------------------------------------------------|--------|
| no ARN of a stream         | ValidationException: Invalid StreamArn                                      | 1      |
| of another region, of none | ResourceNotFoundException: Requested resource not found: Stream: … not found | 2      |

1 AWS SDK for JavaScript's own tests of DescribeStream against DynamoDB; 2 DynamoDB Local, and clients' tests against
DynamoDB.
"""

from __future__ import annotations

import re

from dynabus.core.errors import ApiError, resource_not_found, validation_error
from dynabus.core.operations.shapes import Member
from dynabus.core.operations.stream_calls import StreamContext
from dynabus.core.streams.view import Stream

STREAM_ARN = Member("String", required=True, shortest=37, longest=1024)
_FORM = re.compile(r"arn:aws[a-z-]*:dynamodb:[^:]*:\d{12}:table/([a-zA-Z0-9_.-]{3,255})/stream/([0-9T:.-]+)")


def find_stream(arn: str, context: StreamContext) -> Stream:
    """Raises ApiError."""
    match = _FORM.fullmatch(arn)
    if match is None:
        raise validation_error("Invalid StreamArn")
    stream = context.streams.named(*match.groups())
    if stream is None or context.arn(stream) != arn:
        raise no_such_stream(arn)
    return stream


def no_such_stream(arn: str) -> ApiError:
    return resource_not_found(f"Requested resource not found: Stream: {arn} not found")
