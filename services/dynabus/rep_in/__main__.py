"""`dynabus rep-in`: settings, health server, topics, signals, exit codes.

0  stopped as asked
1  cannot run as it is, or a part of it failed: one line says why
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

import uvloop
from prometheus_client import REGISTRY

from dynabus.adapters.garbage import settle
from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.scheduling import schedule_as_batch, yield_to_others
from dynabus.adapters.settings import load_settings
from dynabus.rep_in.config import RepInSettings
from dynabus.rep_in.metrics import RepInMetrics
from dynabus.rep_in.service import RepInService
from dynabus.request_router.awaiting import await_topics

PROGRAM = "dynabus rep-in"
CALL_S = 2.0


class Life:
    """What health checks see of the process, before and after it has begun."""

    def __init__(self) -> None:
        self.rep_in: RepInService | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def readiness(self) -> str | None:
        return "waiting for Kafka" if self.rep_in is None else self.rep_in.readiness()

    def status(self) -> dict[str, object]:
        """Read in the loop."""
        if self.rep_in is None or self.loop is None:
            return {"tables": []}
        return asyncio.run_coroutine_threadsafe(_status(self.rep_in), self.loop).result(CALL_S)


async def _status(rep_in: RepInService) -> dict[str, object]:
    return {"tables": [], **rep_in.status()}


def main(argv: Sequence[str]) -> int:
    """Run until a signal; the exit code."""
    schedule_as_batch()
    settings = load_settings(RepInSettings, argv, PROGRAM)
    configure_logs(settings.name, settings.log_level)
    yield_to_others()
    try:
        life = Life()
        ops = OpsServer(settings.ops_host, settings.ops_port, Checks(readiness=life.readiness, status=life.status))
        await_topics(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, life, ops))
    except (KafkaConfigError, UnsafeKafka, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1


async def _serve(settings: RepInSettings, life: Life, ops: OpsServer) -> int:
    loop, ended, failed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    rep_in = RepInService(settings)

    def fail() -> None:
        failed.set()
        ended.set()

    rep_in.failed = fail
    await rep_in.start()
    life.loop, life.rep_in = loop, rep_in
    REGISTRY.register(RepInMetrics(rep_in))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    logger().info("started", incarnation=rep_in.router.incarnation, ops_port=ops.port)
    settle()
    try:
        await ended.wait()
    finally:
        await rep_in.stop()
        ops.close()
    return 1 if failed.is_set() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
