"""Links and executor on librdkafka's mock cluster. (On a real broker: tests/integration.)"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, cast
from unittest.mock import Mock

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, Message
from tests.unit.auto_admin.tables.test_decisions import create, row

from dynabus.adapters.kafka.mock import MockCluster
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.worker import Worker
from dynabus.auto_admin.executor import Executor, admin_genesis
from dynabus.auto_admin.links import Links
from dynabus.auto_admin.outside import Turn
from dynabus.auto_admin.tables.decisions import read_row
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.topics import Topics

ME = Writer(NodeName("admin-1"), Incarnation(1))
WAIT_S = 60.0
"""Ends a test whose message never comes; nobody waits for it."""


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaSettings]:
    cluster = MockCluster()
    # Clients that outlive the mock would complain about that on the terminal.
    settings = KafkaSettings(cluster.bootstrap, "links", "test", extra={"log_level": "0"})
    topics = Topics("links")
    TopicAdmin(settings).ensure([*topics.shared(), topics.replies("router-1")])
    yield settings
    del cluster


@pytest.fixture(scope="module")
def links(kafka: KafkaSettings) -> Iterator[Links]:
    links = Links(kafka, Topics(kafka.namespace))
    poll_until(links, lambda turn: turn.end_offset is not None)
    yield links
    links.close()


def poll_until(links: Links, condition: Callable[[Turn], Any]) -> Turn:
    """All that came until the condition holds for it."""
    seen, deadline = Turn(), time.monotonic() + WAIT_S
    while not condition(seen):
        assert time.monotonic() < deadline, "nothing came"
        turn = links.poll(0.01)
        assert links.serve() is None
        seen.records += turn.records
        seen.messages += turn.messages
        seen.end_offset = turn.end_offset if turn.end_offset is not None else seen.end_offset
    return seen


def heartbeat(node: str) -> Any:
    return {
        "node": node,
        "service": "auto-admin",
        "zone": "a",
        "incarnation": 1,
        "stopping": False,
        "number": 0,
        "whole": True,
        "replicas": [],
    }


def test_all_that_is_sent_is_read_where_everybody_reads(links: Links) -> None:
    names = [f"admin-{number}" for number in range(8)]
    deadline = time.monotonic() + WAIT_S
    heard: set[str] = set()
    while heard != set(names):
        assert time.monotonic() < deadline
        for name in names:
            links.beat(heartbeat(name))
        heard |= {message["node"] for kind, message in links.poll(0.1).messages if kind == "heartbeat"}


def test_a_delivery_is_told(links: Links) -> None:
    told: list[bool] = []
    message = {"log": "1", "partition": 0, "term": 1, "node": "node-1", "incarnation": 1}
    links.metadata("leader/1/0", "leader_metadata", message, told.append)
    poll_until(links, lambda turn: told and ("leader_metadata", message) in turn.messages)
    assert told == [True]
    links.metadata("leader/1/0", "leader_metadata", None, told.append)
    poll_until(links, lambda _: len(told) == 2)


def test_records_of_the_admin_log_come_apart(links: Links) -> None:
    links.append(admin_genesis(ME))
    turn = poll_until(links, lambda turn: turn.records)
    assert turn.records[0].writer == ME
    assert turn.messages == [] or all(kind != "genesis" for kind, _ in turn.messages)


def test_what_cannot_be_decoded_is_skipped_and_counted(links: Links) -> None:
    before = links.undecodable
    links._bus.send_one("links.heartbeats", b"no message")
    poll_until(links, lambda _: links.undecodable == before + 1)


def test_only_the_admin_log_is_lost_where_its_start_is_refused(kafka: KafkaSettings) -> None:
    """Asked for a logical offset, a broker that does not know a new topic yet answers as if records were lost."""
    links = Links(kafka, Topics(kafka.namespace))
    offsets = {each.topic: each.offset for each in links._consumer.assignment()}
    assert offsets.pop("links.admin-log") == 0
    assert set(offsets.values()) <= {OFFSET_BEGINNING, OFFSET_END}
    turn, reset = Turn(), KafkaError(KafkaError._AUTO_OFFSET_RESET)
    for topic in ("links.metadata", "links.heartbeats", "links.control"):
        links._failed(reset, cast(Message, Mock(topic=lambda name=topic: name, partition=lambda: 0)), turn)
        assert not turn.out_of_range
    assert {each.topic: each.offset for each in links._consumer.assignment()} == {
        "links.admin-log": 0,
        "links.metadata": OFFSET_BEGINNING,
        "links.heartbeats": OFFSET_END,
        "links.control": OFFSET_END,
    }
    links._failed(reset, cast(Message, Mock(topic=lambda: "links.admin-log")), turn)
    assert turn.out_of_range
    links.close()


def test_a_table_is_built_twice_with_one_genesis_each(kafka: KafkaSettings) -> None:
    topics = Topics(kafka.namespace)
    executor = Executor(kafka, topics, ME, TopicAdmin(kafka), Mock())
    created = row(create())
    assert created is not None
    state = read_row(created)
    for _ in range(2):
        executor.build(state).result(WAIT_S)
    assert topics.log_name(state.id) in TopicAdmin(kafka).names("links.log.")  # type: ignore[arg-type]
    executor.destroy(state).result(WAIT_S)


def test_a_worker_passes_on_what_its_jobs_raise() -> None:
    worker = Worker("test")

    def broken() -> None:
        raise LookupError("here")

    failed, done = worker.submit(broken), worker.submit(lambda: None)
    assert done.result(WAIT_S) is None
    assert isinstance(failed.exception(WAIT_S), LookupError)


def test_a_worker_leaves_out_what_was_cancelled() -> None:
    worker, begun, go = Worker("test"), [], Future[None]()
    first = worker.submit(lambda: go.result(WAIT_S))
    second = worker.submit(lambda: begun.append(1))
    assert second.cancel()
    go.set_result(None)
    first.result(WAIT_S)
    worker.submit(lambda: None).result(WAIT_S)
    assert begun == []
