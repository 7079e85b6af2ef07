"""The real broker that `--kafka local` starts: it keeps data over stops and crashes, and is checked and used
through the same adapters as any other Kafka."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from dynabus.adapters.kafka import local
from dynabus.adapters.kafka.local import LocalBroker, LocalBrokerError, read_identity, start_local_broker
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.core.ids import LogId
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.topics import Topics
from tests.integration.cluster import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ENVELOPE_BYTES = 1024
"""Room for what Kafka puts around a message when a batch's size is compared with the limit."""


def start(folder: Path) -> LocalBroker:
    return start_local_broker(folder / "kafka", folder / "kafka.log", lambda _line: None)


def end(broker: LocalBroker, number: signal.Signals = signal.SIGTERM) -> None:
    broker.process.send_signal(number)
    broker.process.wait(60)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """For the tests that leave it running."""
    broker = start(tmp_path_factory.mktemp("shared"))
    yield broker
    end(broker)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of another broker, for the tests that end it."""
    folder = tmp_path_factory.mktemp("ended")
    end(start(folder))
    return folder


def kafka(broker: LocalBroker) -> KafkaSettings:
    return KafkaSettings(broker.identity.bootstrap, f"t{time.time_ns()}")


def append(settings: KafkaSettings, topic: str, value: bytes) -> int:
    """The offset at which the record was acknowledged."""
    reports: list[tuple[object, int | None]] = []
    producer = Producer(settings.log_producer())
    producer.produce(topic, value, partition=0, on_delivery=lambda error, m: reports.append((error, m.offset())))
    producer.flush(10)
    ((error, offset),) = reports
    assert error is None
    assert offset is not None
    return offset


def read(settings: KafkaSettings, topic: str, offset: int) -> bytes:
    consumer = Consumer(settings.log_reader())
    consumer.assign([TopicPartition(topic, 0, offset)])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert message.error() is None
    value = message.value()
    assert isinstance(value, bytes)
    return value


def test_acknowledged_records_survive_a_stop_and_a_kill(folder: Path) -> None:
    broker = start(folder)
    try:
        settings = kafka(broker)
        log = Topics(settings.namespace).log(LogId("ab"), 2)
        admin = TopicAdmin(settings)
        assert "one broker" in admin.ensure([log])[0]
        known = admin.identity(log.name)
        offsets = [append(settings, log.name, b"first")]
        for number in (signal.SIGTERM, signal.SIGKILL):
            end(broker, number)
            broker = start(folder)
            assert broker.identity.bootstrap == settings.bootstrap
            assert read(settings, log.name, 0) == b"first"
            offsets.append(append(settings, log.name, b"later"))
            assert TopicAdmin(settings).identity(log.name) == known
        assert offsets == [0, 1, 2]
    finally:
        end(broker)


def test_its_folder_may_have_any_letters_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    folder = tmp_path / "Prüfung, \\ Nr. 1"
    folder.mkdir()
    broker = start(folder)
    settings = kafka(broker)
    log = Topics(settings.namespace).log(LogId("ab"), 1)
    TopicAdmin(settings).ensure([log])
    assert append(settings, log.name, b"first") == 0
    end(broker)
    broker = start(folder)
    try:
        assert read(settings, log.name, 0) == b"first"
        assert (folder / "kafka" / "data" / f"{log.name}-0").is_dir()
    finally:
        end(broker)


def test_it_runs_in_a_session_of_its_own(broker: LocalBroker) -> None:
    assert os.getsid(broker.pid) == broker.pid


def test_the_largest_message_goes_through_end_to_end(broker: LocalBroker) -> None:
    settings = kafka(broker)
    log = Topics(settings.namespace).log(LogId("ab"), 1)
    TopicAdmin(settings).ensure([log])
    value = os.urandom(MESSAGE_LIMIT_BYTES - ENVELOPE_BYTES)
    assert read(settings, log.name, append(settings, log.name, value)) == value


def test_topics_are_made_grown_and_deleted(broker: LocalBroker) -> None:
    settings = kafka(broker)
    topics = Topics(settings.namespace)
    admin = TopicAdmin(settings)
    log = topics.log(LogId("ab"), 2)
    admin.ensure([*topics.shared(), log])
    admin.ensure([*topics.shared(), log])
    admin.create_partitions(log.name, 5)
    metadata = AdminClient(settings.admin()).list_topics(log.name, timeout=5)
    assert len(metadata.topics[log.name].partitions) == 5
    before = admin.identity(log.name).topic_id
    admin.delete([log.name, "no-such-topic"])
    wait_until("the broker has heard of it", lambda: not admin.names(log.name))
    admin.ensure([log])
    assert admin.identity(log.name).topic_id != before


def test_a_topic_that_could_lose_records_is_refused(broker: LocalBroker) -> None:
    settings = kafka(broker)
    log = Topics(settings.namespace).log(LogId("ab"), 1)
    client = AdminClient(settings.admin())
    unsafe = {**log.config, "retention.ms": "3600000", "unclean.leader.election.enable": "true"}
    client.create_topics([NewTopic(log.name, 1, 1, config=unsafe)])[log.name].result(10)
    with pytest.raises(UnsafeKafka) as error:
        TopicAdmin(settings).ensure([log])
    first, second = error.value.complaints
    assert f"topic {log.name} has retention.ms=3600000 and needs -1" in first
    assert "unclean.leader.election.enable=true and needs false" in second


def test_the_brokers_own_settings_are_in_force(broker: LocalBroker) -> None:
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    client = AdminClient(kafka(broker).admin())
    entries = client.describe_configs([resource])[resource].result(10)
    in_force = {entry.name: entry.value for entry in entries.values()}
    assert in_force["auto.create.topics.enable"] == "false"
    assert in_force["unclean.leader.election.enable"] == "false"
    assert in_force["message.max.bytes"] == str(MESSAGE_LIMIT_BYTES)
    assert in_force["log.message.timestamp.type"] == "CreateTime"


def test_a_port_that_somebody_took_meanwhile_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PORT_WAIT_S", 0.1)
    identity = read_identity(folder / "kafka")
    assert identity is not None
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", identity.port))
        other.listen()
        with pytest.raises(LocalBrokerError, match=f"port {identity.port}.*taken by another program"):
            start(folder)


def test_a_broker_that_cannot_start_is_quoted(folder: Path) -> None:
    meta = folder / "kafka" / "data" / "meta.properties"
    kept = meta.read_text()
    meta.write_text(kept.replace("node.id=1", "node.id=7"))
    try:
        with pytest.raises(LocalBrokerError, match=r"Kafka ended while it started: .*node id"):
            start(folder)
    finally:
        meta.write_text(kept)


def test_topics_without_the_brokers_identity_are_never_formatted_over(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    with pytest.raises(LocalBrokerError, match=r"has topics but no broker\.json"):
        start(tmp_path)


def test_the_cluster_has_the_id_that_was_written_down(broker: LocalBroker) -> None:
    assert TopicAdmin(kafka(broker)).cluster().cluster_id == broker.identity.cluster_id


def test_options_of_the_machine_are_those_that_kafkas_own_scripts_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_HEAP_OPTS", "-Xmx1q")
    with pytest.raises(LocalBrokerError, match="Kafka ended while it started"):
        start(tmp_path)
    monkeypatch.setenv("KAFKA_HEAP_OPTS", "-Xmx1g '")
    with pytest.raises(LocalBrokerError, match="KAFKA_HEAP_OPTS cannot be read"):
        start(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads have no priorities of their own here")
def test_the_optimising_compiler_has_what_others_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_JVM_PERFORMANCE_OPTS")
    broker = start(tmp_path)
    try:
        tasks = [*Path(f"/proc/{broker.pid}/task").iterdir()]
        priorities = {
            (task / "comm").read_text().strip(): os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in tasks
        }
        compilers = {name: each for name, each in priorities.items() if name.startswith("C2 ")}
        assert set(compilers.values()) == {19}
        assert set(priorities.values()) == {0, 19}
    finally:
        end(broker)
