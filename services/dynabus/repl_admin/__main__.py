"""`dynabus repl-admin`: what the process is made of (`adapters.process` has its life and exit codes)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.kafka.topics import reach_kafka
from dynabus.adapters.logs import logger
from dynabus.adapters.process import Service
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.topics import Topics
from dynabus.repl_admin.asking import SLOT
from dynabus.repl_admin.config import ReplAdminSettings
from dynabus.repl_admin.metrics import ReplAdminMetrics
from dynabus.repl_admin.service import ReplAdmin


def _connect(settings: ReplAdminSettings) -> ReplAdmin:
    topics = Topics(settings.namespace)
    admin = reach_kafka(settings.kafka_settings())
    for warning in admin.ensure([topics.metadata(), topics.control(), topics.replies(SLOT)]):
        logger().warning("kafka", warning=warning)
    return ReplAdmin(settings, Writer(NodeName(settings.name), Incarnation(new_incarnation())), admin)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    # Not watched: metadata rest for days, and the group notices a dead member.
    service = Service(
        "dynabus repl-admin",
        ReplAdminSettings,
        _connect,
        ReplAdminMetrics,
        ReplAdmin.status,
        is_watched=False,
        yields=True,
    )
    return service.main(argv)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
