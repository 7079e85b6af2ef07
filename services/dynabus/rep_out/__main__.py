"""`dynabus rep-out`: what the process is made of (`adapters.process` has its life and exit codes)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.kafka.topics import reach_kafka
from dynabus.adapters.logs import logger
from dynabus.adapters.process import Service
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.topics import Topics
from dynabus.rep_out.config import RepOutSettings
from dynabus.rep_out.metrics import RepOutMetrics
from dynabus.rep_out.service import RepOutService


def _connect(settings: RepOutSettings) -> RepOutService:
    topics = Topics(settings.namespace)
    admin = reach_kafka(settings.kafka_settings())
    for warning in admin.ensure([topics.metadata(), topics.heartbeats()]):
        logger().warning("kafka", warning=warning)
    return RepOutService(settings, Writer(NodeName(settings.name), Incarnation(new_incarnation())))


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    service = Service("dynabus rep-out", RepOutSettings, _connect, RepOutMetrics, RepOutService.status, yields=True)
    return service.main(argv)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
