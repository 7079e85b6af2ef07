"""A server that answers every request with the same 1 KB: against it a load generator shows its own ceiling."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvloop

from bench.wire import HOST, end_of_answer

_BODY = b'{"Item":{"pad":{"S":"' + b"x" * 1000 + b'"}}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY


class _Responder(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = cast(asyncio.Transport, transport), b""

    def data_received(self, received: bytes) -> None:
        self._buffer += received
        # A request ends as an answer does: after as many bytes as its head says.
        if end_of_answer(self._buffer) is not None:
            self._buffer = b""
            self._transport.write(ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Responder, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def responder() -> Iterator[int]:
    """Its port, while it runs in a process of its own."""
    command = [sys.executable, "-m", "bench.responder"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    uvloop.run(_serve())
