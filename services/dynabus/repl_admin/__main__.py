"""`dynabus repl-admin`: wiring, signals, exit codes.

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
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.topics import Topics
from dynabus.repl_admin.asking import SLOT
from dynabus.repl_admin.config import ReplAdminSettings
from dynabus.repl_admin.metrics import ReplAdminMetrics
from dynabus.repl_admin.service import ReplAdmin

PROGRAM = "dynabus repl-admin"


class Life:
    """What signals and health checks see of the process, before and after it has begun."""

    def __init__(self) -> None:
        self.stopped = False
        self.admin: ReplAdmin | None = None

    def stop(self) -> None:
        self.stopped = True
        if self.admin is not None:
            self.admin.stopping = True

    def status(self) -> dict[str, Any]:
        """Whether it is active, regions that do not answer, and how far links are."""
        return {"tables": [], **({} if self.admin is None else self.admin.status())}

    def readiness(self) -> str | None:
        return "waiting for Kafka" if self.admin is None else None


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    schedule_as_batch()
    settings = load_settings(ReplAdminSettings, argv, PROGRAM)
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


def _serve(settings: ReplAdminSettings) -> int:
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
        admin = persist(kafka, "waiting for Kafka", lambda: _connect(settings), lambda: life.stopped)
        life.admin = admin
        registry.register(ReplAdminMetrics(admin))
        logger().info("started", incarnation=admin.me.incarnation, ops_port=server.port)
        admin.stopping = life.stopped
        # No watch for a client that hears nothing: metadata rest for days, and the group notices a dead member.
        admin.run()
    except Stopped:
        pass
    server.close()
    return 0


def _connect(settings: ReplAdminSettings) -> ReplAdmin:
    """Raises TopicError, UnsafeKafka."""
    topics = Topics(settings.namespace)
    admin = reach_kafka(settings.kafka_settings())
    for warning in admin.ensure([topics.metadata(), topics.control(), topics.replies(SLOT)]):
        logger().warning("kafka", warning=warning)
    return ReplAdmin(settings, Writer(NodeName(settings.name), Incarnation(new_incarnation())), admin)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
