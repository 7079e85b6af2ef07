"""Batches on their way: each is handed over once until Kafka has it, and dealt out over topic partitions."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError

from dynabus.adapters.kafka.outbox import Letter
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.replication_codec import decode_batch, encode_acknowledgement
from dynabus.core.global_tables.links import Link
from dynabus.core.global_tables.regions import Peer
from dynabus.core.global_tables.rep_out import Batch
from dynabus.core.topic_settings import REPLICATION_PARTITIONS
from dynabus.core.topics import Topic
from dynabus.rep_out import line as module
from dynabus.rep_out.line import Line

LINK = Link("here", "music", "us", 1, "ACTIVE", 0, True, "label", [], {}, "there")
PEER = Peer("us", 1, "there:9092", "there", "", '{"sasl.username": "me"}', False)


class FakeMessage:
    def __init__(self, value: bytes | None, code: int | None = None) -> None:
        self._value, self._code = value, code

    def error(self) -> Any:
        return None if self._code is None else KafkaError(self._code)

    def value(self) -> bytes | None:
        return self._value

    def topic(self) -> str:
        return "here.acknowledgements.us"

    def partition(self) -> int:
        return 0


class Kafka:
    """Both Kafkas, the outbox and the consumer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, str]] = []
        self.letters: list[Letter] = []
        self.messages: list[FakeMessage] = []
        self.read_from: list[int] = []
        self.problem: str | None = None
        self._at = ""
        monkeypatch.setattr(module, "reach_kafka", self.reached)
        monkeypatch.setattr(module, "Outbox", self.outbox)
        monkeypatch.setattr(module, "Consumer", lambda *_, **__: self)
        monkeypatch.setattr(module, "read_on", lambda _consumer, _message, offset: self.read_from.append(offset))
        monkeypatch.setattr(module, "extent_of", lambda *_: (0, 9))
        self.line = Line(KafkaSettings("here:9092", "here"), PEER, "eu", lambda: 0.0)

    def reached(self, kafka: KafkaSettings) -> Kafka:
        self._at = kafka.bootstrap
        return self

    def ensure(self, topics: list[Topic]) -> None:
        self.made += [(self._at, topic.name) for topic in topics]

    def extent(self, name: str, number: int) -> tuple[int, int]:
        return 0, 5

    def outbox(self, kafka: KafkaSettings, _now: Any, properties: Any) -> Kafka:
        assert (kafka.extra, properties["compression.type"]) == ({"sasl.username": "me"}, "zstd")
        return self

    def assign(self, places: list[Any]) -> None:
        self.read_from = [each.offset for each in places]

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    def serve(self) -> None:
        """Tests deliver."""

    def poll(self, _timeout_s: float) -> FakeMessage | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, *_: Any, **__: Any) -> list[FakeMessage]:
        messages, self.messages = self.messages, []
        return messages

    def close(self, *_: Any) -> None:
        """Of both."""


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    return Kafka(monkeypatch)


def test_topics_are_made_in_the_kafka_of_who_reads_them(kafka: Kafka) -> None:
    assert ("here:9092", "here.acknowledgements.us") in kafka.made
    assert ("there:9092", "there.replication.eu") in kafka.made
    assert kafka.read_from == [5]


def test_a_batch_is_handed_over_again_only_once_kafka_has_it(kafka: Kafka) -> None:
    kafka.line.send("me", LINK, Batch(1, []))
    kafka.line.send("me", LINK, Batch(1, []))
    [letter] = kafka.letters
    assert letter.topic == "there.replication.eu"
    assert (decode_batch(letter.value).sender, decode_batch(letter.value).replica) == ("me", "there")
    letter.done()
    kafka.line.send("me", LINK, Batch(1, []))
    assert len(kafka.letters) == 2
    assert letter.wanted()
    kafka.line.close()
    assert not letter.wanted()


def test_batches_of_a_table_are_dealt_out_and_a_repeat_goes_where_the_first_went(kafka: Kafka) -> None:
    for number in range(2 * REPLICATION_PARTITIONS):
        kafka.line.send("me", LINK, Batch(number, []))
        kafka.letters[-1].done()
    partitions = [letter.partition for letter in kafka.letters]
    assert sorted(partitions[:REPLICATION_PARTITIONS]) == [*range(REPLICATION_PARTITIONS)]
    assert partitions[:REPLICATION_PARTITIONS] == partitions[REPLICATION_PARTITIONS:]


def test_it_says_why_nothing_arrives_there(kafka: Kafka) -> None:
    assert kafka.line.problem is None
    kafka.problem = "no brokers"
    assert kafka.line.problem == "no brokers"


def test_acknowledgements_of_all_are_told_and_others_messages_are_passed_by(kafka: Kafka) -> None:
    told = encode_acknowledgement("us", "me", 3)
    kafka.messages = [FakeMessage(told[:-1]), FakeMessage(told), FakeMessage(None, KafkaError._TRANSPORT)]
    assert kafka.line.acknowledged(0) == [("me", 3)]
    assert kafka.line.acknowledged(0) == []


def test_what_expired_unheard_is_left_and_what_comes_now_is_read(kafka: Kafka) -> None:
    kafka.messages = [FakeMessage(None, KafkaError._AUTO_OFFSET_RESET)]
    assert kafka.line.acknowledged(0) == []
    assert kafka.read_from == [5, 9]
