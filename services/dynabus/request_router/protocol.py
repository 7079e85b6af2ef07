"""uvicorn's HTTP/1.1 protocol: patient with half-closed clients, impatient with slow ones, one packet per answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_TIMEOUT_S = 20.0
"""For the head of a request, from its first byte (or from the connection) on: SDKs send it in one packet."""

HEAD_BYTES_MOST = 64 * 1024
"""Of a head that is not whole yet: SDKs send one or two KB, with a session token a few more."""

HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

FRAMING = (b"content-length", b"transfer-encoding")

HEAD_END = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100"
"""The one head that nothing follows: the client waits for it."""


class WholeAnswers:
    """A transport that keeps the head of an answer until its body comes, and sends both in one system call.

    uvicorn writes them apart, and uvloop sends each at once: a system call more for us, and for the client a packet
    that it must wake up for and can do nothing with.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.endswith(HEAD_END) and not data.startswith(CONTINUE):
            self._head = data
        else:
            self._transport.write(data)

    def release(self) -> None:
        """The answer is complete: send its head if it had no body."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        self.release()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_is_new = False
        self._is_resuming = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        self._answers = WholeAnswers(transport)
        super().connection_made(cast("asyncio.Transport", self._answers))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let the parser have it; a head that grows and grows ends the connection."""
        self._unset_keepalive_if_required()
        self._head_is_new = False
        rest = data
        while rest:
            rest = self._feed(rest)
        if self._head_timer is not None and not self._head_is_new:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MOST and not self.transport.is_closing():
                self.transport.write(HEAD_TOO_LARGE)
                self.transport.close()

    def _feed(self, data: bytes) -> bytes:
        """Parse; what is left for another parser."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade()
            return data[upgrade.args[0] :]
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        return b""

    def _decline_upgrade(self) -> None:
        """Go on in HTTP/1.1: Java's own client asks for h2c with its first request, whose body follows all the same.

        The parser takes what follows such a head for another protocol; a new one is told how the body is framed.
        """
        headers, self.headers = self.headers, []
        framing = b"".join(b"%s: %s\r\n" % pair for pair in headers if pair[0] in FRAMING)
        self.parser = httptools.HttpRequestParser(self)
        self._is_resuming = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
        self._is_resuming, self.headers = False, headers

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if not self._is_resuming:
            # What else came with its first bytes is of earlier requests.
            self._head_is_new = True
            self._expect_head()
            super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; the body has a time limit of its own."""
        if not self._is_resuming:
            self._head_came()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole, unless the parser has left it to another protocol."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer was written, if it had a body."""
        self._answers.release()
        super().on_response_complete()

    def eof_received(self) -> bool | None:  # type: ignore[override] # uvicorn always closes
        """The client sends no more. If its request is whole it still gets its answer; else the connection ends."""
        cycle = self.cycle
        if self.scheme == "https":
            # TLS has no half-closed connections: who ends it there reads no answer.
            return None
        if cycle is None or cycle.response_complete or cycle.more_body:
            return None
        cycle.keep_alive = False
        return True

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
            self._head_bytes = 0

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.close()
