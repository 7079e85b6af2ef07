"""HTTP/1.1: one connection, over httptools' parser. Requests come in whole, answers leave in one piece.

uvicorn opens and closes the sockets; its own connections, and ASGI's messages between them and an application, are
made for streams in both directions. No request and no answer of this API is one, and without them the router's
Python takes a fifth less time (ARCHITECTURE, "Where the time goes").

A connection is in one of these states, and each has a limit of time:

| stage | what comes next                     | limit            | after it                                |
|-------|-------------------------------------|------------------|-----------------------------------------|
| IDLE  | the first request                   | HEAD_TIMEOUT_S   | closed                                  |
| IDLE  | another request                     | keep-alive time  | closed                                  |
| HEAD  | the rest of a head                  | HEAD_TIMEOUT_S   | closed                                  |
| BODY  | the rest of a body                  | BODY_TIMEOUT_S   | HTTP 408, closed                        |
| any   | our answer (`_busy`)                | the request's    | meanwhile requests that follow may wait |
| any   | the client reads the answer         | UNREAD_S         | cut off (`unread`)                      |
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from dynabus.adapters.logs import logger
from dynabus.request_router.answers import Answer
from dynabus.request_router.bodies import Bodies, Body
from dynabus.request_router.requests import HttpRequest, Named, too_large, too_slow
from dynabus.request_router.unread import Unread

HEAD_TIMEOUT_S = 20.0
"""For the head of a request, from its first byte (or from the connection) on: SDKs send it in one packet."""

HEAD_BYTES_MOST = 64 * 1024
"""Of a head that is not whole yet: SDKs send one or two KB, with a session token a few more."""

BODY_TIMEOUT_S = 20.0
"""For a client that sends its body in drips."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
NO_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\n"
    b"connection: close\r\n\r\nInvalid HTTP request received."
)

FRAMING = (b"content-length", b"transfer-encoding")

Answering = Callable[[HttpRequest], Awaitable[Answer]]


class Stage(Enum):
    """What of a request has come."""

    IDLE = "nothing"
    HEAD = "a part of its head"
    BODY = "its head"


