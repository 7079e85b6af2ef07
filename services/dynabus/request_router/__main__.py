"""`dynabus request-router`: settings, health server, topics, HTTP server, signals, exit codes.

0  stopped as asked
1  cannot run as it is, or a part of it failed: one line says why
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from collections.abc import Sequence

import uvloop
from prometheus_client import REGISTRY

from dynabus.adapters.access_keys import AccessKeysError
from dynabus.adapters.garbage import settle
from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.scheduling import schedule_as_batch
from dynabus.adapters.settings import load_settings
from dynabus.adapters.tls import TlsError
from dynabus.core.admission.throttled import Throttled
from dynabus.core.cluster_status import tables_status
from dynabus.request_router.access import watch
from dynabus.request_router.awaiting import await_topics
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.http import Application
from dynabus.request_router.server import Door, build_server
from dynabus.request_router.service import Router

PROGRAM = "dynabus request-router"


class Life:
    """What health checks see of the process, before and after the router has begun."""

    def __init__(self) -> None:
        self.router: Router | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def readiness(self) -> str | None:
        return "waiting for Kafka" if self.router is None else self.router.readiness()

    def checks(self) -> Checks:
        """For the ops server."""
        return Checks(readiness=self.readiness, status=self.status, throttled=self.throttled)

    def throttled(self) -> dict[str, object]:
        """What this router refused for a table's throughput, or would have."""
        return Throttled().shown() if self.router is None else self.router.admission.throttled.shown()

    def status(self) -> dict[str, object]:
        """The cluster as the router sees it, read in its loop."""
        if self.router is None or self.loop is None:
            return {"tables": []}
        return asyncio.run_coroutine_threadsafe(_status(self.router), self.loop).result(2)


async def _status(router: Router) -> dict[str, object]:
    return {"tables": tables_status(router.view), "streams": router.streams.shown()}


def main(argv: Sequence[str]) -> int:
    """Run until a signal; the exit code."""
    schedule_as_batch()
    settings = load_settings(RouterSettings, argv, PROGRAM)
    configure_logs(settings.name, settings.log_level)
    _raise_file_limit()
    try:
        door = Door(settings)
        life = Life()
        ops = OpsServer(settings.ops_host, settings.ops_port, life.checks())
        await_topics(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, door, life, ops))
    except (AccessKeysError, TlsError, KafkaConfigError, UnsafeKafka, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1


def _raise_file_limit() -> None:
    """A connection is a file; the soft limit is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(settings: RouterSettings, door: Door, life: Life, ops: OpsServer) -> int:
    router = Router(settings, settings.ingest)
    await router.start()
    life.loop, life.router = asyncio.get_running_loop(), router
    server = build_server(settings, Application(router, door.access), door)
    watcher = asyncio.create_task(watch(door.watched()))
    REGISTRY.register(router.metrics)
    failed = asyncio.Event()

    def end() -> None:
        failed.set()
        server.should_exit = True

    router.failed = end
    scheme = "http" if door.context is None else "https"
    logger().info("serving", host=settings.host, port=settings.port, scheme=scheme, ops_port=ops.port)
    door.announce()
    # uvicorn raises a signal that stopped it once more: it may not end the process before the bus is closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    settle()
    try:
        await server.serve()
    finally:
        watcher.cancel()
        await router.stop()
        ops.close()
    return 0 if server.started and not failed.is_set() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
