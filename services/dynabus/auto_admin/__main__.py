"""`dynabus auto-admin`: wiring, signals, exit codes.

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

from dynabus.adapters.data_folder import DataFolder, DataFolderError
from dynabus.adapters.kafka.cut_off import CutOffWatch, end_process
from dynabus.adapters.kafka.patience import Stopped, persist
from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import check_belonging, reach_kafka
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.scheduling import schedule_as_batch
from dynabus.adapters.settings import load_settings
from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.connection import connect
from dynabus.auto_admin.metrics import AdminMetrics
from dynabus.auto_admin.service import AutoAdmin
from dynabus.core.errors import InvariantError
from dynabus.core.ids import NodeName, Writer
from dynabus.core.topics import Topics

PROGRAM = "dynabus auto-admin"


class Life:
    """What signals and health checks see of the process, before and after it has begun."""

    def __init__(self) -> None:
        self.stopped = False
        self.admin: AutoAdmin | None = None

    def stop(self) -> None:
        self.stopped = True
        if self.admin is not None:
            self.admin.stopping = True

    def status(self) -> dict[str, Any]:
        """Readers that hold up the pruning of logs for long, and streams that wait for propagators."""
        if self.admin is None:
            return {"tables": [], "held": [], "waits": []}
        is_active = self.admin.active_term is not None
        waits = self.admin.streaming.waiting.lines if is_active else []
        return {"tables": [], "held": self.admin.pruning.lines(), "waits": waits}

    def readiness(self) -> str | None:
        if self.admin is None:
            return "waiting for Kafka"
        if self.admin.replica.alarm is not None:
            return self.admin.replica.alarm
        return None if self.admin.has_leader else "the admin log has no leader that is heard"


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    schedule_as_batch()
    settings = load_settings(AutoAdminSettings, argv, PROGRAM)
    configure_logs(settings.name, settings.log_level)
    try:
        return _serve(settings)
    except (DataFolderError, KafkaConfigError, UnsafeKafka, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except InvariantError:
        logger().exception("broken invariant")
        return 70


def _serve(settings: AutoAdminSettings) -> int:
    life = Life()
    folder = DataFolder(settings.data)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: life.stop())
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    checks = Checks(readiness=life.readiness, status=life.status, registry=registry)
    server = OpsServer(settings.ops_host, settings.ops_port, checks)
    me = Writer(NodeName(settings.name), folder.next_incarnation())
    try:
        admin = persist(
            settings.kafka_settings(),
            "waiting for Kafka",
            lambda: _connect(settings, me, folder),
            lambda: life.stopped,
        )
        life.admin = admin
        registry.register(AdminMetrics(admin))
        logger().info("started", incarnation=me.incarnation, ops_port=server.port)
        admin.stopping = life.stopped
        watch = CutOffWatch(
            settings.kafka_settings(), lambda: admin.messages, lambda: admin.turns, lambda: end_process(PROGRAM)
        )
        watch.start()
        admin.run()
        watch.stop()
    except Stopped:
        pass
    server.close()
    folder.close()
    return 0


def _connect(settings: AutoAdminSettings, me: Writer, folder: DataFolder) -> AutoAdmin:
    kafka = reach_kafka(settings.kafka_settings())
    topics = Topics(settings.namespace)
    check_belonging(kafka, folder, topics.admin_log().name)
    for warning in kafka.ensure(list(topics.shared())):
        logger().warning("kafka", warning=warning)
    check_belonging(kafka, folder, topics.admin_log().name)  # in the first run the log is there from now on
    return connect(settings, me, kafka)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
