"""Commands as they are written: members of requests with Python values, as JSON of an ingest topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import orjson

from dynabus.client.values import image_of
from dynabus.core.ingest.commands import CORRELATION_MOST, TOKEN_MOST


class Conditional(TypedDict, total=False):
    """What PutItem and DeleteItem may have besides the item or its key; values are Python's."""

    ConditionExpression: str
    ExpressionAttributeNames: Mapping[str, str]
    ExpressionAttributeValues: Mapping[str, Any]
    ReturnValues: Literal["NONE", "ALL_OLD"]
    ReturnValuesOnConditionCheckFailure: Literal["NONE", "ALL_OLD"]
    ReturnConsumedCapacity: Literal["NONE", "TOTAL", "INDEXES"]
    ReturnItemCollectionMetrics: Literal["NONE", "SIZE"]


class Updating(TypedDict, total=False):
    """What UpdateItem may have besides the key."""

    UpdateExpression: str
    ConditionExpression: str
    ExpressionAttributeNames: Mapping[str, str]
    ExpressionAttributeValues: Mapping[str, Any]
    ReturnValues: Literal["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]
    ReturnValuesOnConditionCheckFailure: Literal["NONE", "ALL_OLD"]
    ReturnConsumedCapacity: Literal["NONE", "TOTAL", "INDEXES"]
    ReturnItemCollectionMetrics: Literal["NONE", "SIZE"]


_VALUES = "ExpressionAttributeValues"


def request_of(subject: str, attributes: Mapping[str, Any], more: Mapping[str, Any], known: type) -> dict[str, Any]:
    """`subject`: Item or Key; `known`: the class of `more`.

    Raises TypeError for what is no member, or has no type in DynamoDB.
    """
    if unknown := sorted(more.keys() - known.__annotations__.keys()):
        # The API ignores members that it does not know; a misspelt condition must not pass for none.
        raise TypeError(f"{unknown[0]} is none of {', '.join(known.__annotations__)}")
    request: dict[str, Any] = {subject: image_of(attributes), **more}
    if _VALUES in request:
        request[_VALUES] = image_of(request[_VALUES])
    return request


def command_of(operation: str, request: Mapping[str, Any], token: str, correlation_id: str) -> bytes:
    """One element of a message. Raises TypeError for what cannot be JSON, ValueError for no token."""
    if not 0 < len(token) <= TOKEN_MOST:
        raise ValueError(f"a token has 1 to {TOKEN_MOST} characters")
    assert len(correlation_id) <= CORRELATION_MOST
    return orjson.dumps(
        {"operation": operation, "request": request, "token": token, "correlation_id": correlation_id}
    )
