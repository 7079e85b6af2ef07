"""What a sender leaves in a topic is a prefix of what it was given: after a failure nothing of it follows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from confluent_kafka import KafkaError, KafkaException
from tests.unit.adapters.stub_registry import FIRST_ID, registry
from tests.unit.adapters.test_stream_codec import conflict, output

from dynabus.adapters.kafka.settings import STREAM_PRODUCER, KafkaSettings
from dynabus.adapters.kafka.topics import TopicError
from dynabus.adapters.schema_registry import SchemaRegistry
from dynabus.adapters.stream_codec import CONFLICT_ID, SCHEMA_ID
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.topics import Topic, Topics
from dynabus.log_propagator import sender
from dynabus.log_propagator.sender import Sender


class FakeProducer:
    """`fails`: at which message, and how."""

    made: list[FakeProducer]
    fails: tuple[int, str] = (10**6, "")
    count = 1
    """Topic partitions."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.given: list[Any] = []
        self.values: list[bytes] = []
        self.purged = False
        self.asked: list[str] = []
        self._reports: list[Callable[[], None]] = []
        FakeProducer.made.append(self)

    def produce(self, topic: str, value: Any, key: Any, partition: int, *, on_delivery: Any, **_: Any) -> None:
        at, how = FakeProducer.fails
        if len(self.given) == at and how == "full":
            raise BufferError
        if len(self.given) == at and how == "refused":
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        error = KafkaError(KafkaError._GAPLESS_GUARANTEE) if len(self.given) >= at and how == "fatal" else None
        self.given.append((topic, partition, key))
        self.values.append(value)
        self._reports.append(lambda: on_delivery(error, None))

    def list_topics(self, topic: str, timeout: float) -> Any:
        self.asked.append(topic)
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=dict.fromkeys(range(FakeProducer.count)))})

    def poll(self, timeout_s: float) -> int:
        return 0

    def flush(self, timeout_s: float) -> int:
        if FakeProducer.fails[1] == "silent":
            return len(self._reports)
        for report in self._reports:
            report()
        self._reports = []
        return 0

    def purge(self, **_: Any) -> None:
        self.purged = True


@pytest.fixture
def made() -> Any:
    FakeProducer.made, FakeProducer.fails, FakeProducer.count = [], (10**6, ""), 1
    with patch.object(sender, "Producer", FakeProducer), patch.object(sender, "DELIVERY_S", 0.2):
        yield Sender(KafkaSettings("127.0.0.1:1"), Topics("ns"))


def test_all_or_false(made: Sender) -> None:
    assert made.deliver([output(), output()])
    assert made.deliver([])
    (producer,) = FakeProducer.made
    assert [each[:2] for each in producer.given] == [("ns.stream.music.20261128T225332123", 0)] * 2
    assert made.sent == 2


def test_a_topic_that_grew_is_looked_at_anew(made: Sender) -> None:
    """librdkafka refuses what is for a topic partition that was not there when it looked."""
    assert made.deliver([output(), output()])
    FakeProducer.count = 3
    assert made.deliver([output()._replace(number=2), output()._replace(number=1), output()])
    (producer,) = FakeProducer.made
    assert producer.asked == ["ns.stream.music.20261128T225332123"] * 2


def test_a_topic_partition_that_is_not_there_is_told_at_once(made: Sender) -> None:
    """The others need not wait until its delivery has failed."""
    wanted = output()._replace(number=1)
    assert not made.deliver([output(), wanted])
    assert made.culprit == PartitionId(LogId(wanted.stream.table), 1)
    assert made.deliver([output()])


@pytest.mark.parametrize("how", ["full", "refused", "fatal", "silent"])
def test_after_a_failure_the_producer_is_purged_and_replaced(made: Sender, how: str) -> None:
    FakeProducer.fails = (1, how)
    assert not made.deliver([output(), output(), output()])
    first, second = FakeProducer.made
    assert first.purged
    assert (made.culprit is None) == (how != "refused")
    assert len(first.given) == (1 if how in ("full", "refused") else 3)
    FakeProducer.fails = (10**6, "")
    assert made.deliver([output()])
    assert len(second.given) == 1
    assert (made.sent, made.replaced) == (1, 1)


def test_a_topic_whose_schema_is_refused_gets_nothing(made: Sender) -> None:
    """And costs no producer; what is registered has the registry's id in front."""
    with registry() as server:
        topic = "ns.stream.music.20261128T225332123"
        server.refused.add(f"{topic}-value")
        registered = Sender(KafkaSettings("127.0.0.1:1"), Topics("ns"), SchemaRegistry(server.url))
        _, producer = FakeProducer.made
        assert not registered.deliver([output()])
        assert producer.given == []
        assert registered.culprit == PartitionId(LogId(output().stream.table), 0)
        assert "incompatible" in registered.reason
        server.refused.clear()
        assert registered.deliver([output(), output()])
        assert len(producer.given) == 2
        assert producer.values[0][1:5] == FIRST_ID.to_bytes(4, "big")
        assert server.subjects == {f"{topic}-value": FIRST_ID}
        assert json.loads(server.schemas[FIRST_ID])["name"] == "StreamRecord"
    assert registered.replaced == 0
    assert made.deliver([output()])
    assert FakeProducer.made[0].values[0][1:5] == SCHEMA_ID.to_bytes(4, "big")


def test_a_conflict_goes_to_the_tables_own_topic_which_is_made_once(made: Sender) -> None:
    ensured: list[str] = []

    def ensure(topics: Sequence[Topic]) -> None:
        ensured.extend(each.name for each in topics)

    telling = Sender(KafkaSettings("127.0.0.1:1"), Topics("ns"), None, ensure)
    producer = FakeProducer.made[-1]
    assert telling.deliver([output(), conflict(), conflict()])
    assert ensured == ["ns.conflicts.music"]
    assert [each[:2] for each in producer.given[1:]] == [("ns.conflicts.music", 0)] * 2
    assert [value[1:5] for value in producer.values[1:]] == [CONFLICT_ID.to_bytes(4, "big")] * 2
    assert telling.conflicts == {"music": 2}
    assert made.conflicts == {}


def test_where_the_conflicts_topic_cannot_be_made_nothing_is_produced(made: Sender) -> None:
    def ensure(_topics: Sequence[Topic]) -> None:
        raise TopicError("away", retriable=True)

    telling = Sender(KafkaSettings("127.0.0.1:1"), Topics("ns"), None, ensure)
    assert not telling.deliver([output(), conflict()])
    assert FakeProducer.made[-1].given == []
    assert (telling.culprit, telling.reason) == (PartitionId(LogId(output().stream.table), 3), "away")
    assert made.deliver([output()])


def test_no_message_is_given_up_alone() -> None:
    """What readers rely on: librdkafka may not time a message out and send the next one."""
    assert STREAM_PRODUCER["message.timeout.ms"] == 0
    assert STREAM_PRODUCER["enable.gapless.guarantee"] is True
    assert STREAM_PRODUCER["enable.idempotence"] is True
