"""A transaction of table topics: what is sent in which order, and what becomes of a producer that failed."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from tests.simulation.histories import origin
from tests.unit.core.propagation.test_follower import ROOT
from tests.unit.core.propagation.test_table_topic_logs import topic_of

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.table_codec import ITEM_ID, decode_table_item
from dynabus.core.errors import InvariantError
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.propagator import Parcel
from dynabus.core.propagation.table_records import TableRecord
from dynabus.core.replication.place import start_of_log
from dynabus.core.table_topics.partitioner import topic_partition
from dynabus.core.table_topics.view import read_table_topic
from dynabus.core.topics import Topics
from dynabus.log_propagator import topic_writer
from dynabus.log_propagator.group import is_member
from dynabus.log_propagator.topic_writer import TopicWriter

TOPIC = read_table_topic(topic_of())
ITEM = {"pk": {"S": "a"}, "n": {"N": "1"}}
PARCEL = Parcel(
    Checkpoint(start_of_log(origin(0)), b"", (), 8, 0, ("topic/1",)),
    [TableRecord(TOPIC, b'{"pk":{"S":"a"}}', ITEM, 1, 5), TableRecord(TOPIC, b'{"pk":{"S":"b"}}', None, 1, 6)],
)


class FakeProducer:
    """Notes what is asked of it. `fails`: the call that does; `undelivered`: the error of each record."""

    made: list[FakeProducer]
    fails: str = ""
    undelivered: int | None = None

    def __init__(self, properties: dict[str, Any], **_: Any) -> None:
        self.id, self.calls, self.records = properties["transactional.id"], [], []
        self.made.append(self)

    calls: list[str]
    records: list[tuple[Any, ...]]

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fails == name:
            raise KafkaException(KafkaError(KafkaError._FENCED))

    def init_transactions(self, _timeout: float) -> None:
        self._call("init")

    def begin_transaction(self) -> None:
        self._call("begin")

    def produce(self, topic: str, value: Any, key: Any, partition: int, **more: Any) -> None:
        self.records.append((topic, value, key, partition, more["timestamp"]))
        if self.undelivered is not None:
            more["on_delivery"](KafkaError(self.undelivered), None)

    def flush(self, _timeout: float) -> int:
        self._call("flush")
        return 0

    def send_offsets_to_transaction(self, offsets: Any, membership: bytes, _timeout: float) -> None:
        assert (offsets, membership) == (["offset"], b"member")
        self._call("offsets")

    def commit_transaction(self, _timeout: float) -> None:
        self._call("commit")

    def purge(self, **_: Any) -> None:
        self._call("purge")


class FakeGroup:
    member: bytes | None = b"member"
    known: Checkpoint | None = None

    def committed(self, partitions: Any) -> dict[Any, Checkpoint | None]:
        return dict.fromkeys(partitions, self.known)

    def membership(self) -> bytes | None:
        return self.member

    def offsets(self, checkpoints: Any) -> list[str]:
        assert list(checkpoints) == [ROOT]
        return ["offset"]


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[FakeProducer]:
    made: list[FakeProducer] = []
    for name, value in (("made", made), ("fails", ""), ("undelivered", None)):
        monkeypatch.setattr(FakeProducer, name, value, raising=False)
    monkeypatch.setattr(topic_writer, "Producer", FakeProducer)
    return made


def writer() -> TopicWriter:
    return TopicWriter(KafkaSettings("127.0.0.1:1"), Topics(), "propagator-1")


def commit(own: TopicWriter, group: FakeGroup | None = None) -> bool:
    return own.commit({ROOT: PARCEL}, group or FakeGroup())  # type: ignore[arg-type]


def test_records_and_checkpoints_are_one_transaction(producers: list[FakeProducer]) -> None:
    own = writer()
    assert not producers
    assert commit(own)
    assert commit(own)
    (producer,) = producers
    assert producer.id == "dynabus.log-propagator.propagator-1"
    assert producer.calls == ["init", *["begin", "flush", "offsets", "commit"] * 2]
    put, deletion = producer.records[:2]
    assert put[0] == "dynabus.table.music"
    assert decode_table_item(put[1]) == ITEM
    assert put[1][:5] == b"\0" + ITEM_ID.to_bytes(4, "big")
    assert put[3] == topic_partition(put[2], 3)
    assert deletion[1:3] == (None, b'{"pk":{"S":"b"}}')
    assert (put[4], deletion[4]) == (5, 6)
    assert (own.transactions, own.sent) == (2, 4)


@pytest.mark.parametrize("call", ["init", "begin", "flush", "offsets", "commit"])
def test_whatever_fails_the_producer_is_not_used_again(
    call: str, producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = writer()
    monkeypatch.setattr(FakeProducer, "fails", call)
    assert not commit(own)
    assert producers[0].calls[-2:] == [call, "purge"]
    assert own.culprit is None
    monkeypatch.setattr(FakeProducer, "fails", "")
    assert own.resolve(FakeGroup()) == {}  # type: ignore[arg-type]
    assert commit(own)
    assert producers[1].calls[0] == "init"


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_commit_without_an_answer_is_asked_about(
    is_committed: bool, producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only behind the next producer's `init`: until then it may still be decided."""
    own, group = writer(), FakeGroup()
    monkeypatch.setattr(FakeProducer, "fails", "commit")
    assert not commit(own)
    monkeypatch.setattr(FakeProducer, "fails", "init")
    assert own.resolve(group) is None  # type: ignore[arg-type]
    monkeypatch.setattr(FakeProducer, "fails", "")
    group.known = PARCEL.checkpoint if is_committed else None
    assert own.resolve(group) == ({ROOT: PARCEL} if is_committed else {})  # type: ignore[arg-type]
    assert producers[2].calls == ["init"]
    assert own.resolve(group) == {}  # type: ignore[arg-type]


def test_of_a_log_that_was_let_go_of_nothing_is_asked(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = writer()
    monkeypatch.setattr(FakeProducer, "fails", "commit")
    assert not commit(own)
    own.forget([ROOT])
    assert own.resolve(FakeGroup()) == {}  # type: ignore[arg-type]
    assert len(producers) == 1


def test_a_record_that_is_refused_is_never_committed(
    producers: list[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = writer()
    monkeypatch.setattr(FakeProducer, "undelivered", KafkaError.MSG_SIZE_TOO_LARGE)
    assert not commit(own)
    assert own.culprit == ROOT
    assert "commit" not in producers[0].calls
    assert "offsets" not in producers[0].calls


def test_who_is_nobody_in_the_group_writes_nothing(producers: list[FakeProducer]) -> None:
    group = FakeGroup()
    group.member = None
    assert not commit(writer(), group)
    assert not producers


def test_what_librdkafka_tells_of_a_member() -> None:
    """Its form, as the installed version has it: one that has joined no group has generation -1."""
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    told = consumer.consumer_group_metadata()
    consumer.close()
    assert not is_member(told)
    joined = told[:7] + (3).to_bytes(4, "little") + b"g\0member-1\0\1"
    assert is_member(joined)
    assert not is_member(told[:7] + (3).to_bytes(4, "little") + b"g\0\0\1")
    with pytest.raises(InvariantError):
        is_member(b"CGMDv3:something else")
