"""A mock Kafka with a cluster's metadata and a table's ingest topics, and a router that is told what to answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.unit.core.test_cluster_view import table

from dynabus.adapters.codec import encode
from dynabus.adapters.ingest_codec import decode_message, encode_outcome
from dynabus.adapters.kafka.mock import MockCluster
from dynabus.adapters.kafka.topics import MOCK_PARTITIONS
from dynabus.client import Ingest, ingest
from dynabus.core.ingest.commands import Command, Place, read_message
from dynabus.core.ingest.results import Outcome, Status, unreadable
from dynabus.core.topics import Topics

TABLE = "music"
WAIT_S = 20.0

Answer = Callable[[Command], tuple[Status, dict[str, Any]] | None]


def applied(_: Command) -> tuple[Status, dict[str, Any]] | None:
    return Status.APPLIED, {}


def silent(_: Command) -> tuple[Status, dict[str, Any]] | None:
    return None


def refused(_: Command) -> tuple[Status, dict[str, Any]] | None:
    answer = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"}
    return Status.REFUSED, {**answer, "Item": {"pk": {"S": "a"}, "n": {"N": "1"}}}


def poison(_: Command) -> tuple[Status, dict[str, Any]] | None:
    return Status.UNREADABLE, orjson.loads(unreadable("a defect"))


class Stage:
    """`answer`: what the router says of each command; None for nothing."""

    def __init__(self, answer: Answer = applied) -> None:
        self.kafka = MockCluster()
        self.answer = answer
        self.commands: list[Command] = []
        self.messages: list[Message] = []
        asker = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "allow.auto.create.topics": True})
        self.topic, self.outcomes = Topics().ingest(TABLE).name, Topics().outcomes(TABLE).name
        for name in (self.topic, self.outcomes):
            asker.list_topics(name, timeout=WAIT_S)
        self._producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
        self.tell(5)
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def tell(self, version: int, status: str = "ACTIVE", takes: bool = True) -> None:
        """Metadata of the table."""
        value = encode("table_metadata", {**table(version, status, name=TABLE), "ingest": takes})
        self._producer.produce(Topics().metadata().name, value, partition=0)
        self._producer.flush()

    def say(self, outcome: Outcome, partition: int = 0) -> None:
        """An outcome, as routers write it."""
        headers = [("status", outcome.status.name.encode())]
        if outcome.correlation_id is not None:
            headers.append(("correlation-id", outcome.correlation_id.encode()))
        value = encode_outcome(outcome, avro=False)
        self._producer.produce(self.outcomes, value, "k", partition, headers=headers)  # type: ignore[arg-type]
        self._producer.flush()

    def ingest(self, **more: Any) -> Ingest:
        return ingest(TABLE, kafka=self.kafka.bootstrap, **more)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "routers", "log_level": 0})
        consumer.assign([TopicPartition(self.topic, each, OFFSET_BEGINNING) for each in range(MOCK_PARTITIONS)])
        while not self._stop.is_set():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                self._take(message)
        consumer.close()

    def _take(self, message: Message) -> None:
        self.messages.append(message)
        for position, each in enumerate(read_message(decode_message(message.value()), TABLE)):
            assert isinstance(each, Command), each
            self.commands.append(each)
            if (answer := self.answer(each)) is not None:
                place = Place(self.topic, "id", message.partition() or 0, message.offset() or 0, position)
                status, body = answer
                outcome = Outcome(place, status, orjson.dumps(body), each.token, each.correlation_id)
                self.say(outcome, len(self.commands) % MOCK_PARTITIONS)


def until(condition: Callable[[], Any]) -> None:
    """Fails when it does not come true."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
