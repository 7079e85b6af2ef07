"""The body of a request: whole, not too large, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dynabus.core.errors import CORAL, ApiError

BODY_BYTES_MOST = 16 * 1024 * 1024
BODY_TIMEOUT_S = 20.0
"""For a client that sends its body in drips."""

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientGone(Exception):
    """The connection was closed before the request was whole; nothing can be answered."""


async def read_body(receive: Receive) -> bytes:
    """All of the body, as it was sent. Raises ApiError, ClientGone."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    raw: bytes = message["body"]
    if not message["more_body"]:
        if len(raw) > BODY_BYTES_MOST:
            raise too_large()
        return raw
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _rest(raw, receive)
    except TimeoutError as error:
        raise ApiError(CORAL + "RequestTimeoutException", "The request timed out.", 408) from error


async def _rest(raw: bytes, receive: Receive) -> bytes:
    chunks, size, more = [raw], len(raw), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunks.append(message["body"])
        size += len(message["body"])
        more = message["more_body"]
        if size > BODY_BYTES_MOST:
            # Read to the end but kept no more, so that the client gets to read the answer.
            chunks.clear()
    if size > BODY_BYTES_MOST:
        raise too_large()
    return b"".join(chunks)


def too_large() -> ApiError:
    """Compressed or not: DynamoDB lets a compressed body grow to a gigabyte, which no router here could hold."""
    return ApiError(CORAL + "RequestEntityTooLargeException", "Request size exceeded 16777216 bytes", 413)
