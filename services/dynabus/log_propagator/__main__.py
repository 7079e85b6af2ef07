"""`dynabus log-propagator`: what the process is made of (`adapters.process` has its life and exit codes)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.kafka.topics import reach_kafka
from dynabus.adapters.logs import logger
from dynabus.adapters.process import Service
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.topics import Topics
from dynabus.log_propagator.config import PropagatorSettings
from dynabus.log_propagator.metrics import PropagatorMetrics
from dynabus.log_propagator.service import LogPropagator
from dynabus.log_propagator.status import indexes, logs


def _connect(settings: PropagatorSettings) -> LogPropagator:
    topics = Topics(settings.namespace)
    admin = reach_kafka(settings.kafka_settings())
    wanted = [topics.metadata(), topics.heartbeats(), topics.replies(settings.name)]
    for warning in admin.ensure(wanted):
        logger().warning("kafka", warning=warning)
    return LogPropagator(settings, Writer(NodeName(settings.name), Incarnation(new_incarnation())), admin)


def _status(propagator: LogPropagator) -> dict[str, Any]:
    """The logs that are this process's, and what it wrote to indexes."""
    return {"logs": logs(propagator), "indexes": indexes(propagator)}


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    return Service("dynabus log-propagator", PropagatorSettings, _connect, PropagatorMetrics, _status).main(argv)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
