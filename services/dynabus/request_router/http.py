"""DynamoDB's protocol over HTTP, JSON 1.0: a request as it came in, an answer out.

Refused in this order (dynalite's recorded answers): what is no POST; a body that is too large; another content type;
a body that is no JSON; an unknown target; a signature that is missing or not whole. Without a file of access keys
any signature that is whole is accepted. With one, a request is verified before anything in it is looked at: who has
no key reaches neither the parser nor the decompressor.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

import orjson

from dynabus.adapters.logs import logger
from dynabus.core.errors import (
    CORAL,
    ApiError,
    internal_server_error,
    serialization_error,
    unknown_operation,
    validation_error,
)
from dynabus.core.operations.describe_endpoints import HOST
from dynabus.core.operations.items import Refused
from dynabus.core.operations.registry import routes
from dynabus.core.operations.stream_registry import stream_routes
from dynabus.core.places import HEADER, Places
from dynabus.core.request_label import request_label
from dynabus.core.signatures import require_claim
from dynabus.request_router.access import Access
from dynabus.request_router.answers import (
    AMZ_JSON,
    CBOR,
    JSON,
    NO_SUCH_THING,
    NO_SUCH_TYPE,
    Answer,
    Cors,
    Headers,
    cbor_error,
)
from dynabus.request_router.compression import COMPRESSED_BYTES_LEAST, chosen, compressed, inflated
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.pages import Pages
from dynabus.request_router.requests import HttpRequest, Named
from dynabus.request_router.service import Router

TARGET_PREFIX = b"DynamoDB_20120810."
STREAMS_PREFIX = b"DynamoDBStreams_20120810."

PLACE = HEADER.encode()

RPC_V2 = (b"smithy-protocol", b"rpc-v2-cbor")


class ForeignType(Exception):
    """A body whose content type is not the API's."""


@dataclass(slots=True)
class Exchange:
    """One request to the API: its number, its operation once that is known, and the content type of the answer.

    `places`: of a client that wants to read its own writes.
    """

    counter: int
    operation: str = ""
    kind: bytes = AMZ_JSON
    places: Places | None = None


class Application:
    """Answers whatever reaches one router; `access` None: any signature is accepted."""

    def __init__(self, router: Router, access: Access | None = None) -> None:
        self._router, self._access = router, access
        self._targets = {TARGET_PREFIX + name.encode(): name for name in routes}
        self._targets |= {STREAMS_PREFIX + name.encode(): name for name in stream_routes}
        self._settings = cast("RouterSettings", router.settings)
        self._cors = Cors(self._settings.cors_origins)
        self._pages = Pages(router, self._cors, is_open=access is None)

    async def answer(self, request: HttpRequest) -> Answer:
        """The answer to one request, whatever it is; never raises."""
        if request.method != b"POST":
            return self._pages.answer(request)
        began_s = monotonic()
        router, named = self._router, request.named
        exchange = Exchange(router.asker.next_counter())
        try:
            status, body = await self._post(request, exchange)
        finally:
            router.asker.forget(exchange.counter)
        router.metrics.answered(exchange.operation, status, monotonic() - began_s)
        label = request_label(router.incarnation, exchange.counter)
        if status >= 500:
            logger().warning("request failed", request_id=label, operation=exchange.operation, status=status)
        more: Headers | None = self._cors.headers(named) if b"origin" in named else None
        if len(body) >= COMPRESSED_BYTES_LEAST and (accept := named.get(b"accept-encoding")):
            coding = chosen(accept)
            if coding is not None:
                body = await compressed(body, coding)
                more = [*(more or []), (b"content-encoding", coding.encode())]
        if exchange.kind is CBOR:
            more = [*(more or []), RPC_V2]
        if exchange.places is not None:
            more = [*(more or []), (PLACE, str(exchange.places).encode())]
        return Answer(status, body, exchange.kind, label, more)

    async def _post(self, request: HttpRequest, exchange: Exchange) -> tuple[int, bytes]:
        try:
            if request.fault is not None:
                raise request.fault
            if self._access is not None:
                self._access.check(request)
            raw, named = request.body, request.named
            if b"content-encoding" in named:
                raw = await inflated(raw, named[b"content-encoding"])
            exchange.operation, body = self._request(named, request.query, raw, exchange)
            if exchange.operation == "DescribeEndpoints" and body.__class__ is dict:
                body[HOST] = self._host(named)
            if PLACE in named:
                exchange.places = _places(named[PLACE])
            return 200, await self._router.run(exchange.operation, body, exchange.counter, exchange.places)
        except Refused as refused:
            return 400, refused.body
        except ApiError as error:
            return error.status, orjson.dumps(error.body()) if exchange.kind is not CBOR else cbor_error(error)
        except ForeignType:
            exchange.kind = NO_SUCH_TYPE
            return 404, NO_SUCH_THING
        except Exception:
            label = request_label(self._router.incarnation, exchange.counter)
            logger().exception("a defect", request_id=label, operation=exchange.operation)
            return 500, orjson.dumps(internal_server_error().body())

    def _request(self, named: Named, query: bytes, raw: bytes, exchange: Exchange) -> tuple[str, Any]:
        kind = named.get(b"content-type")
        if kind != AMZ_JSON:
            exchange.kind = _answer_type(kind, raw)
            if exchange.kind is CBOR:
                raise _no_cbor()
        body = _parsed(raw) if raw else None
        operation = self._targets.get(named.get(b"x-amz-target", b""))
        if operation is None:
            raise unknown_operation()
        require_claim(named, query)
        if not raw:
            # Observed: nothing at all is looked at last, other than what is no JSON.
            raise serialization_error("Unexpected end-of-input")
        return operation, body

    def _host(self, named: Named) -> str:
        """Where the client reached this router; without a Host header (HTTP/1.0) only the port is known."""
        host = named.get(b"host")
        return host.decode("latin-1") if host else f"localhost:{self._settings.port}"


def _places(header: bytes) -> Places:
    try:
        return Places(header.decode("latin-1"))
    except ValueError as error:
        raise validation_error(f"{HEADER}: {error}") from error


def _no_cbor() -> ApiError:
    """Ours. SDKs speak CBOR only where the service's model offers it, and DynamoDB's (`protocols`) offers JSON alone;
    one that is told to all the same reads no JSON, so it is answered in CBOR."""
    message = "CBOR (smithy-protocol rpc-v2-cbor) is not spoken here, nor by DynamoDB: use AWS JSON 1.0"
    return ApiError(CORAL + "UnsupportedMediaTypeException", message, 415)


def _parsed(raw: bytes) -> Any:
    """The body's JSON; DynamoDB gives no position of a fault, and blanks alone are no JSON either."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        fault = "Unexpected token received from parser" if raw.strip() else "Unexpected end-of-input"
        raise serialization_error(fault) from error


def _answer_type(kind: bytes | None, raw: bytes) -> bytes:
    """The answer's content type by the request's, whose parameters do not count.

    observed (dynalite): JSON 1.0 and plain JSON are taken, a body of any other type, JSON 1.1 among them, is not;
    without a body there need be no type.
    """
    name = (kind or b"").partition(b";")[0].strip().lower()
    if name == AMZ_JSON:
        return AMZ_JSON
    if name == CBOR:
        return CBOR
    if raw and name != JSON:
        raise ForeignType
    return JSON
