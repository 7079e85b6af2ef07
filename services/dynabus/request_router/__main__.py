"""Wiring of a request router: settings, topics, HTTP server, health server, signals."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Sequence

import uvicorn
import uvloop
from prometheus_client import REGISTRY

from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.settings import load_settings
from dynabus.core.topics import Topics
from dynabus.request_router.config import RouterSettings
from dynabus.request_router.http import Application
from dynabus.request_router.protocol import Protocol
from dynabus.request_router.service import Router

PROGRAM = "dynabus request-router"

KEEP_ALIVE_S = 75
"""Longer than SDKs keep idle connections (boto3: 60 s), so that it is they who close."""

SHUTDOWN_S = 3


def main(argv: Sequence[str]) -> int:
    """Run until a signal; the exit code."""
    settings = load_settings(RouterSettings, argv, PROGRAM)
    configure_logs(settings.name, settings.log_level)
    _raise_file_limit()
    try:
        _ensure_topics(settings)
    except (KafkaConfigError, TopicError, UnsafeKafka) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings))


def _ensure_topics(settings: RouterSettings) -> None:
    topics = Topics(settings.namespace)
    wanted = [topics.metadata(), topics.heartbeats(), topics.control(), topics.replies(settings.name)]
    TopicAdmin(settings.kafka_settings()).ensure(wanted)


def _raise_file_limit() -> None:
    """A connection is a file; the soft limit is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(settings: RouterSettings) -> int:
    router = Router(settings)
    await router.start()
    loop = asyncio.get_running_loop()

    def status() -> dict[str, object]:
        async def ask() -> dict[str, object]:
            return {"tables": router.view.status()}

        return asyncio.run_coroutine_threadsafe(ask(), loop).result(2)

    ops = OpsServer(settings.ops_host, settings.ops_port, Checks(readiness=router.readiness, status=status))
    server = uvicorn.Server(
        uvicorn.Config(
            Application(router),
            host=settings.host,
            port=settings.port,
            http=Protocol,
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
    REGISTRY.register(router.metrics)
    failed = asyncio.Event()

    def end() -> None:
        failed.set()
        server.should_exit = True

    router.failed = end
    logger().info("serving", host=settings.host, port=settings.port, ops_port=ops.port)
    try:
        await server.serve()
    finally:
        await router.stop()
        ops.close()
    return 0 if server.started and not failed.is_set() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
