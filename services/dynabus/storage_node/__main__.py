"""`dynabus storage-node`: wiring, signals, exit codes.

0  stopped as asked, leadership handed over, everything committed
1  cannot run as it is: one line says why and what to do
70 a broken invariant: the log tells which; nothing more was written
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from dynabus.adapters.data_folder import DataFolder, DataFolderError
from dynabus.adapters.garbage import settle
from dynabus.adapters.kafka.cut_off import CutOffWatch, end_process
from dynabus.adapters.kafka.patience import Stopped
from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.ops_server import OpsServer
from dynabus.adapters.scheduling import schedule_as_batch
from dynabus.adapters.settings import load_settings
from dynabus.core.errors import InvariantError
from dynabus.core.operations import registry
from dynabus.storage_node.config import StorageNodeSettings
from dynabus.storage_node.file_limit import FileLimitError
from dynabus.storage_node.inbox import Operations
from dynabus.storage_node.namesake import NamesakeError
from dynabus.storage_node.ops import Ops
from dynabus.storage_node.start import Start

PROGRAM = "dynabus storage-node"
EXIT_CANNOT_RUN = 1
EXIT_BROKEN_INVARIANT = 70

CANNOT_RUN = (
    DataFolderError,
    FileLimitError,
    NamesakeError,
    KafkaConfigError,
    UnsafeKafka,
    OSError,
)


def main(argv: Sequence[str]) -> int:
    """Run a storage node until SIGTERM or SIGINT."""
    schedule_as_batch()
    settings = load_settings(StorageNodeSettings, argv, PROGRAM)
    configure_logs(settings.name, settings.log_level)
    try:
        return serve(settings, registry)
    except CANNOT_RUN as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    except InvariantError:
        logger().exception("broken invariant")
        return EXIT_BROKEN_INVARIANT


def serve(settings: StorageNodeSettings, operations: Operations) -> int:
    """The whole life of the process."""
    folder = DataFolder(settings.data)
    start = Start(settings, operations)
    ops = Ops(start)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ops.stop())
    server = OpsServer(settings.ops_host, settings.ops_port, ops.checks())
    logger().info("ops server", host=settings.ops_host, port=server.port)
    try:
        node = start.build(folder)
        ops.begin(node)
        settle()
        watch = CutOffWatch(
            settings.kafka_settings(), lambda: node.messages, lambda: node.turns, lambda: end_process(PROGRAM)
        )
        watch.start()
        node.run()
        watch.stop()
    except Stopped:
        pass
    finally:
        server.close()
    folder.close()
    logger().info("stopped")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
