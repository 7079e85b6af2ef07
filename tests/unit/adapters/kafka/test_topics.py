"""Rules for Kafka's settings, and topics on librdkafka's mock cluster. (On a real broker: tests/integration.)"""

from collections.abc import Iterator

import pytest

from dynabus.adapters.kafka.mock import MockCluster
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import (
    min_insync_replicas,
    replication_factor,
    topic_config,
    unsafe_settings,
    warnings_for,
)
from dynabus.adapters.kafka.topics import KafkaCluster, TopicAdmin, TopicError
from dynabus.core.ids import LogId
from dynabus.core.topics import Topics

LOG = Topics().log(LogId("00"), 2)
SAFE = {**topic_config(LOG, 3), "segment.bytes": "1"}


@pytest.fixture(scope="module")
def mock() -> Iterator[TopicAdmin]:
    cluster = MockCluster()
    yield TopicAdmin(KafkaSettings(cluster.bootstrap))
    del cluster  # until here it must live


@pytest.mark.parametrize(("brokers", "copies", "insync"), [(1, 1, 1), (2, 2, 2), (3, 3, 2), (9, 3, 2)])
def test_copies_and_their_majority(brokers: int, copies: int, insync: int) -> None:
    assert replication_factor(brokers) == copies
    assert min_insync_replicas(copies) == insync


def test_a_topic_made_by_us_is_safe() -> None:
    assert unsafe_settings(LOG, SAFE, copies=3, brokers=3) == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "1000000000"),
        ("unclean.leader.election.enable", "true"),
        ("message.timestamp.type", "LogAppendTime"),
        ("max.message.bytes", "1048588"),
        ("min.insync.replicas", "1"),
        ("min.insync.replicas", None),
    ],
)
def test_a_dangerous_setting_is_named_with_its_value_and_the_remedy(setting: str, value: str | None) -> None:
    (complaint,) = unsafe_settings(LOG, {**SAFE, setting: value}, copies=3, brokers=3)
    assert f"{LOG.name} has {setting}={value} and needs " in complaint
    assert f"--add-config {setting}=" in complaint


def test_fewer_copies_than_there_could_be_are_refused() -> None:
    (complaint,) = unsafe_settings(LOG, SAFE, copies=1, brokers=3)
    assert "has 1 copies on 3 brokers and needs 3" in complaint


def test_requests_may_be_kept_longer_but_not_shorter() -> None:
    control = Topics().control()
    in_force = topic_config(control, 1)
    assert unsafe_settings(control, {**in_force, "retention.ms": "-1"}, copies=1, brokers=1) == []
    assert unsafe_settings(control, {**in_force, "retention.ms": "86400000"}, copies=1, brokers=1) == []
    (complaint,) = unsafe_settings(control, {**in_force, "retention.ms": "1000"}, copies=1, brokers=1)
    assert "retention.ms=1000" in complaint


def test_a_cluster_for_development_is_warned_of() -> None:
    assert "one broker" in warnings_for(1)[0]
    assert "2 brokers" in warnings_for(2)[0]
    assert warnings_for(3) == []


def test_the_mock_makes_topics_and_says_that_it_keeps_nothing(mock: TopicAdmin) -> None:
    topics = Topics("made")
    warnings = mock.ensure([*topics.shared(), topics.log(LogId("01"), 4)])
    assert "nothing is kept" in warnings[0]
    assert mock.names("made.") == {t.name for t in topics.shared()} | {"made.log.01"}
    assert mock.identity("made.log.01").cluster_id == mock.cluster().cluster_id
    mock.delete(["made.log.01"])


def test_the_mock_has_four_topic_partitions(mock: TopicAdmin) -> None:
    with pytest.raises(TopicError, match="needs 5 topic partitions") as error:
        mock.ensure([Topics("many").log(LogId("02"), 5)])
    assert not error.value.retriable
    mock.ensure([Topics("many").log(LogId("03"), 1)])
    mock.create_partitions("many.log.03", 4)
    with pytest.raises(TopicError, match="needs 5"):
        mock.create_partitions("many.log.03", 5)


def test_a_kafka_that_does_not_answer_is_a_retriable_error() -> None:
    admin = TopicAdmin(KafkaSettings("127.0.0.1:1", extra={"log_level": "0"}))
    with pytest.raises(TopicError) as error:
        admin.cluster(timeout_s=0.2)
    assert error.value.retriable


def test_a_broker_that_does_not_know_a_topic_yet_is_asked_again(
    mock: TopicAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While brokers start, one may tell of a topic and the next one not."""
    nothing = mock._metadata()
    nothing.topics.clear()
    monkeypatch.setattr(mock, "_metadata", lambda *_: nothing)
    monkeypatch.setattr(mock, "cluster", lambda *_: KafkaCluster("real", 3))
    for ask in (lambda: mock._replication_of({LOG.name}), lambda: mock.create_partitions(LOG.name, 2)):
        with pytest.raises(TopicError, match="does not know of topic") as caught:
            ask()
        assert caught.value.retriable
