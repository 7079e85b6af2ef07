"""The profile `ha`: three brokers, each record on all of them. One of them may die, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, PartitionMetadata

from tests.containers.conftest import Note
from tests.containers.stack import Stack, running
from tests.containers.test_faults import SIGKILLED
from tests.containers.under_load import ACKS_AFTER, under_load
from tests.integration.cluster import wait_until
from tests.integration.load import Load

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]

TABLE = "kill-log-broker"
BROKERS = 3


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    with running(folder, "deploy/ha.env") as started:
        yield started


class Log:
    """The topic partition of the table's replication log, as Kafka describes it."""

    def __init__(self, stack: Stack) -> None:
        self._kafka = AdminClient({"bootstrap.servers": stack.bootstrap, "log_level": 0})
        (self.topic,) = (name for name in self._kafka.list_topics(timeout=10).topics if ".log." in name)

    def now(self) -> PartitionMetadata:
        return self._kafka.list_topics(self.topic, timeout=10).topics[self.topic].partitions[0]


def test_kill_broker_that_leads_the_log(stack: Stack, note: Note, last_words: Callable[[Stack], None]) -> None:
    last_words(stack)
    stack.create_table(TABLE)
    log = Log(stack)
    broker = log.now().leader
    service = f"kafka-{broker}"
    assert len(log.now().replicas) == len(log.now().isrs) == BROKERS

    def fault(load: Load) -> None:
        stack.container(service).kill()
        assert stack.state(service)["ExitCode"] == SIGKILLED
        wait_until("another broker leads", lambda: log.now().leader not in (broker, -1))
        load.wait_for_acks(ACKS_AFTER)
        assert broker not in log.now().isrs
        stack.container(service).start()
        wait_until("all copies in sync", lambda: len(log.now().isrs) == BROKERS, timeout_s=120)
        stack.wait_healthy(service)

    note(under_load(stack, TABLE, fault))