class Connection(asyncio.Protocol):
    """One connection: requests are answered one after another, in the order in which they came."""

    def __init__(
        self,
        answer: Answering,
        bodies: Bodies,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._answer, self._bodies, self._state = answer, bodies, server_state
        self._loop = _loop or asyncio.get_event_loop()
        self._keep_alive_s = config.timeout_keep_alive
        self._parser: httptools.HttpRequestParser | None = self._new_parser()
        self._stage = Stage.IDLE
        self._waiting: deque[HttpRequest | None] = deque()
        """Requests that came before the one ahead of them was answered; None: what came is no HTTP."""
        self._busy = self._closing = self._cannot_write = self._owes_continue = False
        self._head_is_new = self._is_resuming = False
        self._head_bytes = 0
        self._method = self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._named: Named = {}
        self._persists = True
        self._watched = Stage.IDLE
        self._due_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What follows a request with "Connection: close" is not looked at, and does not keep us from answering it.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    # -- the transport ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there; uvicorn closes who is in `connections` when it shuts down."""
        self._transport = cast("asyncio.Transport", transport)
        self._unread = Unread(self._loop, self._transport)
        self._body = Body(self._bodies, self._transport, lambda: self._within(BODY_TIMEOUT_S))
        self._state.connections.add(self)  # type: ignore[arg-type] # its own classes are named there
        self._within(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever is under way goes on, and is answered to nobody."""
        self._state.connections.discard(self)
        self._closing, self._parser = True, None
        self._waiting.clear()
        self._unread.cancel()
        self._body.gone()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Let the parser have it; a head that grows and grows ends the connection."""
        self._head_is_new = False
        rest = data
        while rest and self._parser is not None:
            rest = self._feed(self._parser, rest)
        stage = self._stage
        if stage is Stage.IDLE:
            return
        if stage is Stage.HEAD and not self._head_is_new:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MOST and not self._transport.is_closing():
                self._end(HEAD_TOO_LARGE)
                return
        if stage is not self._watched:
            self._watched = stage
            self._within(HEAD_TIMEOUT_S if stage is Stage.HEAD else BODY_TIMEOUT_S)

    def eof_received(self) -> bool | None:
        """The client sends no more. What is whole of its requests is still answered; else the connection ends."""
        if self._transport.get_extra_info("sslcontext") is not None:
            # TLS has no half-closed connections: who ends it there reads no answer.
            return None
        self._closing = True
        return True if self._busy or self._waiting else None

    def pause_writing(self) -> None:
        """The client reads slower than it asks: its next request waits."""
        self._cannot_write = True

    def resume_writing(self) -> None:
        """The client has read."""
        self._cannot_write = False
        if not self._busy:
            self._go_on()

    def shutdown(self) -> None:
        """The server stops: answer what is here, and close."""
        self._closing = True
        if not self._busy and not self._waiting:
            self._transport.close()

    def _end(self, last_words: bytes) -> None:
        """Say it and close: of what came behind nothing can be read."""
        self._parser, self._stage = None, Stage.IDLE
        self._write(last_words)
        self._transport.close()

    def _write(self, data: bytes) -> None:
        self._transport.write(data)
        self._unread.wrote(len(data))

    # -- the parser -------------------------------------------------------------------------------------------

    def _feed(self, parser: httptools.HttpRequestParser, data: bytes) -> bytes:
        """Parse; what is left for another parser."""
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade()
            return data[upgrade.args[0] :]
        except httptools.HttpParserError:
            self._parser, self._stage = None, Stage.IDLE
            self._take(None)
        return b""

    def _decline_upgrade(self) -> None:
        """Go on in HTTP/1.1: Java's own client asks for h2c with its first request, whose body follows all the same.

        The parser takes what follows such a head for another protocol; a new one is told how the body is framed.
        """
        framing = b"".join(b"%s: %s\r\n" % pair for pair in self._headers if pair[0] in FRAMING)
        self._parser, self._is_resuming = self._new_parser(), True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
        self._is_resuming = False

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if not self._is_resuming:
            # What else came with its first bytes is of earlier requests.
            self._head_is_new, self._head_bytes = True, 0
            self._stage, self._watched = Stage.HEAD, Stage.IDLE
            self._url, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        if not self._is_resuming:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; trailers, which come behind the body, are not looked at."""
        if self._stage is Stage.HEAD:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._is_resuming:
            return
        parser = self._parser
        assert parser is not None
        self._stage, self._named = Stage.BODY, dict(self._headers)
        self._persists = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self._method = parser.get_method()
        if self._named.get(b"expect", b"").lower() == b"100-continue":
            self._owes_continue = True
            if not self._busy:
                self._say_continue()

    def _say_continue(self) -> None:
        self._owes_continue = False
        self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body.add(body)

    def on_message_complete(self) -> None:
        """The body is whole, unless the parser has left it to another protocol."""
        parser = self._parser
        if parser is not None and not parser.should_upgrade():
            self._stage, self._owes_continue = Stage.IDLE, False
            self._take(self._request())

    def _request(self) -> HttpRequest:
        path, query = b"/", b""
        if self._url != b"/":
            url = httptools.parse_url(self._url)
            path, query = url.path, url.query or b""
        fault = too_large() if self._body.is_too_large else None
        body = self._body.take()
        return HttpRequest(self._method, path, query, self._headers, self._named, body, self._persists, fault)

    # -- requests ---------------------------------------------------------------------------------------------

    def _take(self, request: HttpRequest | None) -> None:
        """A whole request, or the end of all that can be understood."""
        if self._busy or self._cannot_write:
            self._waiting.append(request)
            self._transport.pause_reading()
        else:
            self._begin(request)

    def _begin(self, request: HttpRequest | None) -> None:
        if request is None:
            self._end(NO_HTTP)
            return
        self._busy = True
        if self._stage is Stage.IDLE:
            self._due_s = None
        task = self._loop.create_task(self._run(request))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    async def _run(self, request: HttpRequest) -> None:
        try:
            answer = await self._answer(request)
        except Exception:
            # Defects of requests are answered (`Application`); this one is of that answer.
            logger().exception("no answer")
            self._transport.abort()
            return
        self._busy = False
        self._body.answered(request.body)
        if self._transport.is_closing():
            return
        lasts = request.keep_alive and not (self._closing and not self._waiting)
        head_only = request.method == b"HEAD"
        self._write(answer.encode(self._state.default_headers, keep_alive=lasts, head_only=head_only))
        self._state.total_requests += 1
        if lasts:
            self._go_on()
        else:
            self._transport.close()

    def _go_on(self) -> None:
        """Begin with what waits, or wait for what comes."""
        if self._waiting:
            if self._cannot_write:
                return
            request = self._waiting.popleft()
            if not self._waiting:
                self._transport.resume_reading()
            self._begin(request)
        elif self._stage is Stage.IDLE:
            self._within(self._keep_alive_s)
        elif self._owes_continue:
            self._say_continue()

    # -- time -------------------------------------------------------------------------------------------------

    def _within(self, seconds: float) -> None:
        """Something must have come by then. One timer serves many requests: it looks again when it is early."""
        self._due_s = self._loop.time() + seconds
        if self._timer is None or self._timer_s > self._due_s:
            self._set_timer(self._due_s)

    def _set_timer(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_s = self._loop.call_at(at_s, self._look), at_s

    def _look(self) -> None:
        self._timer = None
        due_s = self._due_s
        if due_s is None:
            return
        if self._loop.time() < due_s:
            self._set_timer(due_s)
        elif self._waiting or self._body.is_held:
            # We do not read while requests wait, or all bodies are too much: it is not the client that is slow.
            self._within(HEAD_TIMEOUT_S)
        elif self._stage is Stage.BODY:
            self._give_up_body()
        else:
            self._transport.close()

    def _give_up_body(self) -> None:
        self._parser, self._stage = None, Stage.IDLE
        self._body.drop()
        self._transport.pause_reading()
        self._take(HttpRequest(self._method, b"/", b"", self._headers, self._named, b"", False, too_slow()))
