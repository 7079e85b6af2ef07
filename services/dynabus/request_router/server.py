"""The HTTP server of a router: uvicorn with our connections, in the clear or over TLS; the files that it watches."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any, cast

import uvicorn

from dynabus.adapters import tls
from dynabus.adapters.logs import logger
from dynabus.adapters.ports import is_loopback
from dynabus.request_router.access import Access, WatchedFiles
from dynabus.request_router.bodies import Bodies, bytes_most
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.http import Application
from dynabus.request_router.protocol import Answering, Connection

KEEP_ALIVE_S = 75
"""Longer than SDKs keep idle connections (boto3: 60 s), so that it is they who close."""

SHUTDOWN_S = 3


class Door:
    """What guards the API: access keys and a certificate, each if it is wanted.

    Raises AccessKeysError, TlsError: both are found out before anything else is begun.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self.access = Access(settings.auth) if settings.auth else None
        self.context: ssl.SSLContext | None = None
        if settings.tls_cert:
            self.context = tls.server_context(settings.tls_cert, settings.tls_key)

    def watched(self) -> list[WatchedFiles]:
        """Its files: a key that was added or taken out, a certificate that was renewed."""
        files = []
        if self.access is not None:
            files.append(WatchedFiles([self.access.path], self.access.reload))
        certificate, key, context = self._settings.tls_cert, self._settings.tls_key, self.context
        if certificate is not None and context is not None:
            paths = [path for path in (certificate, key) if path is not None]
            files.append(WatchedFiles(paths, lambda: tls.load(context, certificate, key)))
        return files

    def announce(self) -> None:
        """Log how open it is; that everybody may come in from everywhere is a warning."""
        if self.access is not None:
            logger().info("requests must be signed with one of the access keys")
        elif is_loopback(self._settings.host):
            logger().info("open: any access key is accepted, from this machine alone")
        else:
            logger().warning(
                "open: any access key is accepted, from whoever reaches the address; --auth FILE closes it",
                host=self._settings.host,
            )


def build_server(settings: RouterSettings, application: Application, door: Door) -> uvicorn.Server:
    """The server, not yet listening."""
    context = door.context
    return uvicorn.Server(
        uvicorn.Config(
            no_asgi,
            host=settings.host,
            port=settings.port,
            http=connections(application.answer),
            ssl_context_factory=None if context is None else lambda _config, _default: context,
            loop="none",
            lifespan="off",
            interface="asgi3",
            ws="none",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            backlog=1024,
        )
    )


def connections(answer: Answering) -> type[Connection]:
    """What uvicorn makes a connection's protocol with: it wants a class, and calls it."""
    return cast("type[Connection]", partial(Connection, answer, Bodies(bytes_most())))


async def no_asgi(_scope: Any, _receive: Any, _send: Any) -> None:
    """In the place of an application, which uvicorn insists on and our connections do without."""
    raise AssertionError("our connections speak no ASGI")
