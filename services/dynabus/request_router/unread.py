"""Ends a connection whose client asks and does not read: its answer would be kept for ever, closed or not.

A slow client is none of those: whoever has read anything since the last look is given as long again.
"""

from __future__ import annotations

import asyncio

UNREAD_S = 60.0
"""Without a byte. SDKs give up long before."""


class Unread:
    """What of a connection's answers is not sent yet. Looks at it only while there is something."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop, self._transport = loop, transport
        self._written = self._sent = 0
        self._timer: asyncio.TimerHandle | None = None

    def wrote(self, size: int) -> None:
        """So many bytes were handed to the transport."""
        self._written += size
        if self._timer is None:
            self._watch()

    def cancel(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        self._sent = self._written - self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(UNREAD_S, self._look)

    def _look(self) -> None:
        self._timer = None
        left = self._transport.get_write_buffer_size()
        if left and self._written - left <= self._sent:
            self._transport.abort()
        elif left:
            self._watch()
