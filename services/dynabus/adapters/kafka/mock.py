"""librdkafka's own in-memory cluster, kept up by a process, so that other processes can use it.

Nothing to install and nothing kept: for trying out and for tests. It drops a topic partition's oldest records
above 5 MB, knows no topic settings, and makes every topic with four topic partitions.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from confluent_kafka import Producer

BROKERS = 1
METADATA_TIMEOUT_S = 5


class MockCluster:
    """A mock cluster inside this process, for as long as the object lives. `bootstrap` is its address."""

    def __init__(self, brokers: int = BROKERS) -> None:
        # The bootstrap address is replaced by the mock's own; the level hides the notice that says so.
        self._owner = Producer({"test.mock.num.brokers": brokers, "bootstrap.servers": "mock", "log_level": 3})
        found = self._owner.list_topics(timeout=METADATA_TIMEOUT_S).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in found)


def serve(address_file: Path) -> int:
    """Run a mock cluster until SIGTERM or SIGINT; its address is written to the file once it answers."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    cluster = MockCluster()
    part = address_file.with_suffix(".part")
    part.write_text(cluster.bootstrap)
    part.replace(address_file)
    stopped.wait()
    return 0
