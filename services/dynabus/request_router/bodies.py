"""Bodies of requests take memory before anybody knows whose they are: so much of it in all, and no more.

Beyond that, who sends a large one waits: its connection is not read. The one that has been sending for the longest
goes on, so there is always one that gets through, or runs out of its time; then the next one does. Small bodies pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dynabus.adapters.memory_limit import LIMIT_FILES, memory_limit_bytes
from dynabus.request_router import requests

SMALL_BYTES = 64 * 1024
"""Most requests are smaller, as one packet or a few."""

BYTES_MOST = 256 * 1024 * 1024
MEMORY_SHARE = 4
"""Of a container's memory limit, bodies get one part in so many."""


def bytes_most() -> int:
    """How many bytes of bodies there may be before large ones wait."""
    limit = memory_limit_bytes(LIMIT_FILES)
    return BYTES_MOST if limit is None else min(BYTES_MOST, limit // MEMORY_SHARE)


class Bodies:
    """Of all connections: those that come, and those whose requests are not answered yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0
        self._large: dict[Body, None] = {}
        """Which come now, in the order in which they became large."""
        self._held: dict[Body, None] = {}

    def take(self, body: Body, size: int) -> None:
        """So many more bytes have come of a body."""
        self.bytes += size
        if body.size > SMALL_BYTES:
            self._large.setdefault(body)
            if not self._may_go_on(body):
                self._held.setdefault(body)
                body.hold()

    def end(self, body: Body) -> None:
        """Nothing more comes of it."""
        self._large.pop(body, None)
        self._held.pop(body, None)
        self._let_go()

    def free(self, size: int) -> None:
        """So many bytes are not here any more."""
        self.bytes -= size
        self._let_go()

    def is_held(self, body: Body) -> bool:
        """Whether it is we who keep it waiting."""
        return body in self._held

    def _may_go_on(self, body: Body) -> bool:
        return self.bytes <= self._most or next(iter(self._large)) is body

    def _let_go(self) -> None:
        for body in [each for each in self._held if self._may_go_on(each)]:
            del self._held[body]
            body.let_go()


class Body:
    """What a connection has of bodies: the one that comes, and those of requests that wait for their answers.

    `goes_on` is called when it is read again after it was held.
    """

    def __init__(self, bodies: Bodies, transport: asyncio.Transport, goes_on: Callable[[], None]) -> None:
        self._bodies, self._transport, self._goes_on = bodies, transport, goes_on
        self._parts: list[bytes] = []
        self.size = 0
        """Of the one that comes, kept or not."""
        self._counted = self._unanswered = 0

    @property
    def is_too_large(self) -> bool:
        return self.size > requests.BODY_BYTES_MOST

    @property
    def is_held(self) -> bool:
        return self._bodies.is_held(self)

    def add(self, part: bytes) -> None:
        """What is too large is read to its end, not kept: then the client reads our answer."""
        self.size += len(part)
        if self.is_too_large:
            self.drop()
            return
        self._parts.append(part)
        self._counted += len(part)
        self._bodies.take(self, len(part))

    def take(self) -> bytes:
        """The whole body, whose request is to be `answered`. The next one begins."""
        whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self.size = [], 0
        self._unanswered += self._counted
        self._counted = 0
        self._bodies.end(self)
        return whole

    def drop(self) -> None:
        """What has come of it is not wanted."""
        counted, self._counted = self._counted, 0
        self._parts.clear()
        self._bodies.end(self)
        self._bodies.free(counted)

    def answered(self, body: bytes) -> None:
        """The request that had it."""
        size = min(len(body), self._unanswered)
        self._unanswered -= size
        self._bodies.free(size)

    def gone(self) -> None:
        """The connection is."""
        self.drop()
        unanswered, self._unanswered = self._unanswered, 0
        self._bodies.free(unanswered)

    def hold(self) -> None:
        """Read no more for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def let_go(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._goes_on()
