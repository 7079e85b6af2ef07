"""`dynabus log-propagator`: wiring, signals, exit codes.

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
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.topics import Topics
from dynabus.log_propagator.config import PropagatorSettings
from dynabus.log_propagator.metrics import PropagatorMetrics
from dynabus.log_propagator.service import LogPropagator

PROGRAM = "dynabus log-propagator"


class Life:
    """What signals and health checks see of the process, before and after it has begun."""

    def __init__(self) -> None:
        self.stopped = False
        self.propagator: LogPropagator | None = None

    def stop(self) -> None:
        self.stopped = True
        if self.propagator is not None:
            self.propagator.stopping = True

    def status(self) -> dict[str, Any]:
        """The logs that are this process's, and what it wrote to indexes."""
        if self.propagator is None:
            return {"tables": [], "logs": [], "indexes": []}
        return {"tables": [], "logs": self.propagator.status(), "indexes": self.propagator.amplification()}

    def readiness(self) -> str | None:
        return "waiting for Kafka" if self.propagator is None else self.propagator.readiness()


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    schedule_as_batch()
    settings = load_settings(PropagatorSettings, argv, PROGRAM)
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


def _serve(settings: PropagatorSettings) -> int:
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
        propagator = persist(kafka, "waiting for Kafka", lambda: _connect(settings), lambda: life.stopped)
        life.propagator = propagator
        registry.register(PropagatorMetrics(propagator))
        logger().info("started", incarnation=propagator.me.incarnation, ops_port=server.port)
        propagator.stopping = life.stopped
        watch = CutOffWatch(
            kafka, lambda: propagator.messages, lambda: propagator.turns, lambda: end_process(PROGRAM)
        )
        watch.start()
        propagator.run()
        watch.stop()
    except Stopped:
        pass
    server.close()
    return 0


def _connect(settings: PropagatorSettings) -> LogPropagator:
    """Raises TopicError, UnsafeKafka."""
    topics = Topics(settings.namespace)
    admin = reach_kafka(settings.kafka_settings())
    wanted = [topics.metadata(), topics.heartbeats(), topics.replies(settings.name)]
    for warning in admin.ensure(wanted):
        logger().warning("kafka", warning=warning)
    return LogPropagator(settings, Writer(NodeName(settings.name), Incarnation(new_incarnation())), admin)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
