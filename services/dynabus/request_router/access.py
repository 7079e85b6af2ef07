"""Who may use the API: a file of access keys, read at start and again when it changes.

The file is looked at every two seconds rather than at a signal: a Kubernetes secret or a deployment tool changes it
without knowing our process, and a key that was taken out is refused two seconds later. A file that cannot be read
any more changes nothing: the keys that were read last stay, and the log says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from dynabus.adapters.access_keys import AccessKeysError, read_access_keys
from dynabus.adapters.clock import unix_ms
from dynabus.adapters.logs import logger
from dynabus.adapters.tls import TlsError
from dynabus.core.signatures import Signed, Verifier
from dynabus.request_router.requests import HttpRequest

LOOK_S = 2.0

Stamp = tuple[tuple[int, int, int] | None, ...]


class Access:
    """The access keys that count now. Raises AccessKeysError where there are none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reload()

    def reload(self) -> None:
        """Take the keys that the file has now; a key that is not in it is refused from here on."""
        keys = read_access_keys(self.path)
        self._verifier = Verifier(keys)
        logger().info("access keys", file=str(self.path), keys=len(keys))

    def check(self, request: HttpRequest) -> None:
        """Raises ApiError unless the request is signed with one of the keys."""
        method = request.method.decode("latin-1")
        signed = Signed(method, request.path, request.query, request.headers, request.body)
        self._verifier.verify(signed, request.named, unix_ms() // 1000)


class WatchedFiles:
    """Files that belong together, and what to do when one of them changed."""

    def __init__(self, paths: Sequence[Path], reload: Callable[[], None]) -> None:
        self._paths, self._reload = paths, reload
        self._stamp = self._now()

    def look(self) -> None:
        """Reload if a file is another than before; what was loaded last stays where that fails."""
        stamp = self._now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._reload()
        except (AccessKeysError, TlsError) as error:
            logger().error("not reloaded, the last one stays", reason=str(error))

    def _now(self) -> Stamp:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; mode and owner too, since they may be what was mended."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino


async def watch(files: Sequence[WatchedFiles]) -> None:
    """Look at them from time to time, for ever."""
    while True:
        await asyncio.sleep(LOOK_S)
        for each in files:
            each.look()
