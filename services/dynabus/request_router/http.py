"""DynamoDB's protocol over HTTP, JSON 1.0, as a raw ASGI application.

Refused in this order, as far as it is known of DynamoDB: what is no POST; a body that is too large; a body that is
no JSON; an unknown target; a missing signature. Any signature is accepted. Every answer carries x-amzn-RequestId and
the CRC-32 of its body, which SDKs check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any
from zlib import crc32

import orjson
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dynabus.adapters.logs import logger
from dynabus.core.errors import (
    CORAL,
    ApiError,
    internal_server_error,
    serialization_error,
    unknown_operation,
)
from dynabus.core.operations.describe_endpoints import HOST
from dynabus.core.operations.items import Refused
from dynabus.core.operations.registry import routes
from dynabus.core.request_label import request_label
from dynabus.request_router.service import Router

BODY_BYTES_MOST = 16 * 1024 * 1024
BODY_TIMEOUT_S = 20.0
"""For a client that sends its body in drips."""

JSON_TYPE = b"application/x-amz-json-1.0"
TARGET_PREFIX = b"DynamoDB_20120810."

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ClientGone(Exception):
    """The connection was closed before the request was whole; nothing can be answered."""


@dataclass(slots=True)
class Exchange:
    """One request to the API: its number, and its operation once that is known."""

    counter: int
    operation: str = ""


class Application:
    """The ASGI application of one router."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._targets = {TARGET_PREFIX + name.encode(): name for name in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await self._other(scope, send)
            return
        began_s = monotonic()
        exchange = Exchange(self._router.asker.next_counter())
        try:
            status, body = await self._post(scope, receive, exchange)
        except ClientGone:
            return
        finally:
            self._router.asker.forget(exchange.counter)
        self._router.metrics.answered(exchange.operation, status, monotonic() - began_s)
        label = request_label(self._router.incarnation, exchange.counter)
        if status >= 500:
            logger().warning("request failed", request_id=label, operation=exchange.operation, status=status)
        await respond(send, status, body, JSON_TYPE, label)

    async def _post(self, scope: Scope, receive: Receive, exchange: Exchange) -> tuple[int, bytes]:
        try:
            raw = await self._body(receive)
            exchange.operation, body = self._request(scope["headers"], scope["query_string"], raw)
            if exchange.operation == "DescribeEndpoints" and body.__class__ is dict:
                body[HOST] = self._host(scope["headers"])
            return 200, await self._router.run(exchange.operation, body, exchange.counter)
        except Refused as refused:
            return 400, refused.body
        except ApiError as error:
            return error.status, orjson.dumps(error.body())
        except ClientGone:
            raise
        except Exception:
            label = request_label(self._router.incarnation, exchange.counter)
            logger().exception("a defect", request_id=label, operation=exchange.operation)
            return 500, orjson.dumps(internal_server_error().body())

    def _request(self, headers: Iterable[tuple[bytes, bytes]], query: bytes, raw: bytes) -> tuple[str, Any]:
        target = authorization = b""
        for name, value in headers:
            if name == b"x-amz-target":
                target = value
            elif name == b"authorization":
                authorization = value
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise serialization_error(_json_fault(raw)) from error
        operation = self._targets.get(target)
        if operation is None:
            raise unknown_operation()
        if not authorization and b"X-Amz-Signature=" not in query:
            raise ApiError(CORAL + "MissingAuthenticationTokenException", "Request is missing Authentication Token")
        return operation, body

    def _host(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Where the client reached this router; without a Host header (HTTP/1.0) only the port is known."""
        named = [value for name, value in headers if name == b"host" and value]
        return named[0].decode("latin-1") if named else f"localhost:{self._router.settings.port}"

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        raw: bytes = message["body"]
        if not message["more_body"]:
            return _bounded(raw)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await _rest(raw, receive)
        except TimeoutError as error:
            raise ApiError(CORAL + "RequestTimeoutException", "The request timed out.", 408) from error

    async def _other(self, scope: Scope, send: Send) -> None:
        """What is no POST. Source of the refusal: dynalite's recorded answers."""
        if scope["method"] in ("GET", "HEAD"):
            await self._page(scope, send)
        else:
            await respond(send, 404, b"<UnknownOperationException/>\n", b"text/xml")

    async def _page(self, scope: Scope, send: Send) -> None:
        """Health and status, and what is answered to a GET of the API."""
        router, path = self._router, scope["path"]
        status, kind, body = 200, b"application/json", b'{"status":"ok"}'
        if path == "/":
            kind, body = b"text/plain", f"healthy: dynamodb.{router.settings.region}.amazonaws.com ".encode()
        elif path == "/readyz":
            reason = router.readiness()
            if reason is not None:
                status, body = 503, orjson.dumps({"status": "unavailable", "reason": reason})
        elif path == "/status":
            body = orjson.dumps({"tables": router.view.status()})
        elif path == "/metrics":
            kind, body = CONTENT_TYPE_LATEST.encode(), generate_latest(REGISTRY)
        elif path != "/healthz":
            status, body = 404, b'{"status":"no such page"}'
        await respond(send, status, body, kind)


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
        raise _too_large()
    return b"".join(chunks)


def _bounded(raw: bytes) -> bytes:
    if len(raw) > BODY_BYTES_MOST:
        raise _too_large()
    return raw


def _too_large() -> ApiError:
    return ApiError(CORAL + "RequestEntityTooLargeException", "Request size exceeded 16777216 bytes", 413)


def _json_fault(raw: bytes) -> str:
    """DynamoDB gives no position; an empty body is no JSON either."""
    return "Unexpected end-of-input" if not raw.strip() else "Unexpected token received from parser"


async def respond(send: Send, status: int, body: bytes, kind: bytes, label: str | None = None) -> None:
    """One whole answer."""
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    if label is not None:
        headers += [(b"x-amzn-requestid", label.encode()), (b"x-amz-crc32", b"%d" % crc32(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
