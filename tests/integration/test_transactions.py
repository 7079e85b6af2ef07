"""What table topics rely on in Kafka's transactions and librdkafka's, one by one (ARCHITECTURE, "Table topics")."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from dynabus.adapters.kafka.local import LocalBroker
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.owned_log import Found
from dynabus.core.topics import Topics
from dynabus.log_propagator.group import Group, is_member
from tests.integration.cluster import wait_until
from tests.integration.test_local_broker import end, start
from tests.simulation.histories import origin
from tests.unit.core.propagation.test_follower import ROOT, history, message, propagator

pytestmark = pytest.mark.broker

CALL_S = 10.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    made = start(tmp_path_factory.mktemp("transactions"))
    yield made
    end(made)


class Scene:
    """One log, one topic, a group of its own."""

    def __init__(self, broker: LocalBroker) -> None:
        self.topics = Topics(f"t{time.time_ns()}")
        self.kafka = KafkaSettings(broker.identity.bootstrap, self.topics.namespace)
        self.log, self.table = self.topics.log_name(ROOT.log), self.topics.table_name("music")
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        made = admin.create_topics([NewTopic(self.log, 1, 1), NewTopic(self.table, 1, 1)])
        for each in made.values():
            each.result(CALL_S)
        self.checkpoints = [_checkpoint(steps) for steps in (10, 20, 30)]
        self._groups: list[Group] = []
        self._owners: list[set[Any]] = []

    def member(self) -> Group:
        """One that has the log."""
        mine: set[Any] = set()
        group = Group(self.kafka, self.topics, 6000, mine.update, mine.difference_update, mine.difference_update)
        group.subscribe([ROOT.log])
        self._groups.append(group)

        def has_it() -> bool:
            group.poll()
            return ROOT in mine

        wait_until("the log is given", has_it, 60)
        return group

    def producer(self, name: str = "one") -> Producer:
        made = Producer(self.kafka.table_producer(self.topics.transactional_id(name)))
        made.init_transactions(CALL_S)
        made.begin_transaction()
        return made

    def produce(self, producer: Producer, value: str) -> None:
        producer.produce(self.table, value.encode(), b"key", 0)
        assert producer.flush(CALL_S) == 0

    def seen(self) -> list[bytes]:
        """What a reader sees with librdkafka's defaults, up to where nothing has come for a while."""
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "reader"})
        consumer.assign([TopicPartition(self.table, 0, 0)])
        found: list[bytes] = []
        while (got := consumer.poll(3)) is not None:
            if got.error() is None:
                found.append(got.value() or b"")
        consumer.close()
        return found


def _checkpoint(steps: int) -> Checkpoint:
    """A whole one, as the brain makes it."""
    made, brain = history(steps), propagator(message())
    brain.assigned(ROOT, Found(origin(0), 0, None))
    brain.read({ROOT: made.logs[0]})
    brain.outputs()
    brain.confirm()
    return brain.due()[ROOT]


@pytest.fixture
def scene(broker: LocalBroker) -> Iterator[Scene]:
    made = Scene(broker)
    yield made
    for group in made._groups:
        group.close()


def offer(group: Group, producer: Producer, checkpoint: Checkpoint, membership: bytes | None = None) -> None:
    told = membership if membership is not None else group.membership()
    assert told is not None
    producer.send_offsets_to_transaction(group.offsets({ROOT: checkpoint}), told, CALL_S)


def test_a_checkpoint_travels_whole_and_with_its_records(scene: Scene) -> None:
    group, producer = scene.member(), scene.producer()
    scene.produce(producer, "first")
    offer(group, producer, scene.checkpoints[0])
    assert scene.seen() == []
    producer.commit_transaction(CALL_S)
    assert group.committed([ROOT]) == {ROOT: scene.checkpoints[0]}
    assert scene.seen() == [b"first"]
    # Then as ever, without a transaction, and in one again.
    assert group.commit({ROOT: scene.checkpoints[1]})
    producer.begin_transaction()
    scene.produce(producer, "second")
    offer(group, producer, scene.checkpoints[2])
    producer.commit_transaction(CALL_S)
    assert group.committed([ROOT]) == {ROOT: scene.checkpoints[2]}


def test_who_takes_a_log_over_waits_for_what_was_offered(scene: Scene) -> None:
    first, producer = scene.member(), scene.producer()
    scene.produce(producer, "late")
    offer(first, producer, scene.checkpoints[0])
    first.close()
    scene._groups.clear()
    second = scene.member()
    with pytest.raises(KafkaException):
        second.committed([ROOT])
    producer.commit_transaction(CALL_S)
    assert second.committed([ROOT]) == {ROOT: scene.checkpoints[0]}
    assert scene.seen() == [b"late"]


def test_a_member_of_an_older_generation_is_refused(scene: Scene) -> None:
    first = scene.member()
    membership, producer = first.membership(), scene.producer()
    scene.produce(producer, "zombie's")
    first.close()
    scene._groups.clear()
    second = scene.member()
    assert second.commit({ROOT: scene.checkpoints[0]})
    assert membership is not None
    with pytest.raises(KafkaException):
        offer(first, producer, scene.checkpoints[1], membership)
    assert second.committed([ROOT]) == {ROOT: scene.checkpoints[0]}
    # The next one of its name ends what it had begun.
    successor = scene.producer()
    scene.produce(successor, "successor's")
    offer(second, successor, scene.checkpoints[2])
    successor.commit_transaction(CALL_S)
    assert scene.seen() == [b"successor's"]
    with pytest.raises(KafkaException):
        producer.commit_transaction(CALL_S)


def test_nobody_is_taken_for_a_client_of_the_old_kind_by_brokers_and_not_by_us(scene: Scene) -> None:
    group, producer = scene.member(), scene.producer()
    own = Consumer({"bootstrap.servers": scene.kafka.bootstrap, "group.id": scene.topics.propagators})
    nobody: bytes = own.consumer_group_metadata()
    own.close()
    offer(group, producer, scene.checkpoints[0], nobody)
    producer.commit_transaction(CALL_S)
    assert group.committed([ROOT]) == {ROOT: scene.checkpoints[0]}
    assert not is_member(nobody)
    assert is_member(group.membership() or b"")
