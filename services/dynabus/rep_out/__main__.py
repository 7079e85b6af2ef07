"""`dynabus rep-out`: wiring, signals, exit codes.

0  stopped as asked
1  cannot run as it is: one line says why
70 a broken invariant
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.kafka.cut_off import CutOffWatch, end_process
from dynabus.adapters.kafka.patience import Stopped, persist
from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import reach_kafka
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.memory_limit import MemoryLimitError, check_memory
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.scheduling import schedule_as_batch
from dynabus.adapters.settings import load_settings
from dynabus.core.errors import InvariantError
from dynabus.core.topics import Topics
from dynabus.rep_out.config import RepOutSettings
from dynabus.rep_out.metrics import RepOutMetrics
from dynabus.rep_out.service import RepOutService

PROGRAM = "dynabus rep-out"


class Life:
    """What signals and health checks see of the process, before and after it has begun."""

    def __init__(self) -> None:
        self.stopped = False
        self.rep_out: RepOutService | None = None

    def stop(self) -> None:
        self.stopped = True
        if self.rep_out is not None:
            self.rep_out.stopping = True

    def status(self) -> dict[str, Any]:
        """What goes where, and how far it is."""
        return {"tables": [], **(self.rep_out.status() if self.rep_out is not None else {})}

    def readiness(self) -> str | None:
        return "waiting for Kafka" if self.rep_out is None else self.rep_out.readiness()


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    schedule_as_batch()
    settings = load_settings(RepOutSettings, argv, PROGRAM)
    configure_logs(settings.name, settings.log_level)
    try:
        check_memory()
        return _serve(settings)
    except (MemoryLimitError, KafkaConfigError, UnsafeKafka, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except InvariantError:
        logger().exception("broken invariant")
        return 70


def _serve(settings: RepOutSettings) -> int:
    life = Life()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: life.stop())
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    server = OpsServer(
        settings.ops_host, settings.ops_port, Checks(readiness=life.readiness, status=life.status, registry=registry)
    )
    kafka = settings.kafka_settings()
    try:
        rep_out = persist(kafka, "waiting for Kafka", lambda: _connect(settings), lambda: life.stopped)
        life.rep_out = rep_out
        registry.register(RepOutMetrics(rep_out))
        logger().info("started", ops_port=server.port)
        rep_out.stopping = life.stopped
        watch = CutOffWatch(kafka, lambda: rep_out.messages, lambda: rep_out.turns, lambda: end_process(PROGRAM))
        watch.start()
        rep_out.run()
        watch.stop()
        return 1 if rep_out.failed.is_set() else 0
    except Stopped:
        return 0
    finally:
        server.close()


def _connect(settings: RepOutSettings) -> RepOutService:
    """Raises TopicError, UnsafeKafka."""
    topics = Topics(settings.namespace)
    admin = reach_kafka(settings.kafka_settings())
    wanted = [topics.metadata(), topics.heartbeats()]
    for warning in admin.ensure(wanted):
        logger().warning("kafka", warning=warning)
    return RepOutService(settings, new_incarnation())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
